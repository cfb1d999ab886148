"""The loop: how many steps, what it logs, when it evaluates, which weights are the best, and one step's arithmetic."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from maskwright.training.log import Bar
from maskwright.training.loop import Loop
from maskwright.training.objective import Moment
from maskwright.training.plan import Epochs
from maskwright.training.state import load_weights

Make = Callable[..., Any]


def lines(folder: Path, name: str = "log.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


class Planted:
    """Evaluations whose results are given, and the weights at each of them."""

    def __init__(self, network: nn.Module, results: list[float]) -> None:
        self.network, self.results, self.seen = network, iter(results), []  # type: ignore[var-annotated]

    def __call__(self) -> dict[str, float]:
        assert not self.network.training, "evaluations run in evaluation mode"
        self.seen.append(weights(self.network))
        return {"score": next(self.results), "other": 0.5}


@pytest.mark.parametrize(
    ("epochs", "steps"), [(1, 5), (2, 10), (0.5, 2), (0.01, 1), (1.4, 7), (2.5, 12), (0.6, 3), (3.0, 15)]
)
def test_a_fraction_of_an_epoch_ends_at_a_whole_step(rows: Make, epochs: float, steps: int) -> None:
    plan = Epochs(rows(), epochs)
    assert plan.total == steps
    taken = [plan.rows(step) for step in range(plan.total)]
    whole = [row for epoch in range(math.ceil(epochs)) for row in rows().epoch(epoch)][:steps]
    assert [r.tolist() for r in taken] == [r.tolist() for r in whole]


@pytest.mark.parametrize(
    ("epochs", "per_epoch", "at"),
    [
        (2, 1, [5, 10]),
        (1, 2, [2, 5]),
        (1, 5, [1, 2, 3, 4, 5]),
        (2, 3, [2, 3, 5, 7, 8, 10]),
        (1.4, 1, [5, 7]),
        (0.6, 2, [2, 3]),
        (1, 50, [1, 2, 3, 4, 5]),
    ],
)
def test_evaluations_stand_at_equal_distances_and_at_each_end(
    rows: Make, epochs: float, per_epoch: int, at: list[int]
) -> None:
    plan = Epochs(rows(), epochs)
    assert [done for done in range(1, plan.total + 1) if plan.evaluates(done, per_epoch)] == at


def test_each_logged_line_is_the_mean_since_the_last(loop: Make, tmp_path: Path) -> None:
    loop(folder=tmp_path / "each", log_steps=1).run()
    loop(folder=tmp_path / "three", log_steps=3).run()
    each, three = lines(tmp_path / "each"), lines(tmp_path / "three")
    assert [line["step"] for line in each] == list(range(1, 11))
    assert [line["step"] for line in three] == [3, 6, 9, 10], "the last step is logged too"
    for start, line in zip((0, 3, 6, 9), three, strict=True):
        mine = each[start : line["step"]]
        assert line["items"] == sum(m["items"] for m in mine)
        assert line["tokens"] == sum(m["tokens"] for m in mine) == 3 * line["items"]
        assert line["loss"] == pytest.approx(sum(m["loss"] * m["items"] for m in mine) / line["items"])
        assert line["lr"] == mine[-1]["lr"]
        assert line["gradient_norm"] == mine[-1]["gradient_norm"]


def test_the_log_begins_with_what_is_said_beforehand(loop: Make, tmp_path: Path) -> None:
    made = loop()
    made.preface = {"data": {"texts_cut": 1}}
    made.run()
    assert lines(tmp_path)[0] == {"data": {"texts_cut": 1}}
    assert sum("data" in line for line in lines(tmp_path)) == 1


def test_facts_have_no_clocks_and_clocks_have_no_facts(loop: Make, tmp_path: Path) -> None:
    loop(evaluate=lambda: {"score": 1.0}).run()
    keys = {key for line in lines(tmp_path) for key in line}
    assert keys == {"step", "loss", "lr", "gradient_norm", "items", "tokens", "efficiency", "evaluation", "offset"}
    clocks = lines(tmp_path, "timings.jsonl")
    assert clocks[0]["event"] == "start"
    assert {"threads", "processor", "torch", "device"} <= set(clocks[0])
    assert all("time" in line for line in clocks)
    assert all(line["seconds"] >= 0 and line["tokens_per_second"] > 0 for line in clocks[1:])


def test_the_rate_of_each_step_is_the_schedules(loop: Make, tmp_path: Path) -> None:
    made = loop(lr=0.02, schedule={"name": "cosine", "warmup": 0.3})
    made.run()
    factors = [made.settings.schedule.factor(step, 10) for step in range(10)]
    assert [line["lr"] for line in lines(tmp_path)] == pytest.approx([0.02 * f for f in factors])


@pytest.mark.parametrize("clip", [None, 1000.0, 1.0, 0.05])
@pytest.mark.parametrize("piece", [4, 3, 1])
def test_steps_equal_a_plain_loop_of_torch(
    loop: Make, squares: Make, rows: Make, tmp_path: Path, clip: float | None, piece: int
) -> None:
    """Pieces of 3 and 1 of 4 rows: a step's last piece is smaller, so a mean of means would be wrong."""
    ours, theirs, feed = squares(), squares(), rows(piece=piece)
    seen: list[dict[str, torch.Tensor]] = []
    made = loop(ours, feed, evaluate=lambda: seen.append(weights(ours)) or {"score": 0.0}, clip=clip, evaluations=5)
    made.run()
    matrices, vectors = ([p for p in theirs.parameters() if (p.dim() > 1) == m] for m in (True, False))
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=0.01, foreach=False)
    norms = []
    for step in range(10):
        x, y = feed.x[made.plan.rows(step)], feed.y[made.plan.rows(step)]
        loss, count, _ = theirs((x, y))
        (loss / count).backward()
        norms.append(float(nn.utils.clip_grad_norm_(theirs.parameters(), clip or math.inf)))
        for group in reference.param_groups:
            group["lr"] = 0.01 * made.settings.schedule.factor(step, 10)
        reference.step()
        reference.zero_grad()
        for name, tensor in theirs.state_dict().items():
            assert torch.allclose(seen[step][name], tensor, atol=1e-6), (step, name)
    logged = [line["gradient_norm"] for line in lines(tmp_path) if "loss" in line]
    assert logged == pytest.approx(norms, rel=1e-5)
    assert min(norms) > 0.05, "the smallest clip must bite"


def test_without_an_optimizer_that_scales_the_loop_does(
    loop: Make, squares: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = squares(), squares()
    loop(one, folder=tmp_path / "one", clip=0.05).run()
    made = loop(two, folder=tmp_path / "two", clip=0.05)
    monkeypatch.setattr(type(made.settings.optimizer), "scales_gradients", False)
    made.run()
    for name, tensor in one.state_dict().items():
        assert torch.allclose(tensor, two.state_dict()[name], atol=1e-6), name


@pytest.mark.parametrize(
    ("results", "best"),
    [
        ([0.1, 0.9, 0.3, 0.2], 2),
        ([0.4, 0.3, 0.2, 0.1], 1),
        ([0.5, 0.5, 0.5, 0.5], 1),  # a tie goes to the earliest
        ([-0.4, -0.3, -0.2, -0.1], 4),
        ([math.nan, 0.1, math.nan, 0.05], 2),
        ([math.nan] * 4, 4),  # nothing to choose by: the last
    ],
)
def test_the_best_evaluations_weights_are_kept(
    loop: Make, squares: Make, tmp_path: Path, results: list[float], best: int
) -> None:
    ours = squares()
    planted = Planted(ours, results)
    made = loop(ours, evaluate=planted, epochs=4)
    progress = made.run()
    assert ours.training
    assert progress.best_step == 5 * best
    if best < 4:
        load_weights(made.best, ours)
    for name, tensor in planted.seen[best - 1].items():
        assert torch.equal(tensor, ours.state_dict()[name])
    logged = [line["evaluation"]["score"] for line in lines(tmp_path) if "evaluation" in line]
    assert logged == [None if math.isnan(r) else r for r in results]
    assert [e["step"] for e in progress.evaluations] == [5, 10, 15, 20]


def test_no_checkpoints_are_written_when_that_is_said(loop: Make, tmp_path: Path) -> None:
    loop(checkpoint_minutes=None).run()
    assert not (tmp_path / "checkpoints").exists()
    assert loop(checkpoint_minutes=60).run().step == 10, "nothing to resume: it starts again"
    assert (tmp_path / "checkpoints" / "last" / "weights.safetensors").exists()
    assert len(lines(tmp_path)) == 10, "the first run's lines are gone"


def test_without_checkpoints_only_the_best_weights_are_kept(loop: Make, squares: Make, tmp_path: Path) -> None:
    ours = squares()
    loop(ours, evaluate=Planted(ours, [0.1, 0.2, 0.3, 0.0]), epochs=4, checkpoint_minutes=None).run()
    assert [f.name for f in (tmp_path / "checkpoints").iterdir()] == ["best-15.safetensors"]


def test_training_goes_on_in_a_thread_that_hears_no_signals(loop: Make, tmp_path: Path) -> None:
    import threading

    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(loop().run().step))
    thread.start()
    thread.join()
    assert done == [10]


@pytest.mark.parametrize(
    ("terminal", "quiet", "shown"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_progress_is_shown_at_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool, quiet: bool, shown: bool
) -> None:
    import sys

    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    bar = Bar(quiet)
    bar.start(total=10, done=3)
    bar.show(4, 0.5, 12345.0)
    bar.close()
    bar.close()
    out, err = capsys.readouterr()
    assert out == "", "stdout is for results"
    assert ("12,345 tokens/s" in err and "loss 0.5000" in err and "4/10" in err) == shown
    assert shown or err == ""


def test_the_loop_is_quiet_when_asked(loop: Make, capsys: pytest.CaptureFixture[str]) -> None:
    made: Loop = loop()
    assert made.quiet
    made.run()
    assert capsys.readouterr() == ("", "")


class Every3:
    """Seven steps over the rows 0 .. 5, evaluated behind every third."""

    total = 7

    def rows(self, step: int) -> np.ndarray:
        return np.arange(step % 3, 6)

    def moment(self, step: int) -> Moment:
        return Moment(step, self.total, step // 3)

    def evaluates(self, done: int, per_epoch: int) -> bool:
        return done % (3 * per_epoch) == 0


def test_a_plan_of_ones_own_says_what_each_step_takes_and_when(loop: Make, rows: Make, tmp_path: Path) -> None:
    class Watched(rows):  # type: ignore[misc,valid-type]
        taken: ClassVar[list[tuple[Moment, int]]] = []

        def fetch(self, rows: np.ndarray, device: torch.device, at: Moment) -> tuple[Any, int]:
            self.taken.append((at, len(rows)))
            return super().fetch(rows, device, at)

    made = loop(feed=Watched(piece=9), evaluate=lambda: {"score": 1.0}, schedule={"name": "linear", "warmup": 0.0})
    made.plan = Every3()
    assert made.run().step == 7
    assert Watched.taken == [(Moment(step, 7, step // 3), 6 - step % 3) for step in range(7)]
    logged = lines(tmp_path)
    assert [line["step"] for line in logged if "evaluation" in line] == [3, 6]
    assert [line["lr"] for line in logged if "lr" in line] == pytest.approx([0.01 * (1 - s / 7) for s in range(7)])


def test_epochs_know_the_moment_of_each_step(rows: Make) -> None:
    plan = Epochs(rows(), 1.4)
    assert [plan.moment(step) for step in (0, 4, 5, 6)] == [
        Moment(s, 7, e) for s, e in ((0, 0), (4, 0), (5, 1), (6, 1))
    ]
    assert [plan.moment(step).progress for step in range(7)] == [step / 7 for step in range(7)]


def test_no_best_weights_are_kept_when_none_are_wanted(loop: Make, tmp_path: Path) -> None:
    made = loop(evaluate=dict, epochs=3)  # it need not even measure anything
    made.keep_best = False
    progress = made.run()
    assert (progress.best, progress.best_step) == (None, None)
    assert [e["step"] for e in progress.evaluations] == [5, 10, 15]
    assert [f.name for f in (tmp_path / "checkpoints").iterdir()] == ["last"]
