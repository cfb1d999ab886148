"""One number for each text or pair of texts, such as a similarity from 0 to 5."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from maskwright.base.errors import UserError
from maskwright.data.labels import Labels
from maskwright.data.table import Table
from maskwright.stats import measures
from maskwright.stats.comparison import on_one_scale
from maskwright.stats.measures import Measure
from maskwright.tasks._calibration import Calibration
from maskwright.tasks._given import Given
from maskwright.tasks._scale import Scale
from maskwright.tasks._task import Examples, Task

_LARGEST = float(np.finfo(np.float32).max)


class Regression(Task):
    """Squared error of one output (as BERT was fine-tuned on STS-B), learnt in standard deviations from the mean.

    Scores, predictions, metrics and the saved head are in the targets' own unit; the loss in the log is not: 1 is that
    of always answering with the mean of the training rows.
    """

    head: ClassVar[str] = "classification"
    problem: ClassVar[str] = "regression"
    main: ClassVar[str] = "pearson"
    answers: ClassVar[Any] = "number"
    labelled: ClassVar[bool] = False
    error: ClassVar[str | None] = "mae"

    def discover(self, table: Table) -> None:
        """There are no labels. Raises UserError for scores that are all the same, from which nothing is learned."""
        scores = self.targets(table, None)
        if len(scores) and (scores == scores[0]).all():
            many = len(scores) > 1
            rows = f"All {len(scores):,} rows have" if many else "The only row has"
            raise UserError(
                f"{rows} the score {scores[0]:g} ({table.where(0)}{' onwards' if many else ''}); a regression learns "
                "from scores that differ. Check which column holds them."
            )

    def targets(self, table: Table, labels: Labels | None) -> np.ndarray:
        return np.array([_number(v, table, i) for i, v in enumerate(table.column(self.label))], dtype=np.float32)

    def classes(self, labels: Labels | None) -> int:
        return 1

    def scale(self, targets: np.ndarray) -> Scale:
        return Scale.of(targets)

    def loss(self, scores: Tensor, targets: Tensor, given: Given | None = None) -> Tensor:
        return F.mse_loss(scores.float().squeeze(-1), targets, reduction="sum")

    def decode(
        self,
        scores: np.ndarray,
        labels: Labels | None,
        calibration: Calibration | None = None,
        examples: Examples | None = None,
    ) -> list[dict[str, Any]]:
        return [{"score": float(s)} for s in scores[:, 0]]

    def measures(
        self, scores: np.ndarray, targets: np.ndarray, calibration: Calibration | None = None
    ) -> dict[str, Measure]:
        return measures.regression(targets, scores[:, 0])

    def settled(self, scores: np.ndarray, calibration: Calibration | None, metric: str) -> np.ndarray:
        return on_one_scale(scores[:, 0], metric)[:, None]

    def describe(self, labels: Labels | None) -> dict[str, Any]:
        return {"id2label": {"0": self.label}, "label2id": {self.label: 0}, "problem_type": self.problem}


def _number(value: Any, table: Table, row: int) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise UserError(
            f"{table.where(row)}: the label {value!r} is not a finite number. A regression needs one in each row; "
            "for classes use --task classification."
        )
    if abs(number) > _LARGEST:
        raise UserError(
            f"{table.where(row)}: the label {value!r} is beyond {_LARGEST:.1e}, the largest single precision number. "
            "Give the scores in a larger unit."
        )
    return number
