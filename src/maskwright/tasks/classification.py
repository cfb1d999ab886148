"""One class for each text or pair of texts (Devlin et al. 2019, section 4.1)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from maskwright.data.labels import Labels
from maskwright.data.table import Table
from maskwright.stats import metrics
from maskwright.tasks._label_set import LabelSetTask
from maskwright.tasks._task import Examples


class Classification(LabelSetTask):
    """Cross-entropy over the classes found in the training rows; the prediction is the likeliest class."""

    main: ClassVar[str] = "accuracy"
    problem: ClassVar[str] = "single_label_classification"

    def discover(self, table: Table) -> Labels:
        return self.label_set(self.named(table.column(self.label), table.where), table.where)

    def strata(self, examples: Examples) -> np.ndarray | None:
        return examples.targets

    def targets(self, table: Table, labels: Labels | None) -> np.ndarray:
        assert labels is not None
        return labels.encode(self.named(table.column(self.label), table.where), table.where)

    def loss(self, scores: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(scores.float(), targets, reduction="sum")

    def decode(self, scores: np.ndarray, labels: Labels | None) -> list[dict[str, Any]]:
        assert labels is not None
        probabilities = torch.from_numpy(scores).double().softmax(-1).numpy()
        best = probabilities.argmax(-1)
        return [
            {
                "label": labels[int(i)],
                "probability": float(row[i]),
                "probabilities": dict(zip(labels.names, map(float, row), strict=True)),
            }
            for i, row in zip(best, probabilities, strict=True)
        ]

    def metrics(self, scores: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        return metrics.classification(targets, scores.argmax(-1), scores.shape[-1])
