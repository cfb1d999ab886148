"""Metrics of classification, several labels a row, and regression: `metric(targets, predictions) -> float`.

They are thin over scikit-learn and scipy. Arrays are one-dimensional and of one length, classes are indices; several
labels a row are 0 and 1, (rows, labels). A metric that is undefined on its input is NaN, never a number that looks like
a result: a correlation needs two rows and variation on both sides. (MCC has a convention for that case, 0.0, and keeps
it.) Whoever prints a NaN writes "undefined".

scipy and scikit-learn are imported where they are called: together they take a second, which a prediction from the
command line would otherwise wait for.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.base.errors import UserError

Average = Literal["macro", "micro", "weighted", "binary"]
LabelsAverage = Literal["macro", "micro", "weighted", "samples"]


def accuracy(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Share of rows where the prediction is the target."""
    y, p = _pair(targets, predictions)
    return float(np.mean(y == p))


def f1(targets: ArrayLike, predictions: ArrayLike, average: Average = "macro", positive: int = 1) -> float:
    """F1, the harmonic mean of precision and recall.

    macro: mean over the classes that occur in targets or predictions; micro: over all decisions; weighted: mean by
    the classes' counts in the targets; binary: of the class `positive` alone. 0.0 where a class has no true positive.
    """
    from sklearn import metrics

    y, p = _pair(targets, predictions)
    if average == "binary":
        y, p = y == positive, p == positive
    return float(metrics.f1_score(y, p, average=average, zero_division=0.0))


def labels_f1(targets: ArrayLike, predictions: ArrayLike, average: LabelsAverage = "macro") -> float:
    """F1 of several labels a row, (n, L) of 0 and 1 on both sides.

    macro: mean over the labels; micro: over all decisions; weighted: mean by the labels' counts in the targets;
    samples: mean over the rows. A label without a true positive has 0.0, also one with neither true nor predicted rows;
    for samples so has a row. (That is scikit-learn's zero_division=0; it refuses L = 1, which is counted here.)
    """
    y, p = _marks(targets, predictions)
    axis = {"micro": None, "samples": 1}.get(average, 0)
    each = 2 * (y & p).sum(axis) / np.maximum(y.sum(axis) + p.sum(axis), 1)
    return float((each * y.sum(0)).sum() / max(y.sum(), 1)) if average == "weighted" else float(np.mean(each))


def mean_average_precision(targets: ArrayLike, scores: ArrayLike) -> float:
    """Average precision of each label that has a true row, averaged; NaN when none has. (n, L): 0 and 1, and scores."""
    from sklearn import metrics

    y, s = np.asarray(targets, bool), np.asarray(scores, np.float64)
    found = [metrics.average_precision_score(y[:, i], s[:, i]) for i in np.flatnonzero(y.any(0))]
    return float(np.mean(found)) if found else float("nan")


def matthews(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Matthews correlation coefficient (for more than two classes Gorodkin's R_K); 0.0 when one side is constant."""
    from sklearn import metrics

    y, p = _pair(targets, predictions)
    return float(metrics.matthews_corrcoef(y, p)) if _varies(y) and _varies(p) else 0.0


def pearson(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Linear correlation; NaN when undefined (a constant side, one row, a NaN in the input)."""
    from scipy import stats

    y, p = _pair(targets, predictions)
    return float(stats.pearsonr(y, p).statistic) if _varies(y) and _varies(p) else float("nan")


def spearman(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Correlation of ranks, ties at their mean rank; NaN when undefined (a constant side, one row, a NaN)."""
    from scipy import stats

    y, p = _pair(targets, predictions)
    return float(stats.spearmanr(y, p).statistic) if _varies(y) and _varies(p) else float("nan")


def kendall(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Kendall's tau-b, the share of pairs of rows in the same order less that in the other; NaN as for `spearman`."""
    from scipy import stats

    y, p = _pair(targets, predictions)
    return float(stats.kendalltau(y, p).statistic) if _varies(y) and _varies(p) else float("nan")


def balanced_accuracy(targets: ArrayLike, predictions: ArrayLike) -> float:
    """The mean recall of the classes that occur in the targets."""
    from sklearn import metrics

    y, p = _pair(targets, predictions)
    return float(metrics.recall_score(y, p, labels=np.unique(y), average="macro", zero_division=0.0))


def auc(positive: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve: how often a positive row scores above another; NaN unless there are both."""
    from sklearn import metrics

    y, s = _pair(np.asarray(positive, bool), scores)
    return float(metrics.roc_auc_score(y, s)) if _varies(y) else float("nan")


def average_precision(positive: ArrayLike, scores: ArrayLike) -> float:
    """Area under precision over recall, in steps; NaN without a positive row."""
    from sklearn import metrics

    y, s = _pair(np.asarray(positive, bool), scores)
    return float(metrics.average_precision_score(y, s)) if y.any() else float("nan")


def r_squared(targets: ArrayLike, predictions: ArrayLike) -> float:
    """The share of the targets' variance that the predictions leave no error in, below 0 where the mean would err
    less; NaN where the targets do not vary."""
    from sklearn import metrics

    y, p = _pair(targets, predictions)
    return float(metrics.r2_score(y, p)) if _varies(y) else float("nan")


def _pair(targets: ArrayLike, predictions: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    y, p = np.asarray(targets), np.asarray(predictions)
    assert y.shape == p.shape == (y.size,), f"targets {y.shape} and predictions {p.shape} must be one row each"
    if not len(y):
        raise UserError("There are no rows to judge; give at least one.")
    return y, p


def _marks(targets: ArrayLike, predictions: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    y, p = np.asarray(targets, bool), np.asarray(predictions, bool)
    assert y.ndim == 2, f"targets {y.shape} must be (rows, labels)"
    assert y.shape == p.shape, f"targets {y.shape} and predictions {p.shape} must be of one shape"
    if not len(y):
        raise UserError("There are no rows to judge; give at least one.")
    return y, p


def _varies(side: NDArray[Any]) -> bool:
    return not np.isnan(side).any() and bool((side != side[0]).any())
