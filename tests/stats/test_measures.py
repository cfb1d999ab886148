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
    assert measures.matthews(np.zeros(5), np.array([0, 1, 0, 1, 0]))(ones)[0] == 0


def test_the_tables_have_the_names_of_the_metrics() -> None:
    random = np.random.default_rng(0)
    y, p = binary(random, 40)
    found = measures.values(measures.classification(y, p, 2), 40)
    assert found == pytest.approx(metrics.classification(y, p, 2))
    y, p = numbers(random, 40)
    assert measures.values(measures.regression(y, p), 40) == pytest.approx(metrics.regression(y, p))
    y, p = labels(random, 40)
    s = p + random.normal(size=p.shape)
    assert measures.values(measures.multi_label(y, p, s), 40) == pytest.approx(metrics.multi_label(y, p, s))
