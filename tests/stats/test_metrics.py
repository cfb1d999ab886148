from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from maskwright.base.errors import UserError
from maskwright.stats import metrics

columns = st.integers(2, 40).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 3), min_size=n, max_size=n) for _ in range(2)])
)
scores = st.floats(-100, 100).map(lambda x: round(x, 3))
numbers = st.integers(3, 40).flatmap(
    lambda n: st.tuples(*[st.lists(scores, min_size=n, max_size=n).filter(lambda v: len(set(v)) > 1) for _ in range(2)])
)


@pytest.mark.filterwarnings("ignore:A single label")  # scikit-learn, asked directly
@given(columns)
def test_classification_equals_scikit_learn(pair):
    y, p = pair
    assert metrics.accuracy(y, p) == pytest.approx(sk.accuracy_score(y, p), abs=1e-12)
    assert metrics.f1(y, p) == pytest.approx(sk.f1_score(y, p, average="macro", zero_division=0), abs=1e-12)
    assert metrics.matthews(y, p) == pytest.approx(sk.matthews_corrcoef(y, p), abs=1e-12)
    with warnings.catch_warnings():  # its own has a warning for an answer that no row truly is
        warnings.simplefilter("ignore")
        assert metrics.balanced_accuracy(y, p) == pytest.approx(sk.balanced_accuracy_score(y, p), abs=1e-12)
    for average in ("micro", "weighted"):
        expected = sk.f1_score(y, p, average=average, zero_division=0)
        assert metrics.f1(y, p, average) == pytest.approx(expected, abs=1e-12)


@given(columns)
def test_f1_of_one_class_counts_by_hand(pair):
    y, p = (np.array(side) // 2 for side in pair)
    hit, missed, wrong = (int(((y == a) & (p == b)).sum()) for a, b in ((1, 1), (1, 0), (0, 1)))
    by_hand = 2 * hit / (2 * hit + missed + wrong) if hit else 0.0
    assert metrics.f1(y, p, "binary") == pytest.approx(by_hand, abs=1e-12)
    assert metrics.f1(y, p, "binary", positive=0) == pytest.approx(metrics.f1(1 - y, 1 - p, "binary"), abs=1e-12)


@given(numbers)
def test_regression_equals_scipy_and_scikit_learn(pair):
    y, p = pair
    assert metrics.pearson(y, p) == pytest.approx(stats.pearsonr(y, p).statistic, abs=1e-12)
    assert metrics.spearman(y, p) == pytest.approx(stats.spearmanr(y, p).statistic, abs=1e-12)
    assert metrics.r_squared(y, p) == pytest.approx(sk.r2_score(y, p), rel=1e-9)


@given(columns)
def test_what_needs_no_threshold_equals_scikit_learn(pair):
    y, s = np.array(pair[0]) // 2, np.array(pair[1])
    both = 0 < y.sum() < len(y)
    assert metrics.auc(y, s) == pytest.approx(sk.roc_auc_score(y, s) if both else math.nan, abs=1e-12, nan_ok=True)
    assert metrics.average_precision(y, s) == pytest.approx(
        sk.average_precision_score(y, s) if y.any() else math.nan, abs=1e-12, nan_ok=True
    )


def test_values_known_by_hand():
    assert metrics.accuracy([0, 1, 1, 1], [0, 1, 0, 1]) == 0.75
    assert metrics.f1([0, 1, 1, 1], [0, 1, 0, 1], "binary") == pytest.approx(0.8)
    assert metrics.f1([0, 1, 1, 1], [0, 1, 0, 1], "macro") == pytest.approx((0.8 + 2 / 3) / 2)
    assert metrics.matthews([0, 0, 1, 1], [1, 1, 0, 0]) == pytest.approx(-1)
    assert metrics.pearson([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert metrics.spearman([1, 2, 3], [1, 100, 50]) == pytest.approx(0.5)
    assert math.isnan(metrics.r_squared([0, 0], [1, 3]))
    assert metrics.r_squared([0, 2], [1, 1]) == 0
    assert metrics.auc([False, True, True], [1, 1, 2]) == 0.75
    assert metrics.balanced_accuracy([0, 0, 0, 1], [0, 0, 0, 0]) == 0.5


@pytest.mark.parametrize("correlation", [metrics.pearson, metrics.spearman])
@pytest.mark.parametrize(
    ("y", "p"), [([1, 2, 3], [7, 7, 7]), ([7, 7], [1, 2]), ([1], [1]), ([1.0, 2.0, 3.0], [1.0, float("nan"), 2.0])]
)
def test_a_correlation_that_is_undefined_is_nan_without_a_warning(correlation, y, p):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(correlation(y, p))


def test_constant_predictions_have_no_mcc_and_no_f1():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y, p = [0, 1, 0, 1], [0, 0, 0, 0]
        assert (metrics.accuracy(y, p), metrics.matthews(y, p), metrics.f1(y, p, "binary")) == (0.5, 0.0, 0.0)


def test_no_rows_and_rows_that_do_not_match():
    with pytest.raises(UserError, match="There are no rows to judge"):
        metrics.accuracy([], [])
    with pytest.raises(AssertionError, match=r"targets \(2,\) and predictions \(3,\)"):
        metrics.accuracy([0, 1], [0, 1, 1])


tables = st.tuples(st.integers(1, 30), st.integers(2, 5), st.integers(0, 10_000))


def marks(rows: int, labels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Targets of several labels a row, none in some rows and columns, and scores that half agree with them."""
    random = np.random.default_rng(seed)
    y = random.random((rows, labels)) < random.choice([0.0, 0.1, 0.5], labels)
    return y, np.round(y + random.normal(size=y.shape), 1)


@given(tables)
def test_several_labels_a_row_equal_scikit_learn(size):
    y, scores = marks(*size)
    p = scores > 0.5
    for average in ("macro", "micro", "weighted", "samples"):
        expected = sk.f1_score(y, p, average=average, zero_division=0)
        assert metrics.labels_f1(y, p, average) == pytest.approx(expected, abs=1e-12), average
    some = y.any(0)
    if some.any():
        expected = sk.average_precision_score(y[:, some], scores[:, some], average="macro")
        assert metrics.mean_average_precision(y, scores) == pytest.approx(expected, abs=1e-12)
    else:
        assert math.isnan(metrics.mean_average_precision(y, scores))


def test_several_labels_without_rows_or_of_another_shape():
    with pytest.raises(UserError, match="There are no rows to judge"):
        metrics.labels_f1(np.zeros((0, 3)), np.zeros((0, 3)))
    with pytest.raises(AssertionError, match=r"targets \(2, 2\) and predictions \(2, 3\)"):
        metrics.labels_f1(np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(AssertionError, match=r"targets \(2,\) must be \(rows, labels\)"):
        metrics.labels_f1([0, 1], [0, 1])
