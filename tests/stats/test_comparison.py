"""Comparisons: against scipy, under no difference, and with the power that the formula says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from maskwright.base.errors import UserError
from maskwright.stats import comparison, measures
from maskwright.stats.intervals import Interval


def systems(rows: int, only_a: float, only_b: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets and two systems' answers; the shares of rows that only one gets right are as given."""
    random = np.random.default_rng(seed)
    kind = random.random(rows)
    a = kind < 0.6 + only_a
    b = (kind < 0.6) | (kind > 1 - only_b)
    return np.ones(rows), a.astype(float), b.astype(float)


def test_mcnemar_is_a_sign_test_on_the_rows_that_differ() -> None:
    y, a, b = systems(400, 0.12, 0.05, 0)
    only_a, only_b = int(((a == 1) & (b == 0)).sum()), int(((b == 1) & (a == 0)).sum())
    assert comparison.mcnemar(y, a, b) == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)
    assert comparison.mcnemar(y, a, a) == 1.0


def test_randomisation_agrees_with_scipys_permutations() -> None:
    y, a, b = systems(200, 0.14, 0.05, 1)
    mine = comparison.randomisation(measures.accuracy, y, a, b, resamples=5000)
    theirs = stats.permutation_test(
        (a, b), lambda x, z: np.mean(x) - np.mean(z), permutation_type="samples", n_resamples=5000, rng=0
    )
    assert mine == pytest.approx(theirs.pvalue, abs=0.01)


def test_a_system_equals_itself() -> None:
    y, a, _ = systems(100, 0.1, 0.1, 2)
    found = comparison.compare(measures.accuracy, y, a, a)
    assert found.p == 1
    assert not found.resolved
    assert found.difference.low < 0 < found.difference.high  # another 100 rows might set them apart
    assert "differs by +0.000 (95 % interval -0." in comparison.sentence("one", "other", "accuracy", found, 100)


def test_holm_by_hand() -> None:
    assert comparison.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})


def test_the_smallest_difference_is_found_with_its_power() -> None:
    """Of 872 rows of which 10 % are right in one system only: the formula's difference shows in 80 % of cases."""
    rows, discordant = 872, 0.1
    found = comparison.smallest_difference(rows, discordant)
    assert 0.028 < found < 0.032
    shown = [
        comparison.mcnemar(*systems(rows, (discordant + found) / 2, (discordant - found) / 2, seed)) < 0.05
        for seed in range(1000)
    ]
    assert 0.73 < np.mean(shown) < 0.85  # the exact test is a little careful
    assert comparison.smallest_difference(3, 0.1) == 1
    assert 0 < comparison.smallest_difference(5, 0.1) <= 1


@pytest.mark.parametrize("rows", [60, 200, 872])
def test_what_a_verdict_calls_resolvable_shows(rows: int) -> None:
    """Also where the two systems hardly differ: a difference needs rows that differ, and few of them show nothing."""
    y = np.ones(rows)
    b = np.zeros(rows)
    a = np.append(1, b[1:])
    told = comparison.compare(measures.accuracy, y, a, b).resolvable
    assert 6 / rows < told < 12 / rows
    shown = [comparison.mcnemar(*systems(rows, told, 0.0, seed)) < 0.05 for seed in range(400)]
    assert 0.7 < np.mean(shown) < 0.9


def test_bonetts_and_prices_interval_covers() -> None:
    """95 % of intervals hold the truth, also on few rows, and where one system is hardly ever wrong alone."""
    for rows, only_a, only_b in ((50, 0.1, 0.05), (200, 0.02, 0.0), (1000, 0.12, 0.1)):
        made = (systems(rows, only_a, only_b, seed)[1:] for seed in range(1500))
        held = [only_a - only_b in comparison.paired_shares(a, b) for a, b in made]
        assert 0.93 < np.mean(held) <= 0.99, (rows, only_a, only_b)


def test_bonetts_and_prices_interval_by_hand() -> None:
    a = np.array([1.0] * 30 + [1.0] * 7 + [0.0] * 2 + [0.0] * 11)
    b = np.array([1.0] * 30 + [0.0] * 7 + [1.0] * 2 + [0.0] * 11)
    found = comparison.paired_shares(a, b)
    half = 1.959964 * np.sqrt((8 / 52 + 3 / 52 - (5 / 52) ** 2) / 52)
    assert found.value == pytest.approx(0.1)
    assert (found.low, found.high) == pytest.approx((5 / 52 - half, 5 / 52 + half), abs=1e-6)


def test_an_undefined_difference_is_no_finding() -> None:
    y = np.arange(30.0)
    found = comparison.compare(measures.pearson, y, y + 1, np.ones(30))
    assert np.isnan(found.p)
    assert not found.resolved
    assert found.plain()["p"] is None
    assert "is not defined" in comparison.sentence("a", "b", "pearson", found, 30)
    corrected = comparison.holm({"a": 0.01, "none": float("nan"), "b": 0.03})
    assert np.isnan(corrected.pop("none"))
    assert corrected == pytest.approx({"a": 0.02, "b": 0.03})


def test_the_level_is_kept_under_no_difference() -> None:
    found = [
        comparison.randomisation(measures.accuracy, *systems(150, 0.1, 0.1, seed), resamples=400, seed=seed)
        for seed in range(600)
    ]
    assert 0.01 < np.mean(np.array(found) < 0.05) < 0.06  # few rows differ, so p takes few values


def test_the_verdict_in_words() -> None:
    y, a, b = systems(872, 0.15, 0.05, 0)
    told = comparison.sentence("bert", "tf-idf", "accuracy", comparison.compare(measures.accuracy, y, a, b), 872)
    assert told.startswith("bert is better than tf-idf: accuracy differs by 0.0")
    told = comparison.sentence("tf-idf", "bert", "accuracy", comparison.compare(measures.accuracy, y, b, a), 872)
    assert told.startswith("bert is better than tf-idf")
    y, a, b = systems(100, 0.06, 0.05, 0)
    told = comparison.sentence("one", "two", "accuracy", comparison.compare(measures.accuracy, y, a, b), 100)
    assert told.startswith("These 100 rows do not tell one from two: accuracy differs by +0.000")
    assert "they would show a difference of" in told


def verdict(value: float, low: float, high: float, p: float, resolvable: float = 0.05) -> comparison.Verdict:
    return comparison.Verdict(Interval(value, low, high), p, resolvable)


def test_words_for_every_verdict() -> None:
    def told(**of: float) -> str:
        return comparison.sentence("A", "B", "accuracy", verdict(**of), 1200)

    assert told(value=-0.1, low=-0.15, high=-0.05, p=0.01) == (
        "B is better than A: accuracy differs by 0.100 (95 % interval 0.050 to 0.150, p = 0.01, 1,200 rows)."
    )
    assert "interval 0.050 to 0.150" in told(value=0.1, low=0.05, high=0.15, p=0.01)
    close = told(value=0.1, low=-0.002, high=0.2, p=0.03)  # the test alone would call it a finding
    assert close.startswith("These 1,200 rows do not tell A from B")
    assert "interval -0.002 to +0.200" in close
    assert close.endswith("The test and the interval disagree: it is a close call.")
    assert told(value=0.1, low=0.002, high=0.2, p=0.07).endswith("it is a close call.")
    assert "close call" not in told(value=0.1, low=-0.1, high=0.3, p=0.3)
    assert "they are too few to show any" in told(value=0.1, low=-0.1, high=0.3, p=0.3, resolvable=1.0)
    unknown = told(value=0.0, low=np.nan, high=np.nan, p=1.0, resolvable=np.nan)
    assert "(no interval, p = 1)" in unknown
    assert "which difference they would show is not known" in unknown


def test_the_smaller_error_is_the_better_one() -> None:
    y = np.arange(50.0)
    make = lambda targets, said: measures.regression(targets, said)["mae"]  # noqa: E731
    found = comparison.compare(make, y, y + 3, y + 0.5)
    assert found.difference.value == pytest.approx(2.5)
    assert found.plain()["lower_is_better"]
    told = comparison.sentence("far", "near", "mae", found, 50)
    assert told.startswith("near is better than far: mae differs by 2.5")
    turned = comparison.compare(lambda t, s: measures.gain(make(t, s)), y, y + 3, y + 0.5)
    assert turned.difference.value == pytest.approx(-2.5)
    assert not turned.lower_is_better


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_a_metric_without_a_unit_is_tested_without_one(metric: str) -> None:
    random = np.random.default_rng(0)
    y = random.normal(size=200)
    a, b = y + 0.5 * random.normal(size=200), y + 0.8 * random.normal(size=200)

    def p(second: np.ndarray) -> float:
        sides = (comparison.on_one_scale(side, metric) for side in (a, second))
        return comparison.compare(lambda t, s: measures.regression(t, s)[metric], y, *sides).p

    assert p(b) < 0.05
    assert p(100 + 7 * b) == pytest.approx(p(b), abs=0.003)


def test_other_rows_are_refused() -> None:
    with pytest.raises(UserError, match="same rows; got 3 targets, 3 and 2"):
        comparison.compare(measures.accuracy, [1, 1, 1], [1, 1, 1], [1, 1])
