"""Metrics as functions of how often each row counts, which is all that resampling needs.

A measure takes counts (R, n), one resample of the n rows in each of R rows, and returns R values: those the metric
would have if every row stood there as often as it is counted. So 2,000 resamples are a few matrix products, and
leaving a row out is a count of 0. With counts of 1 a measure equals its namesake in `stats.metrics`. Where a metric is
undefined the value is NaN. A measure also knows the range that its values lie in, and a share of rows knows its rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.stats import metrics

Floats = NDArray[np.float64]
Of = Callable[[Floats], Floats]  #: counts (R, n) -> values (R,)


@dataclass(frozen=True, eq=False)
class Measure:
    """A metric of counted rows, with what its interval may use."""

    of: Of
    low: float = -math.inf  #: the smallest value there is
    high: float = math.inf  #: the largest
    parts: tuple[Floats, ...] = ()  #: where it is the mean of the parts' means: of each row a number from 0 to 1
    lower_is_better: bool = False  #: as of an error

    @property
    def shares(self) -> Floats | None:
        """(n,) where all rows are one part, as of accuracy."""
        return self.parts[0] if len(self.parts) == 1 else None

    def __call__(self, counts: Floats) -> Floats:
        return self.of(counts)


def mean(values: ArrayLike, low: float = -math.inf) -> Measure:
    """The mean of a number per row, none below `low`: mae of absolute errors, log loss of surprises."""
    v = np.asarray(values, np.float64)
    return Measure(lambda counts: _divide(counts @ v, counts.sum(1)), low)


def share(values: ArrayLike) -> Measure:
    """The mean of a number from 0 to 1 per row: accuracy of hits."""
    v = np.asarray(values, np.float64)
    return Measure(mean(v).of, 0.0, 1.0, (v,))


def root_mean(values: ArrayLike) -> Measure:
    """The square root of a mean: rmse of squared errors."""
    inner = mean(values)
    return Measure(lambda counts: np.asarray(np.sqrt(inner(counts))), 0.0)


def average(measures: Sequence[Measure]) -> Measure:
    """The mean of several models' figures on the same rows."""
    alike = len({tuple(map(len, m.parts)) for m in measures}) == 1
    parts = tuple(np.mean(part, axis=0) for part in zip(*(m.parts for m in measures), strict=True)) if alike else ()
    low, high = float(np.mean([m.low for m in measures])), float(np.mean([m.high for m in measures]))
    lower = measures[0].lower_is_better
    return Measure(lambda counts: np.mean([measure(counts) for measure in measures], axis=0), low, high, parts, lower)


def difference(a: Measure, b: Measure) -> Measure:
    return Measure(lambda counts: a(counts) - b(counts), a.low - b.high, a.high - b.low)


def error(of: Measure) -> Measure:
    """The same, and the smaller the better."""
    return replace(of, lower_is_better=True)


def gain(of: Measure) -> Measure:
    """The larger the better: an error with its sign turned, all else as it is."""
    return Measure(lambda counts: -of(counts), -of.high, -of.low) if of.lower_is_better else of


def accuracy(targets: ArrayLike, predictions: ArrayLike) -> Measure:
    return share(np.asarray(targets) == np.asarray(predictions))


def balanced_accuracy(targets: ArrayLike, predictions: ArrayLike) -> Measure:
    """The mean recall of the classes that occur in the targets."""
    tables, y = _Classes(targets, predictions), np.asarray(targets)
    right = np.asarray(y == np.asarray(predictions), np.float64)

    def of(counts: Floats) -> Floats:
        hits, _, true = tables(counts)
        return _mean_where(_divide(hits, true), true > 0)

    return Measure(of, 0.0, 1.0, tuple(right[y == c] for c in np.unique(y)))


def f1(targets: ArrayLike, predictions: ArrayLike, average: metrics.Average = "macro", positive: int = 1) -> Measure:
    """F1 as `metrics.f1` averages it."""
    y, p = np.asarray(targets), np.asarray(predictions)
    if average == "binary":
        return ratio(2.0 * ((y == positive) & (p == positive)), 1.0 * (y == positive) + (p == positive), empty=0.0)
    if average == "micro":
        return accuracy(y, p)  # with one label a row, each error is one false positive and one false negative
    tables = _Classes(y, p)

    def of(counts: Floats) -> Floats:
        hits, said, true = tables(counts)
        each = _divide(2 * hits, said + true, 0.0)
        if average == "weighted":
            return _divide((each * true).sum(1), true.sum(1))
        return _mean_where(each, said + true > 0)

    return Measure(of, 0.0, 1.0)


def matthews(targets: ArrayLike, predictions: ArrayLike) -> Measure:
    """Gorodkin's R_K (2004) from the counts of each class; 0 where one side is constant."""
    tables = _Classes(targets, predictions)

    def of(counts: Floats) -> Floats:
        hits, said, true = tables(counts)
        n = counts.sum(1)
        both = hits.sum(1) * n - (said * true).sum(1)
        spread = (n**2 - (said**2).sum(1)) * (n**2 - (true**2).sum(1))
        return _divide(both, np.sqrt(np.maximum(spread, 0.0)), 0.0)

    return Measure(of, -1.0, 1.0)


def kappa(targets: ArrayLike, predictions: ArrayLike) -> Measure:
    """Cohen's kappa of ranks, quadratically weighted (1968): 1 less the mean squared distance over that of two sides
    that know nothing of each other; NaN where both are one and the same rank throughout."""
    y, p = np.asarray(targets, np.float64), np.asarray(predictions, np.float64)

    def of(counts: Floats) -> Floats:
        chance = counts.sum(1) * (counts @ (y**2 + p**2)) - 2 * (counts @ y) * (counts @ p)
        return 1 - _divide(counts.sum(1) * (counts @ (y - p) ** 2), chance)

    return Measure(of, -1.0, 1.0)


def ratio(above: ArrayLike, below: ArrayLike, empty: float = np.nan) -> Measure:
    """Sum over sum, the second at least the first: precision, recall, binary and micro F1."""
    a, b = np.asarray(above, np.float64), np.asarray(below, np.float64)
    return Measure(lambda counts: _divide(counts @ a, counts @ b, empty), 0.0, 1.0)


def labels_f1(targets: ArrayLike, predictions: ArrayLike, average: metrics.LabelsAverage = "macro") -> Measure:
    """F1 of several labels a row as `metrics.labels_f1` averages it."""
    y, p = (np.asarray(side, np.float64) for side in (targets, predictions))
    hits, marks = 2 * y * p, y + p
    if average == "micro":
        return ratio(hits.sum(1), marks.sum(1), empty=0.0)
    if average == "samples":
        return share(_divide(hits.sum(1), marks.sum(1), 0.0))

    def of(counts: Floats) -> Floats:
        each = _divide(counts @ hits, counts @ marks, 0.0)
        if average == "weighted":
            true = counts @ y
            return _divide((each * true).sum(1), true.sum(1), 0.0)
        return np.asarray(each.mean(1))

    return Measure(of, 0.0, 1.0)


def pearson(targets: ArrayLike, predictions: ArrayLike) -> Measure:
    x, y = (_centred(side) for side in (targets, predictions))
    return Measure(lambda counts: _correlation(counts, x[None], y[None]), -1.0, 1.0)


def spearman(targets: ArrayLike, predictions: ArrayLike) -> Measure:
    """Pearson's correlation of the ranks within each resample, ties at their mean rank."""
    ranks = [_Ranked(side) for side in (targets, predictions)]
    return Measure(lambda counts: _correlation(counts, *(side.ranks(counts) for side in ranks)), -1.0, 1.0)


def kendall(targets: ArrayLike, predictions: ArrayLike) -> Measure:
    """tau-b, counted anew for each resample: 2,000 of them on 10,000 rows take seconds."""
    return Measure(of_rows(metrics.kendall, targets, predictions).of, -1.0, 1.0)


def r_squared(targets: ArrayLike, predictions: ArrayLike) -> Measure:
    """1 - residual over total sum of squares; NaN where the targets do not vary."""
    y, p = (np.asarray(side, np.float64) for side in (targets, predictions))
    errors, y = (y - p) ** 2, _centred(y)
    least = SMALL * float((y**2).max(initial=0.0))

    def of(counts: Floats) -> Floats:
        n = counts.sum(1)
        total = counts @ y**2 - _divide((counts @ y) ** 2, n)
        return 1 - _divide(counts @ errors, np.where(total > least * n, total, 0.0))

    return Measure(of, -math.inf, 1.0)


def auc(positive: ArrayLike, scores: ArrayLike) -> Measure:
    """Chance that a positive row scores above a negative one, ties half (Mann and Whitney 1947)."""
    yes, ranked = np.asarray(positive, bool), _Ranked(scores)

    def of(counts: Floats) -> Floats:
        above, below = ranked.groups(counts * yes), ranked.groups(counts * ~yes)
        wins = (above * (below.cumsum(1) - below / 2)).sum(1)
        return _divide(wins, above.sum(1) * below.sum(1))

    return Measure(of, 0.0, 1.0)


def average_precision(positive: ArrayLike, scores: ArrayLike) -> Measure:
    """Sum of precision times the gain in recall, threshold by threshold from the highest score."""
    yes, ranked = np.asarray(positive, bool), _Ranked(-np.asarray(scores, np.float64))

    def of(counts: Floats) -> Floats:
        found, all_ = ranked.groups(counts * yes), ranked.groups(counts)
        precision = _divide(found.cumsum(1), all_.cumsum(1), 0.0)
        return _divide((precision * found).sum(1), found.sum(1))

    return Measure(of, 0.0, 1.0)


def mean_average_precision(targets: ArrayLike, scores: ArrayLike) -> Measure:
    """Average precision of each label that has a true row in the resample, averaged: (n, L) of 0 and 1, and scores."""
    y, s = np.asarray(targets, bool), np.asarray(scores, np.float64)
    labels = [average_precision(y[:, i], s[:, i]) for i in range(y.shape[1])]

    def of(counts: Floats) -> Floats:
        found = np.stack([label(counts) for label in labels], 1)
        return _mean_where(found, ~np.isnan(found))

    return Measure(of, 0.0, 1.0)


def of_rows(metric: Callable[..., float], *sides: ArrayLike) -> Measure:
    """Any metric of rows, called once a resample: slow, and right for what has no closed form (Kendall's tau)."""
    arrays = [np.asarray(side) for side in sides]

    def of(counts: Floats) -> Floats:
        picked = (np.repeat(np.arange(counts.shape[1]), row.astype(np.int64)) for row in counts)
        return np.array([metric(*(side[rows] for side in arrays)) for rows in picked])

    return Measure(of)


def ranks(targets: ArrayLike, predictions: ArrayLike) -> dict[str, Measure]:
    """What is told of classes in an order beside `classification`: kappa, and mae in ranks."""
    y, p = np.asarray(targets, np.float64), np.asarray(predictions, np.float64)
    return {"kappa": kappa(y, p), "mae": error(mean(np.abs(y - p), low=0.0))}


def classification(
    targets: ArrayLike, predictions: ArrayLike, classes: int, scores: ArrayLike | None = None
) -> dict[str, Measure]:
    """accuracy, f1_macro, mcc, balanced_accuracy; with two classes also f1, that of the second class, and where scores
    (n, 2) are given its auc and average_precision. All in [0, 1], mcc in [-1, 1]."""
    y, p = np.asarray(targets), np.asarray(predictions)
    seen = np.concatenate([y, p])
    assert ((seen >= 0) & (seen < classes)).all(), f"class indices outside 0..{classes - 1}"
    found = {
        "accuracy": accuracy(y, p),
        "f1_macro": f1(y, p, "macro"),
        "mcc": matthews(y, p),
        "balanced_accuracy": balanced_accuracy(y, p),
    }
    if classes == 2:
        found["f1"] = f1(y, p, "binary")
    if classes == 2 and scores is not None:
        s = np.asarray(scores, np.float64)
        found["auc"] = auc(y == 1, s[:, 1] - s[:, 0])
        found["average_precision"] = average_precision(y == 1, s[:, 1] - s[:, 0])
    return found


def multi_label(targets: ArrayLike, predictions: ArrayLike, scores: ArrayLike | None = None) -> dict[str, Measure]:
    """f1_macro, f1_micro, f1_weighted, f1_samples, exact_match, hamming_loss; where scores are given
    mean_average_precision. All in [0, 1].

    targets, predictions: (n, L) of 0 and 1; scores: (n, L), in the order of any probability. exact_match: share of rows
    whose labels are all right, which a row without labels can be too; hamming_loss: share of wrong decisions.
    """
    y, p = np.asarray(targets, bool), np.asarray(predictions, bool)
    averages: tuple[metrics.LabelsAverage, ...] = ("macro", "micro", "weighted", "samples")
    return {
        **{f"f1_{average}": labels_f1(y, p, average) for average in averages},
        "exact_match": share((y == p).all(1)),
        "hamming_loss": error(share((y != p).mean(1))),
        **({} if scores is None else {"mean_average_precision": mean_average_precision(y, scores)}),
    }


def regression(targets: ArrayLike, predictions: ArrayLike) -> dict[str, Measure]:
    """pearson, spearman, the mean absolute and mean squared error (mae, mse) in the targets' units, and r_squared."""
    errors = np.asarray(targets, np.float64) - np.asarray(predictions, np.float64)
    return {
        "pearson": pearson(targets, predictions),
        "spearman": spearman(targets, predictions),
        "mae": error(mean(np.abs(errors), low=0.0)),
        "mse": error(mean(errors**2, low=0.0)),
        "r_squared": r_squared(targets, predictions),
    }


def values(measures: Mapping[str, Measure], rows: int) -> dict[str, float]:
    """Each measure on the rows as they are."""
    return {name: float(measure(np.ones((1, rows)))[0]) for name, measure in measures.items()}


class _Classes:
    """counts (R, n) -> true positives, predictions and targets of each class, (R, C) each."""

    def __init__(self, targets: ArrayLike, predictions: ArrayLike) -> None:
        from scipy import sparse

        y, p = np.asarray(targets), np.asarray(predictions)
        names, found = np.unique(np.concatenate([y, p]), return_inverse=True)
        y, p = np.split(found, 2)
        rows = np.arange(len(y))
        shape = (len(names), len(y))
        self.said, self.true = (sparse.csr_array((np.ones(len(y)), (side, rows)), shape=shape) for side in (p, y))
        self.hits = sparse.csr_array((1.0 * (y == p), (y, rows)), shape=shape)

    def __call__(self, counts: Floats) -> tuple[Any, Any, Any]:
        return tuple((side @ counts.T).T for side in (self.hits, self.said, self.true))


class _Ranked:
    """A side sorted once, with ties as groups."""

    def __init__(self, side: ArrayLike) -> None:
        values = np.asarray(side, np.float64)
        self.order = np.argsort(values, kind="stable")
        first = np.flatnonzero(np.diff(values[self.order], prepend=np.nan) != 0)
        self.first = first
        self.group = np.empty(len(values), np.int64)
        self.group[self.order] = np.cumsum(np.bincount(first, minlength=len(values))) - 1

    def groups(self, counts: Floats) -> Floats:
        """(R, n) -> (R, G): how many rows each group of equal values has, from the smallest value."""
        return np.asarray(np.add.reduceat(counts[:, self.order], self.first, axis=1))

    def ranks(self, counts: Floats) -> Floats:
        """(R, n): the rank that each row's value has in its resample."""
        sizes = self.groups(counts)
        middle = sizes.cumsum(1) - (sizes - 1) / 2
        return np.asarray(middle[:, self.group])


SMALL = 1e-24  #: a mean square below so much of the largest square is rounding: the side does not vary


def _centred(side: ArrayLike) -> Floats:
    """Less its mean: far from zero, sums of squares would lose the spread. Zeros where all are one number."""
    x = np.asarray(side, np.float64)
    return x - x.mean() if len(x) and np.ptp(x) > 0 else np.zeros_like(x)


def _correlation(counts: Floats, x: Floats, y: Floats) -> Floats:
    """Pearson's r with weights; x and y are (1, n) or (R, n). NaN where a side does not vary."""
    n = counts.sum(1, keepdims=True)
    least = [SMALL * n[:, 0] * (side**2).max(1, initial=0.0) for side in (x, y)]
    x, y = (side - (counts * side).sum(1, keepdims=True) / n for side in (x, y))
    xx, yy, xy = ((counts * a * b).sum(1) for a, b in ((x, x), (y, y), (x, y)))
    return _divide(xy, np.where((xx > least[0]) & (yy > least[1]), np.sqrt(xx) * np.sqrt(yy), 0.0))


def _divide(above: Any, below: Any, empty: float = np.nan) -> Floats:
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    out = np.full(np.broadcast_shapes(above.shape, below.shape), empty)
    return np.divide(above, below, out=out, where=below != 0)


def _mean_where(values: Floats, chosen: NDArray[np.bool_]) -> Floats:
    return _divide(np.where(chosen, values, 0.0).sum(1), chosen.sum(1))
