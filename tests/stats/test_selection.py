"""Abstention, conformal sets and thresholds."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from maskwright.base.errors import UserError
from maskwright.stats import selection
from maskwright.stats.calibration import softmax


def drawn(n: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    p = softmax(random.normal(size=(n, classes)) * 2)
    return p, (p.cumsum(1) < random.random((n, 1))).sum(1)


def test_risk_rises_with_coverage_where_confidence_is_right() -> None:
    p, y = drawn(20_000, 4, 0)
    curve = selection.risk_coverage(p.max(1), p.argmax(1) == y)
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx((p.argmax(1) != y).mean())
    assert curve.area < curve.risk[-1] / 2 + 0.1
    threshold, coverage = curve.at(0.1)
    answered = p.max(1) >= threshold
    assert answered.mean() == pytest.approx(coverage)
    assert (p.argmax(1) != y)[answered].mean() <= 0.1


def test_equal_confidences_are_answered_together() -> None:
    curve = selection.risk_coverage([0.9, 0.9, 0.5], [True, False, True])
    np.testing.assert_allclose(curve.coverage, [2 / 3, 1])
    np.testing.assert_allclose(curve.risk, [1 / 2, 1 / 3])
    assert curve.at(0.1) == (math.inf, 0.0)


@pytest.mark.parametrize("kind", ["least", "adaptive"])
@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_sets_hold_the_truth_as_often_as_they_say(kind: str, coverage: float) -> None:
    """On average over fits; a single fit on 200 rows may be off by its own sampling error."""
    held = []
    for seed in range(100):
        p, y = drawn(700, 5, seed)
        fitted = selection.Conformal.fit(p[:200], y[:200], coverage, kind)  # type: ignore[arg-type]
        held.append(fitted(p[200:])[np.arange(500), y[200:]].mean())
    assert coverage - 0.01 < np.mean(held) < coverage + 0.02


def test_too_few_rows_give_all_labels() -> None:
    p, y = drawn(5, 3, 0)
    assert selection.Conformal.fit(p, y, 0.95)(p).all()
    with pytest.raises(UserError, match="more than 0 and less than 1"):
        selection.Conformal.fit(p, y, 1.0)


@given(n=st.integers(1, 40), seed=st.integers(0, 999))
def test_no_threshold_has_a_better_f1(n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    p, y = np.round(random.random(n), 1), random.random(n) < 0.4
    threshold, found = selection.best_threshold(p, y)
    if not y.any():
        assert (threshold, found) == (0.5, 0.0)
        return
    assert found == pytest.approx(f1_score(y, p >= threshold, zero_division=0.0))
    for other in [*np.unique(p), 2.0]:
        assert f1_score(y, p >= other, zero_division=0.0) <= found + 1e-9


def test_each_label_has_its_threshold() -> None:
    p = np.array([[0.9, 0.2], [0.8, 0.1], [0.3, 0.05], [0.2, 0.01]])
    y = np.array([[1, 1], [1, 1], [0, 0], [0, 0]])
    first, second = selection.label_thresholds(p, y)
    assert 0.3 < first < 0.8
    assert 0.05 < second < 0.1


@pytest.mark.realdata
@pytest.mark.parametrize("kind", ["least", "adaptive"])
@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_sets_reach_their_coverage_on_real_texts(
    real: tuple[np.ndarray, np.ndarray], kind: str, coverage: float
) -> None:
    """150 intents of CLINC150 by counted words: fitted on half of the rows that trained nothing, judged on the others.

    Over many halvings the mean is what was asked for, up to 1 / (n + 1) and the rows being these and no others.
    """
    p, y = real
    random, held, sizes = np.random.default_rng(0), [], []
    for _ in range(50):
        order = random.permutation(len(y))
        fit, judged = order[: len(y) // 2], order[len(y) // 2 :]
        sets = selection.Conformal.fit(p[fit], y[fit], coverage, kind)(p[judged])  # type: ignore[arg-type]
        held.append(sets[np.arange(len(judged)), y[judged]].mean())
        sizes.append(sets.sum(1).mean())
    assert coverage - 0.005 < np.mean(held) < coverage + 0.005 + (0.05 if kind == "adaptive" else 0)
    assert np.mean(sizes) < 75, "and not by naming every label"


@pytest.fixture(scope="module")
def real(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (4500, 150) and the true label of CLINC150's test rows."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.naive_bayes import ComplementNB

    whole = json.loads((data / "clinc150" / "data_full.json").read_text(encoding="utf-8"))
    (texts, labels), (asked, truth) = (zip(*whole[split], strict=True) for split in ("train", "test"))
    words = TfidfVectorizer()
    model = ComplementNB().fit(words.fit_transform(texts), labels)
    p = model.predict_proba(words.transform(asked))
    return p, np.searchsorted(model.classes_, truth)
