"""What to do with a probability: answer or not, which labels, how many of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.base.errors import UserError
from maskwright.stats.measures import Floats


@dataclass(frozen=True)
class RiskCoverage:
    """Answering only the surest rows: the share answered, and the share of errors among those."""

    coverage: Floats  #: (K,) rising
    risk: Floats  #: (K,)
    threshold: Floats  #: (K,) the confidence from which on rows are answered

    @property
    def area(self) -> float:
        """AURC (Geifman et al. 2019): the mean risk over all coverages; smaller is better."""
        return float((np.diff(self.coverage, prepend=0.0) * self.risk).sum())

    def at(self, risk: float) -> tuple[float, float]:
        """(threshold, coverage) that answer most rows with no more than `risk`; (inf, 0) where none does."""
        some = np.flatnonzero(self.risk <= risk)
        return (math.inf, 0.0) if not len(some) else (float(self.threshold[some[-1]]), float(self.coverage[some[-1]]))


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> RiskCoverage:
    """(n,) confidences and hits; rows of equal confidence are answered together (El-Yaniv and Wiener 2010)."""
    p, wrong = np.asarray(confidence, np.float64), ~np.asarray(correct, bool)
    if not len(p):
        raise UserError("There are no rows to judge; give at least one.")
    order = np.argsort(-p, kind="stable")
    last = np.flatnonzero(np.append(np.diff(p[order]) != 0, True))
    answered = last + 1
    return RiskCoverage(answered / len(p), np.cumsum(wrong[order])[last] / answered, p[order][last])


@dataclass(frozen=True)
class Conformal:
    """Sets of labels that hold the true one in `coverage` of all rows like those it was fitted on.

    "least": labels of at least 1 - quantile (Sadinle et al. 2019): the smallest sets on average. "adaptive": the most
    probable labels up to a sum (Romano et al. 2020, without their randomisation): larger sets where the model is
    unsure. The promise is marginal: over all rows together, not for each class.
    """

    quantile: float
    coverage: float
    kind: Literal["least", "adaptive"] = "least"

    @classmethod
    def fit(
        cls,
        probabilities: ArrayLike,
        targets: ArrayLike,
        coverage: float = 0.9,
        kind: Literal["least", "adaptive"] = "least",
    ) -> Self:
        """Split conformal prediction (Vovk et al. 2005; Angelopoulos and Bates 2023, section 1)."""
        if not 0 < coverage < 1:
            raise UserError(f"A coverage of {coverage} was asked for; allowed is more than 0 and less than 1.")
        p, y = np.asarray(probabilities, np.float64), np.asarray(targets)
        scores = np.sort(_strangeness(p, kind)[np.arange(len(y)), y])
        rank = _rank(len(y), coverage)
        return cls(float(scores[rank - 1]) if rank <= len(y) else math.inf, coverage, kind)

    def __call__(self, probabilities: ArrayLike) -> NDArray[np.bool_]:
        """(n, C) -> (n, C), True for the labels of each row's set."""
        return np.asarray(_strangeness(np.asarray(probabilities, np.float64), self.kind) <= self.quantile + 1e-12)


def _rank(rows: int, coverage: float) -> int:
    """Of one more than the rows, since the row to come is one of them."""
    return math.ceil((rows + 1) * coverage)


def least_rows(coverage: float) -> int:
    """How many rows it takes to fit sets that leave any label out."""
    return next(rows for rows in count(1) if _rank(rows, coverage) <= rows)


def _strangeness(p: Floats, kind: str) -> Floats:
    """(n, C): how ill each label fits; the set is those up to the quantile."""
    if kind == "least":
        return 1 - p
    order = np.argsort(-p, axis=1, kind="stable")
    sums = np.cumsum(np.take_along_axis(p, order, 1), axis=1)
    out = np.empty_like(p)
    np.put_along_axis(out, order, sums, 1)
    return out


def best_threshold(probabilities: ArrayLike, positive: ArrayLike) -> tuple[float, float]:
    """(threshold, F1): say yes from there on, and F1 is largest on these rows; of equals the one nearest to 0.5.

    Thresholds lie midway between neighbouring probabilities. Without a positive row it is 0.5.
    """
    p, y = np.asarray(probabilities, np.float64), np.asarray(positive, bool)
    if not y.any():
        return 0.5, 0.0
    order = np.argsort(-p, kind="stable")
    last = np.flatnonzero(np.append(np.diff(p[order]) != 0, True))
    hits = np.cumsum(y[order])[last]
    scores = 2 * hits / (last + 1 + y.sum())
    ranked = p[order][last]
    between = (ranked + np.append(ranked[1:], 0.0)) / 2
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    chosen = best[np.abs(between[best] - 0.5).argmin()]
    return float(between[chosen]), float(scores[chosen])


def label_thresholds(probabilities: ArrayLike, targets: ArrayLike) -> list[float]:
    """One threshold for each label of a multi-label task: (n, L) probabilities and 0 / 1 targets."""
    p, y = np.asarray(probabilities, np.float64), np.asarray(targets, bool)
    return [best_threshold(p[:, i], y[:, i])[0] for i in range(p.shape[1])]
