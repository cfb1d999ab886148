"""Comparisons: against scipy, under no difference, and with the power that the formula says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from maskwright.base.errors import UserError
from maskwright.stats import comparison, measures


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
    assert (found.difference.low, found.difference.high) == (0, 0)


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
    assert comparison.smallest_difference(rows, 0) == 0
    assert comparison.smallest_difference(5, 0.1) == 1


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
    assert told.startswith("These 100 rows do not tell one from two: accuracy differs by")
    assert "they would show a difference of" in told


def test_other_rows_are_refused() -> None:
    with pytest.raises(UserError, match="same rows; got 3 targets, 3 and 2"):
        comparison.compare(measures.accuracy, [1, 1, 1], [1, 1, 1], [1, 1])
