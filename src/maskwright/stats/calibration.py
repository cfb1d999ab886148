"""Do probabilities mean what they say? Measures of it, and maps that mend it.

Probabilities are (n, C), each row summing to 1, where targets are (n,) class indices; and each label's own where
targets are (n, C) of 0 and 1, several labels a row. A map is fitted on rows that no reported figure uses.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.base.errors import UserError
from maskwright.stats.measures import Floats

BINS = 15


@dataclass(frozen=True)
class Curve:
    """A reliability curve: in each bin how sure the model was, and how often it was right."""

    confidence: Floats  #: (K,) mean confidence
    accuracy: Floats  #: (K,) share of hits
    count: NDArray[np.int64]  #: (K,) rows

    @property
    def error(self) -> float:
        """Expected calibration error: the mean gap of the bins, weighted by their rows."""
        return float((self.count * np.abs(self.accuracy - self.confidence)).sum() / self.count.sum())

    def plain(self) -> dict[str, list[float]]:
        return {name: getattr(self, name).tolist() for name in ("confidence", "accuracy", "count")}


def reliability(
    confidence: ArrayLike, correct: ArrayLike, bins: int = BINS, by: Literal["mass", "width"] = "mass"
) -> Curve:
    """Bins of equally many rows ("mass"; Nguyen and O'Connor 2015) or of equal width (Guo et al. 2017, equation 3).

    Rows of equal confidence stay in one bin. Empty bins are left out.
    """
    p, hit = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    if not len(p):
        raise UserError("There are no rows to judge; give at least one.")
    bin_ = _by_mass(p, bins) if by == "mass" else np.minimum((p * bins).astype(np.int64), bins - 1)
    count = np.bincount(bin_, minlength=bins)
    some = count > 0
    sums = [np.bincount(bin_, weights=side, minlength=bins)[some] / count[some] for side in (p, hit)]
    return Curve(sums[0], sums[1], count[some])


def _by_mass(values: Floats, bins: int) -> NDArray[np.int64]:
    """(n,) the bin of each, all of about equally many; equal values have as many below them, so they share a bin."""
    return np.searchsorted(np.sort(values), values, side="left") * bins // len(values)


def confidence(
    probabilities: ArrayLike, targets: ArrayLike, said: ArrayLike | None = None
) -> tuple[Floats, NDArray[np.bool_]]:
    """(n,) the probability of each row's answer, and whether it is right. Of several labels a row (n * C,): the
    probability of each of them, and whether the row has it.

    said: (n,) the answers, where they are not the likeliest classes.
    """
    p, y = np.asarray(probabilities, np.float64), np.asarray(targets)
    if y.ndim > 1:
        return p.ravel(), y.ravel() > 0
    answers = p.argmax(1) if said is None else np.asarray(said)
    return p[np.arange(len(p)), answers], answers == y


def expected_error(probabilities: ArrayLike, targets: ArrayLike, bins: int = BINS) -> float:
    """ECE of the answers, or of all labels, in bins of equal mass."""
    return reliability(*confidence(probabilities, targets), bins).error


def error_by_chance(confidence: ArrayLike, bins: int = BINS, draws: int = 200, seed: int = 0) -> Floats:
    """(draws,) the ECE that a model which is never off shows on rows of these confidences.

    It is not 0: few rows of a bin are not right as often as they are expected to be. (Consistency resampling, Broecker
    and Smith 2007.) Labels of one row are drawn apart from one another; where some come together, chance does more.
    """
    p = np.asarray(confidence, np.float64)
    bin_, random = _by_mass(p, bins), np.random.default_rng([seed, len(p)])
    hits = (random.random(len(p)) < p for _ in range(draws))
    gaps = [np.abs(np.bincount(bin_, weights=hit - p)).sum() / len(p) for hit in hits]
    return np.array(gaps)


def adaptive_error(probabilities: ArrayLike, targets: ArrayLike, bins: int = BINS) -> float:
    """ACE: each class's probability judged on its own, in bins of equal mass, all bins alike (Nixon et al. 2019)."""
    p = np.asarray(probabilities, np.float64)
    truth, gaps = _truth(p, targets), []
    for c in range(p.shape[1]):
        curve = reliability(p[:, c], truth[:, c], bins)
        gaps.append(np.abs(curve.accuracy - curve.confidence).mean())
    return float(np.mean(gaps))


def log_loss(probabilities: ArrayLike, targets: ArrayLike) -> Floats:
    """(n,) surprise of each row, -log of what its true class was given, in nats; of several labels a row the mean over
    them, of a yes or of a no."""
    p, y = np.asarray(probabilities, np.float64), np.asarray(targets)
    true = p[np.arange(len(y)), y] if y.ndim == 1 else np.where(y > 0, p, 1 - p)
    surprise = -np.log(np.maximum(true, np.finfo(np.float64).tiny))
    return np.asarray(surprise if y.ndim == 1 else surprise.mean(1))


def brier(probabilities: ArrayLike, targets: ArrayLike) -> Floats:
    """(n,) squared distance of each row from its true class (Brier 1950): 0 to 2; of several labels a row the mean over
    them: 0 to 1."""
    p = np.asarray(probabilities, np.float64)
    return _over_classes((p - _truth(p, targets)) ** 2, targets)


def _truth(p: Floats, targets: ArrayLike) -> Floats:
    """(n, C) 1 where a row has the class or label."""
    y = np.asarray(targets)
    return np.asarray(y[:, None] == np.arange(p.shape[1]) if y.ndim == 1 else y > 0, np.float64)


def _over_classes(values: Floats, targets: ArrayLike) -> Floats:
    """The sum over exclusive classes, which is how Brier counts them, and the mean over any number of labels."""
    return np.asarray(values.sum(-1) if np.ndim(targets) == 1 else values.mean(-1))


@dataclass(frozen=True)
class Decomposition:
    """Brier = reliability - resolution + uncertainty + within, all over the bins (Stephenson et al. 2008).

    reliability: how far off the bins are (0 is best); resolution: how far apart their hit rates are (more is better);
    uncertainty: of the classes themselves; within: what binning hides.
    """

    reliability: float
    resolution: float
    uncertainty: float
    within: float

    @property
    def total(self) -> float:
        return self.reliability - self.resolution + self.uncertainty + self.within


def decompose(probabilities: ArrayLike, targets: ArrayLike, bins: int = BINS) -> Decomposition:
    """The parts of the mean Brier score, class by class in bins of equal mass, and taken together as `brier` does
    (Murphy 1973)."""
    p = np.asarray(probabilities, np.float64)
    truth, parts = _truth(p, targets), np.zeros((4, p.shape[1]))
    for c in range(p.shape[1]):
        q, hit = p[:, c], truth[:, c]
        found, bin_ = np.unique(_by_mass(q, bins), return_inverse=True)
        share = np.bincount(bin_, minlength=len(found)) / len(q)
        said, was = (np.bincount(bin_, weights=side) / len(q) / share for side in (q, hit))
        base = hit.mean()
        reliable, resolved = (share * (said - was) ** 2).sum(), (share * (was - base) ** 2).sum()
        whole = ((q - hit) ** 2).mean()
        parts[:, c] = reliable, resolved, base * (1 - base), whole - reliable + resolved - base * (1 - base)
    return Decomposition(*map(float, _over_classes(parts, targets)))


@dataclass(frozen=True)
class Temperature:
    """softmax(scores / T) (Guo et al. 2017, section 4.2): one number, and no order changes.

    `fit` also finds the T of several labels a row, whose probabilities are each label's own sigmoid(score / T).
    """

    value: float = 1.0

    @classmethod
    def fit(cls, scores: ArrayLike, targets: ArrayLike, spread: float | None = None) -> Self:
        """The T of the smallest log loss; scores (n, C) are logits. Between 1/100 and 100. Targets (n, C) of 0 and 1
        are several labels a row.

        spread: how far log T is expected to lie from 0 before a row is seen, as the standard deviation of a normal
        prior. On few rows, all of them right, the smallest loss is at T = 0; the prior keeps it near 1, and many rows
        do not feel it.
        """
        z, y = np.asarray(scores, np.float64), np.asarray(targets)

        def loss(t: float) -> float:
            if y.ndim == 1:
                return float(log_loss(softmax(z / t), y).sum())
            return float(np.logaddexp(0, np.where(y > 0, -z, z) / t).sum())

        return cls.smallest(loss, len(y), spread)

    @classmethod
    def smallest(cls, loss: Callable[[float], float], rows: int, spread: float | None = None) -> Self:
        """The T of the smallest `loss(T)`, a sum over so many rows; `spread` as in `fit`."""
        from scipy.optimize import minimize_scalar

        if not rows:
            raise UserError("A temperature is fitted on held-out rows, and there are none.")

        def of_log(log_t: float) -> float:
            prior = 0.0 if spread is None else (log_t / spread) ** 2 / 2
            return (loss(math.exp(log_t)) + prior) / rows

        bounds = (-math.log(100), math.log(100))
        return cls(math.exp(float(minimize_scalar(of_log, bounds=bounds, method="bounded", options={"xatol": 1e-8}).x)))

    def __call__(self, scores: ArrayLike) -> Floats:
        return softmax(np.asarray(scores, np.float64) / self.value)


@dataclass(frozen=True)
class Platt:
    """1 / (1 + exp(a s + b)) of a score (Platt 1999), with his smoothed targets."""

    a: float
    b: float

    @classmethod
    def fit(cls, scores: ArrayLike, positive: ArrayLike) -> Self:
        """scores: (n,) of the positive class; positive: (n,) bool."""
        from scipy.optimize import minimize

        s, y = np.asarray(scores, np.float64), np.asarray(positive, bool)
        yes, no = y.sum(), (~y).sum()
        if not yes or not no:
            raise UserError("Platt's map needs held-out rows of both classes.")
        wanted = np.where(y, (yes + 1) / (yes + 2), 1 / (no + 2))

        def loss(ab: Floats) -> tuple[float, Floats]:
            z = ab[0] * s + ab[1]
            p = _sigmoid(-z)
            value = np.logaddexp(0, z) - (1 - wanted) * z
            return float(value.sum()), np.array([(s * (wanted - p)).sum(), (wanted - p).sum()])

        start = np.array([0.0, math.log((no + 1) / (yes + 1))])
        found: Any = minimize(loss, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-8, "ftol": 1e-14})
        return cls(*map(float, found.x))

    def __call__(self, scores: ArrayLike) -> Floats:
        return _sigmoid(-(self.a * np.asarray(scores, np.float64) + self.b))


@dataclass(frozen=True)
class Isotonic:
    """A rising step map from scores to probabilities (Zadrozny and Elkan 2002), by scikit-learn."""

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    @classmethod
    def fit(cls, scores: ArrayLike, positive: ArrayLike) -> Self:
        from sklearn.isotonic import IsotonicRegression

        found = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        found.fit(np.asarray(scores, np.float64), np.asarray(positive, np.float64))
        return cls(tuple(map(float, found.X_thresholds_)), tuple(map(float, found.y_thresholds_)))

    def __call__(self, scores: ArrayLike) -> Floats:
        return np.asarray(np.interp(np.asarray(scores, np.float64), self.scores, self.probabilities))


def softmax(scores: ArrayLike) -> Floats:
    """(..., C) -> (..., C), each row summing to 1."""
    z = np.asarray(scores, np.float64)
    e = np.exp(z - z.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)))
