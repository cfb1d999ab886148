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
from maskwright.tasks._task import Examples, Task


class Classification(Task):
    """Cross-entropy over the classes found in the training rows; the prediction is the likeliest class."""

    head: ClassVar[str] = "classification"
    main: ClassVar[str] = "accuracy"

    def discover(self, table: Table) -> Labels:
        return Labels.discover(table.column(self.label), table.where)

    def strata(self, examples: Examples) -> np.ndarray | None:
        return examples.targets

    def targets(self, table: Table, labels: Labels | None) -> np.ndarray:
        assert labels is not None
        return labels.encode(table.column(self.label), table.where)

    def classes(self, labels: Labels | None) -> int:
        assert labels is not None
        return len(labels)

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

    def describe(self, labels: Labels | None) -> dict[str, Any]:
        assert labels is not None
        return {
            "id2label": {str(i): name for i, name in enumerate(labels.names)},
            "label2id": {name: i for i, name in enumerate(labels.names)},
            "problem_type": "single_label_classification",
        }
