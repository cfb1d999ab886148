"""Calibration: against scikit-learn, against definitions, and on data whose truth is known."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss as sk_log_loss

from maskwright.base.errors import UserError
from maskwright.stats import calibration as cal


def drawn(n: int = 2000, classes: int = 3, sharpness: float = 2.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `sharpness` times too large, and targets drawn from the right ones."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(n, classes)) * 1.5
    p = cal.softmax(z)
    y = (p.cumsum(1) < random.random((n, 1))).sum(1)
    return z * sharpness, y


class Scores(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose input is its own decision function."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> Scores:
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, x: np.ndarray) -> np.ndarray:
        return x[:, 0] if x.shape[1] == 1 else x

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.decision_function(x)


def calibrated(method: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What scikit-learn makes of the same scores."""
    found = CalibratedClassifierCV(FrozenEstimator(Scores().fit(x, y)), method=method, ensemble=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(found.fit(x, y).predict_proba(x))


def test_temperature_equals_scikit_learns_and_the_truth() -> None:
    z, y = drawn(sharpness=2.5)
    mine = cal.Temperature.fit(z, y)
    assert mine.value == pytest.approx(2.5, rel=0.1)
    np.testing.assert_allclose(mine(z), calibrated("temperature", z, y), atol=1e-4)
    assert (mine(z).argmax(1) == z.argmax(1)).all()


def labels(n: int = 3000, sharpness: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The same for several labels a row, some of them rare."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(n, 4)) * 1.5 - np.array([0, 1, 2, 3])
    return z * sharpness, (random.random(z.shape) < sigmoid(z)).astype(np.float32)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-z)))


def test_several_labels_have_one_temperature() -> None:
    z, y = labels(sharpness=2.5)
    assert cal.Temperature.fit(z, y).value == pytest.approx(2.5, rel=0.1)
    few = cal.Temperature.fit(np.array([[4.0, -4.0]] * 3), np.array([[1, 0]] * 3), spread=1.0)
    assert few.value > 0.4


def test_each_label_is_judged_as_two_classes_would_be() -> None:
    z, y = labels(400)
    p = sigmoid(z)
    two = [np.stack([1 - p[:, i], p[:, i]], 1) for i in range(4)]
    for of in (cal.log_loss, cal.brier):
        share = 1 if of is cal.log_loss else 0.5  # Brier counts both of two classes
        by_hand = np.mean([share * of(q, y[:, i].astype(int)) for i, q in enumerate(two)], axis=0)
        np.testing.assert_allclose(of(p, y), by_hand, atol=1e-12)
    assert cal.log_loss(p, y).mean() == pytest.approx(sk_log_loss(y.ravel(), p.ravel()))
    assert cal.adaptive_error(p, y) == pytest.approx(
        np.mean([np.abs((c := cal.reliability(p[:, i], y[:, i])).accuracy - c.confidence).mean() for i in range(4)])
    )
    parts = cal.decompose(p, y)
    assert parts.total == pytest.approx(cal.brier(p, y).mean())
    assert parts.uncertainty == pytest.approx((y.mean(0) * (1 - y.mean(0))).mean(), abs=1e-6)
    assert cal.expected_error(p, y) < 0.03
    sharp = sigmoid(3 * z)
    assert cal.expected_error(sharp, y) > 0.05


def test_few_rows_do_not_carry_the_temperature_away() -> None:
    z, y = np.array([[2.0, 0.0]] * 6), np.zeros(6, int)  # all right: without a prior the surer, the better
    assert cal.Temperature.fit(z, y).value < 0.05
    assert 0.4 < cal.Temperature.fit(z, y, spread=1.0).value < 1
    z, y = drawn(sharpness=2.5)
    assert cal.Temperature.fit(z, y, spread=1.0).value == pytest.approx(cal.Temperature.fit(z, y).value, rel=0.005)


@pytest.mark.parametrize("rows", [50, 500])
def test_chance_alone_has_an_error(rows: int) -> None:
    """Of models that are never off, the mean error is as foretold, and one in twenty lies above the bound."""
    random = np.random.default_rng(0)
    means, above = [], []
    for _ in range(300):
        p = random.uniform(0.4, 1, rows)
        error = cal.reliability(p, random.random(rows) < p).error
        chance = cal.error_by_chance(p)
        means.append(error - chance.mean())
        above.append(error > np.quantile(chance, 0.95))
    assert abs(np.mean(means)) < 0.004
    assert 0.02 < np.mean(above) < 0.09
    np.testing.assert_array_equal(cal.error_by_chance(p), cal.error_by_chance(p))


def test_platt_equals_scikit_learns() -> None:
    z, y = drawn(classes=2)
    score = z[:, 1] - z[:, 0]
    mine = cal.Platt.fit(score, y == 1)
    np.testing.assert_allclose(mine(score), calibrated("sigmoid", score[:, None], y)[:, 1], atol=1e-4)


def test_isotonic_equals_scikit_learns() -> None:
    z, y = drawn(classes=2)
    score = z[:, 1] - z[:, 0]
    mine = cal.Isotonic.fit(score, y == 1)
    np.testing.assert_allclose(mine(score), calibrated("isotonic", score[:, None], y)[:, 1], atol=1e-9)


def test_platt_wants_both_classes() -> None:
    with pytest.raises(UserError, match="both classes"):
        cal.Platt.fit([0.1, 0.2], [True, True])


@pytest.mark.parametrize("by", ["width", "mass"])
def test_the_curve_equals_scikit_learns(by: str) -> None:
    z, y = drawn(classes=2)
    p = cal.softmax(z)[:, 1]
    mine = cal.reliability(p, y == 1, 10, by)  # type: ignore[arg-type]
    theirs = calibration_curve(y == 1, p, n_bins=10, strategy="uniform" if by == "width" else "quantile")
    np.testing.assert_allclose(mine.accuracy, theirs[0], atol=0.02 if by == "mass" else 1e-12)
    np.testing.assert_allclose(mine.confidence, theirs[1], atol=0.02 if by == "mass" else 1e-12)
    assert mine.count.sum() == len(y)


def test_what_is_calibrated_has_little_error_and_what_is_too_sure_has_much() -> None:
    z, y = drawn(20_000, sharpness=2)
    good, bad = cal.softmax(z / 2), cal.softmax(z)
    assert cal.expected_error(good, y) < 0.02 < 0.08 < cal.expected_error(bad, y)
    assert cal.adaptive_error(good, y) < 0.02 < 0.05 < cal.adaptive_error(bad, y)


def test_equal_confidences_share_a_bin() -> None:
    curve = cal.reliability([0.9] * 80 + [0.4] * 20, [1] * 72 + [0] * 8 + [1] * 8 + [0] * 12)
    np.testing.assert_allclose(curve.accuracy, [0.4, 0.9])
    assert curve.error == pytest.approx(0)


@given(n=st.integers(20, 300), classes=st.integers(2, 5), seed=st.integers(0, 999), bins=st.integers(1, 20))
def test_briers_parts_add_up(n: int, classes: int, seed: int, bins: int) -> None:
    z, y = drawn(n, classes, seed=seed)
    p = cal.softmax(z)
    parts = cal.decompose(p, y, bins)
    assert parts.total == pytest.approx(cal.brier(p, y).mean(), abs=1e-9)
    shares = np.bincount(y, minlength=classes) / n
    assert parts.uncertainty == pytest.approx((shares * (1 - shares)).sum())
    assert parts.reliability >= 0
    assert parts.resolution >= 0


def test_of_few_distinct_forecasts_binning_hides_nothing() -> None:
    p = np.repeat([[0.9, 0.1], [0.3, 0.7]], 50, axis=0)
    y = np.array([0] * 40 + [1] * 10 + [1] * 35 + [0] * 15)
    assert cal.decompose(p, y).within == pytest.approx(0, abs=1e-12)


def test_log_loss_is_the_surprise() -> None:
    np.testing.assert_allclose(cal.log_loss([[0.25, 0.75], [1, 0]], [0, 0]), [np.log(4), 0])
    assert np.isfinite(cal.log_loss([[1.0, 0.0]], [1])).all()
