"""A measure equals the metric of the rows written out as often as they count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from maskwright.stats import measures, metrics

Rows = tuple[np.ndarray, ...]


def classes(random: np.random.Generator, n: int) -> Rows:
    y = random.integers(0, 4, n)
    return y, np.where(random.random(n) < 0.6, y, random.integers(0, 5, n))


def binary(random: np.random.Generator, n: int) -> Rows:
    y = random.integers(0, 2, n)
    return y, np.where(random.random(n) < 0.7, y, 1 - y)


def scores(random: np.random.Generator, n: int) -> Rows:
    y = random.integers(0, 2, n)
    return y, np.round(y * 0.5 + random.normal(size=n), 1)


def numbers(random: np.random.Generator, n: int) -> Rows:
    y = np.round(random.normal(size=n), 1) + 1000
    return y, np.round(y + random.normal(size=n), 1)


def labels(random: np.random.Generator, n: int) -> Rows:
    y = random.random((n, 4)) < 0.4
    return y, y ^ (random.random((n, 4)) < 0.2)


def ranked(random: np.random.Generator, n: int) -> Rows:
    y, _ = labels(random, n)
    return y, np.round(y * 0.5 + random.normal(size=y.shape), 1)


def sk_f1(average: str) -> Callable[..., float]:
    return lambda y, p: float(sk.f1_score(y, p, average=average, zero_division=0.0))


CASES: dict[str, tuple[Callable[..., Rows], Callable[..., measures.Measure], Callable[..., float]]] = {
    "accuracy": (classes, measures.accuracy, metrics.accuracy),
    "balanced accuracy": (classes, measures.balanced_accuracy, sk.balanced_accuracy_score),
    "f1 macro": (classes, measures.f1, metrics.f1),
    "f1 micro": (classes, lambda y, p: measures.f1(y, p, "micro"), lambda y, p: metrics.f1(y, p, "micro")),
    "f1 weighted": (classes, lambda y, p: measures.f1(y, p, "weighted"), lambda y, p: metrics.f1(y, p, "weighted")),
    "f1": (binary, lambda y, p: measures.f1(y, p, "binary"), lambda y, p: metrics.f1(y, p, "binary")),
    "mcc": (classes, measures.matthews, metrics.matthews),
    "kappa": (
        classes,
        measures.kappa,
        lambda y, p: sk.cohen_kappa_score(y, p, labels=range(5), weights="quadratic"),
    ),
    "auc": (scores, measures.auc, sk.roc_auc_score),
    "average precision": (scores, measures.average_precision, sk.average_precision_score),
    "pearson": (numbers, measures.pearson, metrics.pearson),
    "spearman": (numbers, measures.spearman, metrics.spearman),
    "r squared": (numbers, measures.r_squared, sk.r2_score),
    "rmse": (numbers, lambda y, p: measures.root_mean((y - p) ** 2), sk.root_mean_squared_error),
    "kendall": (numbers, measures.kendall, lambda y, p: float(stats.kendalltau(y, p).statistic)),
    "labels macro": (labels, lambda y, p: measures.labels_f1(y, p, "macro"), sk_f1("macro")),
    "labels micro": (labels, lambda y, p: measures.labels_f1(y, p, "micro"), sk_f1("micro")),
    "labels samples": (labels, lambda y, p: measures.labels_f1(y, p, "samples"), sk_f1("samples")),
    "labels weighted": (labels, lambda y, p: measures.labels_f1(y, p, "weighted"), sk_f1("weighted")),
    "labels average precision": (ranked, measures.mean_average_precision, metrics.mean_average_precision),
}


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")  # scikit-learn, asked directly
@pytest.mark.parametrize("name", CASES)
@given(n=st.integers(12, 60), seed=st.integers(0, 10_000))
def test_counting_a_row_is_repeating_it(name: str, n: int, seed: int) -> None:
    draw, measure, metric = CASES[name]
    random = np.random.default_rng(seed)
    rows = draw(random, n)
    picked = random.integers(0, n, (3, n))
    counts = np.stack([np.bincount(p, minlength=n) for p in picked] + [np.ones(n)]).astype(float)
    found = measure(*rows)(counts)
    wanted = [defined(metric, [side[p] for side in rows]) for p in [*picked, np.arange(n)]]
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def defined(metric: Callable[..., Any], rows: list[np.ndarray]) -> float:
    """NaN where a metric has no value, as ours is; scikit-learn warns or raises there."""
    y = rows[0]
    ranking = y.ndim == 1 and metric in (sk.roc_auc_score, sk.average_precision_score)
    if ranking and (not y.any() or (metric is sk.roc_auc_score and y.all())):
        return float("nan")
    return float(metric(*rows))


@pytest.mark.parametrize("unit", [1e-150, 1e-8, 1e12])
@pytest.mark.parametrize("start", [0.0, 1e6])
def test_correlations_have_no_unit(unit: float, start: float) -> None:
    """Small numbers far from zero vary as well, and one number never does."""
    random, ones = np.random.default_rng(0), np.ones((1, 40))
    y = random.normal(size=40)
    p = y + random.normal(size=40)
    for measure in (measures.pearson, measures.r_squared):
        plain = measure(y + start, p + start)(ones)
        np.testing.assert_allclose(measure((y + start) * unit, (p + start) * unit)(ones), plain, rtol=1e-6)
    assert np.isnan(measures.pearson(np.full(40, 0.1 + start) * unit, p)(ones)).all()


def test_undefined_is_not_a_number() -> None:
    ones = np.ones((1, 5))
    constant, rising = np.full(5, 0.3), np.arange(5.0)
    for measure in (measures.pearson, measures.spearman, measures.r_squared):
        assert np.isnan(measure(constant, rising)(ones)).all()
    assert np.isnan(measures.pearson(rising, constant)(ones)).all()
    assert np.isnan(measures.auc([True] * 5, rising)(ones)).all()
    assert np.isnan(measures.kappa(np.ones(5), np.ones(5))(ones)).all()
    assert measures.kappa(rising, np.ones(5))(ones)[0] == 0
    assert measures.matthews(np.zeros(5), np.array([0, 1, 0, 1, 0]))(ones)[0] == 0


def table(kind: Callable[..., dict[str, measures.Measure]], *sides: Any, **also: Any) -> dict[str, float]:
    return measures.values(kind(*sides, **also), len(sides[0]))


def test_the_table_of_classification() -> None:
    y, p = classes(np.random.default_rng(0), 40)
    found = table(measures.classification, y, p, classes=5)
    assert list(found) == ["accuracy", "f1_macro", "mcc", "balanced_accuracy"]
    y, p = binary(np.random.default_rng(0), 40)
    scores = np.stack([1 - y * p, y * p], 1)
    wanted = {
        "accuracy": sk.accuracy_score(y, p),
        "f1_macro": sk.f1_score(y, p, average="macro"),
        "mcc": sk.matthews_corrcoef(y, p),
        "balanced_accuracy": sk.balanced_accuracy_score(y, p),
        "f1": sk.f1_score(y, p),
        "auc": sk.roc_auc_score(y, scores[:, 1]),
        "average_precision": sk.average_precision_score(y, scores[:, 1]),
    }
    found = table(measures.classification, y, p, classes=2, scores=scores)
    assert found == pytest.approx(wanted, abs=1e-12)
    assert list(found) == list(wanted)
    assert list(table(measures.classification, y, p, classes=2)) == list(wanted)[:-2]
    with pytest.raises(AssertionError, match=r"outside 0\.\.1"):
        measures.classification([0, 1], [0, 2], classes=2)


def test_constant_predictions_have_no_mcc_and_no_f1() -> None:
    found = table(measures.classification, [0, 1, 0, 1], [0, 0, 0, 0], classes=2)
    assert (found["accuracy"], found["mcc"], found["f1"]) == (0.5, 0.0, 0.0)


def test_the_table_of_regression() -> None:
    y, p = numbers(np.random.default_rng(0), 40)
    found = table(measures.regression, y, p)
    wanted = {
        "pearson": stats.pearsonr(y, p).statistic,
        "spearman": stats.spearmanr(y, p).statistic,
        "mae": sk.mean_absolute_error(y, p),
        "mse": sk.mean_squared_error(y, p),
        "r_squared": sk.r2_score(y, p),
    }
    assert found == pytest.approx(wanted)
    assert list(found) == list(wanted)
    found = table(measures.regression, [0, 0], [1, 3])
    assert found["mse"] == 5
    assert np.isnan(found["r_squared"])


AVERAGES = ("macro", "micro", "weighted", "samples")


@given(n=st.integers(1, 30), seed=st.integers(0, 10_000))
def test_the_table_of_several_labels(n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    y, s = ranked(random, n)
    p = s > 0.5
    found = table(measures.multi_label, y, p, s)
    assert list(found) == [*(f"f1_{a}" for a in AVERAGES), "exact_match", "hamming_loss", "mean_average_precision"]
    for average in AVERAGES:
        assert found[f"f1_{average}"] == pytest.approx(sk_f1(average)(y, p), abs=1e-12), average
    assert found["exact_match"] == pytest.approx(sk.accuracy_score(y, p), abs=1e-12)
    assert found["hamming_loss"] == pytest.approx(sk.hamming_loss(y, p), abs=1e-12)
    some = y.any(0)
    wanted = sk.average_precision_score(y[:, some], s[:, some]) if some.any() else np.nan
    assert found["mean_average_precision"] == pytest.approx(wanted, abs=1e-12, nan_ok=True)


def test_several_labels_known_by_hand() -> None:
    y = [[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    p = [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    found = table(measures.multi_label, y, p, [[0.9, 0.1, 0, 0], [0.9, 0.6, 0, 0], [0.2, 0.05, 0, 0]])
    assert found["f1_macro"] == pytest.approx(1 / 4), "1 for the first; the last two have neither rows nor predictions"
    assert found["f1_micro"] == pytest.approx(2 * 2 / (3 + 3))
    assert found["f1_weighted"] == pytest.approx(2 / 3)
    assert found["f1_samples"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3), "a row without labels has 0, even when right"
    assert found["exact_match"] == pytest.approx(1 / 3)
    assert found["hamming_loss"] == pytest.approx(2 / 12)
    assert found["mean_average_precision"] == pytest.approx((1 + 1 / 2) / 2), "over the labels that have a true row"


def test_one_label_of_several_is_judged_too() -> None:
    """A folder of somebody else's may have a single output; scikit-learn would refuse."""
    found = table(measures.multi_label, [[1], [0], [1]], [[1], [1], [0]], [[0.9], [0.8], [0.1]])
    assert found["f1_macro"] == found["f1_micro"] == found["f1_weighted"] == pytest.approx(0.5)
    assert found["f1_samples"] == pytest.approx(1 / 3)
