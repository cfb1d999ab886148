"""A short pre-training of a tiny network, for one process or, with `torchrun ... crew.py FOLDER JSON`, for several."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tiny import tiny
from torch import nn

from maskwright.base import runtime
from maskwright.base.choice import resolve
from maskwright.base.errors import UserError
from maskwright.models import family, random_network
from maskwright.nn.dropout import noise
from maskwright.pretraining.course import Course, Phase
from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.held_out import HeldOut, judge
from maskwright.pretraining.masking import Vocabulary
from maskwright.pretraining.objectives import PretrainingObjective
from maskwright.training import parallel
from maskwright.training.loop import Loop
from maskwright.training.objective import Moment
from maskwright.training.settings import Train
from maskwright.training.stop import Interrupted

WORDS, MASK = 53, 3


def corpus(documents: int = 12) -> Encoded:
    """Sentences that count up from a random word."""
    source = np.random.default_rng(0)
    sizes = [source.integers(3, 9, source.integers(4, 20)) for _ in range(documents)]
    flat = np.concatenate(sizes)
    runs = [(4 + (source.integers(WORDS - 4) + np.arange(n)) % (WORDS - 4)) for n in flat]
    return Encoded(
        np.concatenate(runs).astype(np.int32),
        np.concatenate([[0], np.cumsum(flat)]),
        np.cumsum([0, *map(len, sizes)]).astype(np.int64),
    )


def vocabulary() -> Vocabulary:
    special = np.arange(WORDS) < 4
    return Vocabulary(MASK, special, (np.arange(WORDS) % 3 > 0) & ~special)


def made(
    folder: Path,
    world: parallel.World = parallel.ALONE,
    objective: Any = "mlm",
    name: str = "bert",
    tokens: int = 4000,
    step: int = 300,
    micro: int = 120,
    dropout: float = 0.0,
    fault: dict[str, Any] | None = None,
    judged: int = 0,
    **settings: Any,
) -> Loop:
    """The loop of a training. step: tokens of a step; micro: of a piece; fault: see `Faulty`; judged: evaluations."""
    runtime.set_seed(0)
    noise.seed(0)
    kind, task = family(name), resolve(PretrainingObjective, objective)
    sizes = tiny(kind).model_dump()
    rates = {field: dropout for field in sizes if "dropout" in field}
    config = kind.Config(**{**sizes, **rates, "initial_std": 0.3})
    network = random_network(kind, config, task.head_of(kind))
    feed = Course(
        corpus(), task, vocabulary(), (1, 2), tokens, (Phase(length=24, batch_tokens=step),), micro_tokens=micro
    )
    common = {"lr": 3e-3, "precision": "fp32", "device": "cpu", "log_steps": 1, "checkpoint_minutes": None}
    train = Train(**{**common, **settings})
    objective = task.build(network, kind, config)
    if fault and fault["rank"] == world.rank:
        fail_at(feed, network, **fault)

    def evaluate() -> dict[str, float]:
        asked, _ = feed.fetch(feed.rows(0), torch.device("cpu"), feed.moment(0))
        return judge(task.answers(objective), HeldOut([asked], np.ones(WORDS)))

    judged_by = evaluate if judged else None
    return Loop(objective, feed, train, folder, judged_by, quiet=True, plan=feed, world=world, keep_best=bool(judged))


def fail_at(feed: Course, network: nn.Module, rank: int, step: int, kind: str) -> None:
    """Let this process meet its fault when it fetches that step: kill (it ends at once), stop (it stands still), raise,
    nan (its states are no numbers), slow (each step takes a while)."""
    fetch, ill = feed.fetch, []

    def failing(rows: np.ndarray, device: torch.device, at: Moment) -> Any:
        if kind == "slow":
            time.sleep(0.05)
        elif at.step == step and kind == "raise":
            raise UserError("the disk of this process is full")
        elif at.step == step and kind == "nan":
            ill.append(True)
        elif at.step == step:
            os.kill(os.getpid(), {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[kind])
        return fetch(rows, device, at)

    feed.fetch = failing  # type: ignore[method-assign]
    network.encoder.norm = Sick(ill)


class Sick(nn.Module):
    """What stands behind the last block, and gives NaN once `ill` holds something."""

    def __init__(self, ill: list[bool]) -> None:
        super().__init__()
        self.ill = lambda: bool(ill)  # a function is not copied with the module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.nan if self.ill() else x


def curve(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def main(folder: Path, cases: dict[str, Any]) -> int:
    """Train each case in its folder, and leave rank 0's final weights there. Returns the exit code."""
    torch.set_num_threads(1)
    os.fsync = lambda handle: None  # type: ignore[assignment]  # only a power cut needs it
    try:
        with parallel.joined("cpu", minutes=cases.pop("minutes", 1)) as world:
            for name, case in cases.items():
                loop = made(folder / name, world, **case)
                loop.run()
                told = [float(p.detach().double().square().sum()) for p in loop.objective.parameters()]
                assert world.each(told) == [told] * world.size, "all end with the same weights"
                if world.leads:
                    torch.save(loop.objective.state_dict(), folder / name / "end.pt")
    except UserError as mistake:
        print(f"[{os.environ['RANK']}] error: {mistake}", file=sys.stderr, flush=True)
        return 2
    except Interrupted as stopped:
        print(f"[{os.environ['RANK']}] {stopped}", file=sys.stderr, flush=True)
        return stopped.code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
