"""Classes in an order, such as one to five stars: what is further off is a worse answer (CORN, Shi et al. 2023).

Ranks 0 to K - 1, outputs f_1 to f_{K-1}: `sigmoid(f_k)` is the chance of a rank of k or more where it is k - 1 or more,
so P(y >= k) is the product of the first k of them, and never grows with k. The loss is the negative logarithm of the
chance of the true rank, a continuation-ratio model (McCullagh 1980): a row of rank y trains the outputs up to y + 1.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor

from maskwright.base.errors import UserError
from maskwright.data.labels import Labels
from maskwright.data.table import Table
from maskwright.stats import measures
from maskwright.stats.measures import Measure
from maskwright.tasks._calibration import Calibration
from maskwright.tasks._given import Given, Inputs
from maskwright.tasks.classification import Classification


class Ordinal(Classification):
    """Negative log-likelihood of a rank; the prediction is the median rank, which has the smallest expected distance.

    What is kept of the network are the logarithms of the ranks' chances, so all that classes have, these have too.
    """

    main: ClassVar[str] = "kappa"
    problem: ClassVar[str] = "ordinal"

    order: tuple[str, ...] | None = Field(
        None, description="ordinal: the labels from the lowest to the highest; numbers need none"
    )

    @field_validator("order", mode="before")
    @classmethod
    def _parted(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("order")
    @classmethod
    def _checked_order(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        again = [name for name, count in Counter(value or ()).items() if count > 1]
        if again:
            raise UserError(f"task.order has {again[0]!r} more than once; name each label once, the lowest first.")
        return value

    def discover(self, table: Table) -> Labels:
        """Raises UserError for labels that are no numbers where no order is given, and for others than the given."""
        found = super().discover(table)
        if self.order is not None:
            strange = [name for name in found.names if name not in self.order]
            if strange:
                raise UserError(f"{table.source}: task.order does not have the label {strange[0]!r}.")
            absent = [name for name in self.order if name not in found.names]
            if absent:
                raise UserError(f"{table.source}: no row has the label {absent[0]!r} of task.order.")
            return Labels(self.order)
        if self.names is not None:
            return found
        ranks = {name: _number(name) for name in found.names}
        words = [name for name, rank in ranks.items() if rank is None]
        if words:
            raise UserError(
                f"{table.source}: the label {words[0]!r} is no number, so nothing says where it stands. Give the "
                f"labels from the lowest to the highest: --set task.order={','.join(found.names)} (in their order)."
            )
        ordered = sorted(ranks, key=lambda name: ranks[name] or 0.0)
        same = next(((one, two) for one, two in pairwise(ordered) if ranks[one] == ranks[two]), None)
        if same is not None:
            raise UserError(
                f"{table.source}: the labels {same[0]!r} and {same[1]!r} are one number, and each would be a rank. "
                "Write it in one way."
            )
        return Labels(tuple(ordered))

    @property
    def otherwise(self) -> str:
        return "the outputs are questions, whether the rank is higher, which its pipeline takes for classes"

    def classes(self, labels: Labels | None) -> int:
        return self.width(labels) - 1

    def width(self, labels: Labels | None) -> int:
        assert labels is not None
        return len(labels)

    def loss(self, scores: Tensor, targets: Tensor, given: Given | None = None) -> Tensor:
        """scores: (B, K - 1); targets: (B,)."""
        steps = torch.arange(scores.shape[-1], device=scores.device)
        passed = (targets[:, None] > steps).float()
        asked = targets[:, None] >= steps
        each = F.binary_cross_entropy_with_logits(scores.float(), passed, reduction="none")
        return each[asked].sum()

    def condensed(self, scores: np.ndarray, inputs: Inputs) -> np.ndarray:
        """(B, K) float32: the logarithm of each rank's chance."""
        f = scores.astype(np.float64)
        passed = np.cumsum(-np.logaddexp(0, -f), axis=1)  # log P(y >= k), k from 1
        stays = -np.logaddexp(0, f)
        zero = np.zeros((len(f), 1))
        return (np.hstack([zero, passed]) + np.hstack([stays, zero])).astype(np.float32)

    def said(self, scores: np.ndarray) -> np.ndarray:
        """(B,) the highest rank that is reached with a chance of more than a half."""
        p = self.probabilities(scores)
        reached = np.cumsum(p[:, ::-1], axis=1)[:, ::-1]  # P(y >= k), k from 0
        return np.asarray((reached[:, 1:] > 0.5).sum(1))

    def measures(
        self, scores: np.ndarray, targets: np.ndarray, calibration: Calibration | None = None
    ) -> dict[str, Measure]:
        """kappa, quadratically weighted (Cohen 1968), mae in ranks, and what classes have."""
        return {**measures.ranks(targets, self.said(scores)), **super().measures(scores, targets, calibration)}

    def describe(self, labels: Labels | None) -> dict[str, Any]:
        """Each output is a question: whether the rank is above this one, if it is not below it."""
        assert labels is not None
        names = [f"> {name}" for name in labels.names[:-1]]
        return {
            "id2label": {str(i): name for i, name in enumerate(names)},
            "label2id": {name: i for i, name in enumerate(names)},
        }


def _number(name: str) -> float | None:
    try:
        found = float(name)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
