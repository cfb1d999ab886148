"""How sure an answer must be: which answers to withhold, and which set of labels holds the true one often enough."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from maskwright.base.errors import UserError
from maskwright.stats.selection import Conformal, least_rows

if TYPE_CHECKING:
    from maskwright.tasks._model import Model


def check(model: Model) -> None:
    """Raises UserError where the model cannot answer as `abstain_below` and `coverage` ask."""
    below, coverage = model.abstain_below, model.coverage
    if not model.task.one_label:
        raise UserError(
            "abstain_below and coverage go with a task that gives one label a text; this model's task is "
            f"{model.task.name}."
        )
    if below is not None and not 0 < below < 1:
        raise UserError(f"abstain_below = {below:g}: give a probability, more than 0 and less than 1.")
    if coverage is not None:
        if model.calibration is None:
            raise UserError(
                "coverage asks for sets of labels, and this model holds no calibration: no rows were left to fit it on "
                "that no reported figure uses. Fine-tune with --test, or with enough rows to split."
            )
        if math.isinf(model.calibration.quantile(coverage)):
            raise UserError(
                f"Sets of coverage {coverage:g} would hold every label: this model's calibration had "
                f"{model.calibration.rows:,} rows, and it takes {least_rows(coverage):,} or more. Ask for a smaller "
                "coverage, or fine-tune with more eval rows."
            )


def hedge(model: Model, answers: list[dict[str, Any]], scores: np.ndarray) -> list[dict[str, Any]]:
    """Answers with `abstained` (and no label where it is true), and with `set`, its likeliest label first.

    scores: (B, classes) fp32, of which the answers were made. Over many rows like those of the calibration a set holds
    the true label in `coverage` of them; it may hold one label, several or none.
    """
    below, coverage, labels, calibration = model.abstain_below, model.coverage, model.labels, model.calibration
    if below is not None:
        for answer in answers:
            answer["abstained"] = answer["probability"] < below
            answer["label"] = None if answer["abstained"] else answer["label"]
    if coverage is not None:
        assert labels is not None
        assert calibration is not None
        p = model.task.probabilities(scores, calibration)
        assert p is not None
        inside = Conformal(calibration.quantile(coverage), coverage)(p)
        for answer, row, some in zip(answers, p, inside, strict=True):
            answer["set"] = [labels[int(i)] for i in np.argsort(-row, kind="stable") if some[i]]
    return answers
