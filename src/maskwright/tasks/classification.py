"""One class for each text or pair of texts (Devlin et al. 2019, section 4.1)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from maskwright.data.labels import Labels
from maskwright.data.table import Table
from maskwright.stats import measures
from maskwright.stats.calibration import Temperature
from maskwright.stats.measures import Measure
from maskwright.stats.selection import Conformal
from maskwright.tasks._calibration import SPREAD, Calibration, quantiles, temperature
from maskwright.tasks._given import Given
from maskwright.tasks._label_set import LabelSetTask
from maskwright.tasks._task import Examples


class Classification(LabelSetTask):
    """Cross-entropy over the classes found in the training rows; the prediction is the likeliest class."""

    main: ClassVar[str] = "accuracy"
    answers: ClassVar[Any] = "class"
    one_label: ClassVar[bool] = True
    problem: ClassVar[str] = "single_label_classification"

    def discover(self, table: Table) -> Labels:
        return self.label_set(self.named(table.column(self.label), table.where), table.where)

    def strata(self, examples: Examples) -> np.ndarray | None:
        return examples.targets

    def targets(self, table: Table, labels: Labels | None) -> np.ndarray:
        assert labels is not None
        return labels.encode(self.named(table.column(self.label), table.where), table.where)

    def truths(self, targets: np.ndarray, labels: Labels | None) -> list[Any]:
        assert labels is not None
        return [labels[int(i)] for i in targets]

    def loss(self, scores: Tensor, targets: Tensor, given: Given | None = None) -> Tensor:
        return F.cross_entropy(scores.float(), targets, reduction="sum")

    def probabilities(self, scores: np.ndarray, calibration: Calibration | None = None) -> np.ndarray:
        """softmax(scores / T), (B, classes) float64; T is 1 without a calibration."""
        return Temperature(temperature(calibration))(scores)

    def said(self, scores: np.ndarray) -> np.ndarray:
        """(B,) the class that is answered."""
        return np.asarray(scores.argmax(-1))

    def decode(
        self,
        scores: np.ndarray,
        labels: Labels | None,
        calibration: Calibration | None = None,
        examples: Examples | None = None,
    ) -> list[dict[str, Any]]:
        assert labels is not None
        probabilities = self.probabilities(scores, calibration)
        return [
            {
                "label": labels[int(i)],
                "probability": float(row[i]),
                "probabilities": dict(zip(labels.names, map(float, row), strict=True)),
            }
            for i, row in zip(self.said(scores), probabilities, strict=True)
        ]

    def measures(
        self, scores: np.ndarray, targets: np.ndarray, calibration: Calibration | None = None
    ) -> dict[str, Measure]:
        return measures.classification(targets, self.said(scores), scores.shape[-1], scores)

    def calibrate(self, scores: np.ndarray, targets: np.ndarray, split: str) -> Calibration:
        """A temperature (Guo et al. 2017) and the quantiles of conformal sets (Sadinle et al. 2019)."""
        scale = Temperature.fit(scores, targets, spread=SPREAD)
        found = scale(scores)
        fitted = quantiles(lambda coverage: Conformal.fit(found, targets, coverage).quantile)
        return Calibration(split, len(targets), temperature=scale.value, conformal=fitted)
