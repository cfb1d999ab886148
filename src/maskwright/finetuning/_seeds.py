"""The seeds of a run: each trains its own model from the same rows; what one is done with is not done again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save

from maskwright.base import runtime
from maskwright.base.files import read_json, write_bytes, write_json
from maskwright.base.ragged import packed, unpacked
from maskwright.evaluation.evaluate import Judgement, judge
from maskwright.finetuning._rows import Split, count_pieces
from maskwright.finetuning.settings import Finetune
from maskwright.nn.dropout import noise
from maskwright.runs import RunFolder
from maskwright.tasks import Model, Task
from maskwright.tasks._calibration import Calibration
from maskwright.tasks._objective import ExampleFeed, TaskObjective
from maskwright.training.loop import Loop
from maskwright.training.state import load_weights, save_weights
from maskwright.training.tracking import Tracking

Build = Callable[[], Model]
TRAINED = ("train", "eval")  #: the sides that training uses; the others are only judged


@dataclass(frozen=True)
class Trained:
    """What one seed left in its folder."""

    seed: int
    folder: Path
    metrics: dict[str, dict[str, Any]]  #: of each held-out split, its counts among them
    scores: dict[str, np.ndarray]  #: of each held-out split, (rows, classes)
    calibration: Calibration | None = None  #: fitted on the eval rows where others are reported on
    notes: list[str] = field(default_factory=list)  #: what its tracker had to say

    @property
    def weights(self) -> Path:
        """The network of its best evaluation, until one seed's model has been saved."""
        return self.folder / "weights.safetensors"

    @classmethod
    def found(cls, seed: int, folder: Path) -> Trained | None:
        """A seed that was finished before; its metrics are written last."""
        if not all((folder / name).exists() for name in ("metrics.json", "calibration.json")):
            return None
        fitted = read_json(folder / "calibration.json")
        calibration = None if fitted is None else Calibration.from_plain(fitted)
        scores = unpacked(load_file(folder / "scores.safetensors"))
        return cls(seed, folder, read_json(folder / "metrics.json"), scores, calibration)


def seeded(seed: int, build: Build) -> Model:
    """A model whose new weights depend on the seed alone, and the generators as training wants them."""
    runtime.set_seed(seed)
    noise.seed(seed)
    return build()


def train_seeds(
    asked: Finetune,
    fresh: Callable[[int], Model],
    splits: Mapping[str, Split],
    seeds: Sequence[int],
    run: RunFolder,
    facts: Mapping[str, Any],
    tell: Callable[[Sequence[str]], None],
    quiet: bool = False,
    allow_drift: bool = False,
) -> list[Trained]:
    """Each seed in turn; one that was finished before is taken as it is. fresh: the model that a seed starts from;
    tell: told what trackers have to say."""
    out = []
    for seed in seeds:
        done = Trained.found(seed, run.seed(seed))
        if done is None:
            done = train_seed(asked, fresh(seed), splits, seed, run, facts, quiet, allow_drift)
            tell(done.notes)
        out.append(done)
    return out


def train_seed(
    asked: Finetune,
    model: Model,
    splits: Mapping[str, Split],
    seed: int,
    run: RunFolder,
    facts: Mapping[str, Any],
    quiet: bool = False,
    allow_drift: bool = False,
) -> Trained:
    """Train, take the best evaluation's weights, judge what was held out. Goes on where a checkpoint is."""
    folder = run.seed(seed)
    with Tracking(asked.train.tracker, folder, f"{run.path.resolve().name}-{seed}", dict(facts)) as tracking:
        metrics, scores = _trained(asked, model, splits, seed, folder, tracking, quiet, allow_drift)
        tracking.final(metrics)
    fitted = model.calibration
    out = Trained(seed, folder, metrics, scores, fitted, tracking.notes)
    save_weights(out.weights, model.network)
    write_bytes(folder / "scores.safetensors", save(packed(out.scores)))
    write_json(folder / "calibration.json", None if fitted is None else fitted.plain())
    write_json(folder / "metrics.json", out.metrics)
    return out


def _trained(
    asked: Finetune,
    model: Model,
    splits: Mapping[str, Split],
    seed: int,
    folder: Path,
    tracking: Tracking,
    quiet: bool,
    allow_drift: bool,
) -> tuple[dict[str, dict[str, Any]], dict[str, np.ndarray]]:
    """The metrics and the scores of each held-out split.

    Checkpoints, the best one too, hold a head on the scale that is learnt; whatever judges or keeps the model sees one
    that gives the targets' own units.
    """
    held, objective = splits["eval"], TaskObjective(model.network, model.task)
    targets = splits["train"].examples.targets
    assert targets is not None
    scale = model.start(targets)
    encodings = splits["train"].encodings
    wanted = scale.learnt(model.task.wanted(targets, encodings))

    def evaluate() -> dict[str, float]:
        with scale.natural(model.last_layer):
            return _ranked(judge(model, held.encodings, held.examples, fit=True), model.task)

    loop = Loop(
        objective,
        ExampleFeed(encodings, wanted, asked.train, seed, model.task.marks),
        asked.train,
        folder,
        evaluate,
        {"data": count_pieces(splits)},
        quiet,
        allow_drift,
        tracking=tracking,
    )
    progress = loop.run()
    if progress.best_step is not None and progress.best_step < progress.step:
        load_weights(loop.best, objective)
    scale.fold(model.last_layer)
    model.network.eval()
    calibrated = "test" in splits  # else the eval rows are reported on, and nothing is fitted on them
    judged = {"eval": judge(model, held.encodings, held.examples, fit=calibrated)}
    if calibrated:
        model.calibration = judged["eval"].fitted
    judged |= {
        name: judge(model, side.encodings, side.examples) for name, side in splits.items() if name not in TRAINED
    }
    metrics = {name: found.plain() for name, found in judged.items()}
    return metrics, {name: found.scores for name, found in judged.items() if found.scores is not None}


def choose(trained: list[Trained], main: str, reported: str) -> tuple[Trained, str]:
    """The seed whose model is saved, and why: the best on rows that no reported figure uses, of equals the first."""
    if len(trained) == 1:
        return trained[0], "the only seed"
    if reported == "eval":
        return trained[0], "the first seed: there are no rows but the reported ones, which may not choose"
    best = max(
        trained, key=lambda one: one.metrics["eval"][main] if one.metrics["eval"][main] is not None else -math.inf
    )
    return best, f"the best {main} on the eval rows, which no reported figure uses"


def _ranked(judged: Judgement, task: Task) -> dict[str, float]:
    """The metrics, the one that decides first."""
    return {task.main: judged.metrics[task.main], **judged.metrics}
