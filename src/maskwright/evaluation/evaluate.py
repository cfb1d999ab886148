"""A model's metrics on labelled rows, with counts of what was cut or unknown."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from maskwright.base.errors import UserError
from maskwright.data.read import Source, read
from maskwright.data.settings import Data
from maskwright.data.table import NoColumn
from maskwright.evaluation.figures import figures
from maskwright.tasks import Examples, Model
from maskwright.tasks._calibration import Calibration
from maskwright.tasks._given import Inputs


@dataclass(frozen=True)
class Judgement:
    """Metrics, and what they were measured on."""

    metrics: dict[str, float]
    rows: int
    texts_cut: int  #: texts longer than the model's max_length
    pieces_cut: int
    unknown_pieces: int
    notes: tuple[str, ...] = ()  #: what was detected about the file and its labels
    scores: np.ndarray | None = field(default=None, repr=False, compare=False)  #: (rows, classes)
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)  #: each metric with its interval over examples
    fitted: Calibration | None = field(default=None, repr=False)  #: the calibration that they were measured with

    def plain(self) -> dict[str, Any]:
        """As JSON; a metric that is not defined on these rows (a correlation with a constant) is null."""
        metrics = {k: v if math.isfinite(v) else None for k, v in self.metrics.items()}
        counts = ("rows", "texts_cut", "pieces_cut", "unknown_pieces")
        return {**metrics, **{name: getattr(self, name) for name in counts}}


def evaluate(model: Model, data: Source, settings: Data | None = None) -> Judgement:
    """Metrics of `model`, each with its interval over examples, on a file or table that holds its task's columns."""
    try:
        table = read(data, settings=settings, needs=model.task.columns(), whole=model.task.whole_rows)
    except NoColumn as problem:
        raise UserError(model.task.absent(problem, "--set task.{}=NAME")) from None
    examples = model.task.examples(table, model.labels)
    encodings = model.inputs(examples)
    notes = tuple(dict.fromkeys([*table.notes, *model.task.doubts(table), *model.task.notes(examples, model.labels)]))
    found = judge(model, encodings, examples, notes)
    assert found.scores is not None
    assert examples.targets is not None
    suspected = model.task.suspected(found.scores, examples.targets)
    told = figures(model.task, [found.scores], examples.targets, [model.calibration])
    return replace(found, notes=(*notes, *suspected), figures=told)


def judge(
    model: Model, encodings: Inputs, examples: Examples, notes: tuple[str, ...] = (), fit: bool = False
) -> Judgement:
    """Metrics on examples that are already encoded.

    fit: with a calibration fitted on these rows in the place of the model's, for rows that choose and are not reported
    on. At a threshold of one half a task of rare labels answers nothing for long, and all checkpoints would be alike.
    """
    targets = examples.targets
    assert targets is not None
    scores: np.ndarray = model.scores(encodings)
    fitted = model.task.calibrate(scores, targets, "eval") if fit else model.calibration
    return Judgement(
        model.task.metrics(scores, targets, fitted),
        len(examples),
        encodings.truncated,
        encodings.pieces_cut,
        encodings.unknown,
        notes,
        scores,
        fitted=fitted,
    )
