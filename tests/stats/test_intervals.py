"""Intervals against scipy, against what is known, and against the truth in simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from maskwright.base.errors import UserError
from maskwright.stats import intervals, measures
from maskwright.stats.intervals import Interval


def skewed(n: int = 60, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).exponential(size=n)


def test_bca_equals_scipys() -> None:
    x = skewed()
    mine = intervals.bootstrap(measures.mean(x), len(x), resamples=20_000)
    theirs = stats.bootstrap((x,), np.mean, n_resamples=20_000, method="BCa", rng=1).confidence_interval
    assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)
    assert mine.value == pytest.approx(x.mean())
    assert mine.high - mine.value > mine.value - mine.low  # the long tail is above


def test_bounds_do_not_depend_on_the_unit() -> None:
    """The log loss of a sure and right model is 1e-150 and less; its cubes are 0 in double precision."""
    values = np.random.default_rng(0).exponential(size=60)
    one = intervals.bootstrap(measures.mean(values), 60, resamples=500)
    tiny = intervals.bootstrap(measures.mean(values * 2.0**-600), 60, resamples=500)
    assert (tiny.low * 2.0**600, tiny.high * 2.0**600) == pytest.approx((one.low, one.high), rel=1e-12)


def test_a_mean_of_shares() -> None:
    many, few = np.array([1.0] * 40 + [0.0] * 10), np.array([1.0, 1.0, 0.0, 1.0])
    found = intervals.mean_of_shares([many, few])
    one, two = intervals.wilson(40, 50), intervals.wilson(3, 4)
    assert found.value == pytest.approx((0.8 + 0.75) / 2)
    assert found.value - found.low == pytest.approx(math.hypot(0.8 - one.low, 0.75 - two.low) / 2)
    assert found.high - found.value == pytest.approx(math.hypot(one.high - 0.8, two.high - 0.75) / 2)
    alone = intervals.mean_of_shares([many])
    assert (alone.low, alone.high) == pytest.approx((one.low, one.high), abs=1e-12)
    all_right = intervals.mean_of_shares([np.ones(30), np.ones(3)])
    assert all_right.low < 0.85
    assert all_right.high == 1.0


def test_balanced_accuracy_on_few_rows_holds_the_true_one() -> None:
    """A class of five rows among fifty: the bootstrap's interval held it in nine of ten sets."""
    random, held, sets = np.random.default_rng(0), 0, 1000
    rates = np.array([0.85, 0.75, 0.6])
    for _ in range(sets):
        y = random.choice(3, 50, p=[0.6, 0.3, 0.1])
        said = np.where(random.random(50) < rates[y], y, (y + 1) % 3)
        held += rates.mean() in intervals.over_examples(measures.balanced_accuracy(y, said), 50)
    assert 0.93 < held / sets < 0.97


def test_seeds_share_the_parts_of_their_rows() -> None:
    y = np.array([0] * 30 + [1] * 10)
    random = np.random.default_rng(0)
    each = [measures.balanced_accuracy(y, np.where(random.random(40) < 0.8, y, 1 - y)) for _ in range(3)]
    mean = measures.average(each)
    assert [len(part) for part in mean.parts] == [30, 10]
    found = intervals.over_examples(mean, 40)
    assert found.value == pytest.approx(np.mean([measures.values({"": m}, 40)[""] for m in each]))
    assert found.low < found.value < found.high
    assert measures.average([each[0], measures.balanced_accuracy(1 - y, y)]).parts == ()


def test_blocks_of_rows_have_the_skew_of_rows() -> None:
    """What BCa takes from the leave-one-out figures does not depend on whether rows or blocks are left out."""
    x = skewed(4000)

    def acceleration(most: int) -> float:
        found = intervals.left_out(measures.mean(x), len(x), most=most)
        pull = found.mean() - found
        return float((pull**3).sum() / (6 * (pull**2).sum() ** 1.5))

    assert acceleration(1000) == pytest.approx(acceleration(4000), abs=0.002)


def test_the_same_seed_gives_the_same_interval() -> None:
    measure = measures.mean(skewed())
    assert intervals.bootstrap(measure, 60, seed=3) == intervals.bootstrap(measure, 60, seed=3)
    assert intervals.bootstrap(measure, 60, seed=3) != intervals.bootstrap(measure, 60, seed=4)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    measure = measures.mean(skewed())
    whole, drawn = intervals.left_out(measure, 60), intervals.resampled(measure, 60, 100)
    monkeypatch.setattr(intervals, "CELLS", 7 * 60)
    monkeypatch.setattr(intervals, "KEPT", 0)
    np.testing.assert_allclose(intervals.left_out(measure, 60), whole)
    np.testing.assert_allclose(intervals.resampled(measure, 60, 100), drawn)


def test_a_second_figure_sees_the_same_resamples() -> None:
    first, second = (intervals.resampled(measures.mean(skewed()), 60, 100) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = intervals.resampled(measures.mean(-skewed()), 60, 100)
    np.testing.assert_allclose(other, -first)
    assert not np.array_equal(intervals.resampled(measures.mean(skewed()), 60, 100, seed=1), first)


def test_an_undefined_figure_has_no_bounds() -> None:
    found = intervals.bootstrap(measures.pearson(np.ones(20), np.arange(20)), 20)
    assert math.isnan(found.value)
    assert math.isnan(found.low)
    assert found.plain() == {"value": None, "low": None, "high": None, "level": 0.95, "over": "examples"}
    with pytest.raises(UserError, match="no rows"):
        intervals.bootstrap(measures.mean([]), 0)


def test_bounds_that_would_not_hold_are_none() -> None:
    same = intervals.bootstrap(measures.f1([1] * 20, [1] * 20), 20)  # every resample is 1 as well
    assert same.value == 1
    assert math.isnan(same.low)
    random = np.random.default_rng(0)
    y = random.random((200, 28)) < 0.3 / np.arange(1, 29) ** 1.2  # the rarest label stands in one row
    scores = y + random.normal(size=y.shape)
    rare = intervals.bootstrap(measures.mean_average_precision(y, scores), 200, resamples=200)
    assert math.isfinite(rare.value)
    assert math.isnan(rare.low)
    assert math.isfinite(intervals.bootstrap(measures.labels_f1(y, scores > 0.5, "micro"), 200, resamples=200).low)


@pytest.mark.parametrize(("rows", "true"), [(50, 0.95), (50, 0.98), (200, 0.99), (200, 0.8)])
def test_a_share_near_one_is_covered(rows: int, true: float) -> None:
    """The bootstrap holds the truth in 61 to 89 % of such sets: often every row is right, and so is every resample."""
    random = np.random.default_rng(1)
    held = [true in intervals.over_examples(measures.share(random.random(rows) < true), rows) for _ in range(1500)]
    assert 0.92 < np.mean(held) <= 0.99


def test_a_mean_of_seeds_is_covered_and_narrower_than_one() -> None:
    random = np.random.default_rng(2)
    held, widths = [], []
    for _ in range(1500):
        easy = random.beta(2, 0.2, 200)  # how likely each row is right, for each seed anew: 10 in 11 on average
        hits = [random.random(200) < easy for _ in range(3)]
        found = intervals.over_examples(measures.average([measures.share(h) for h in hits]), 200)
        held.append(10 / 11 in found)
        widths.append((found.high - found.low) / np.ptp([*intervals.wilson(hits[0].sum(), 200).plain().values()][1:3]))
    assert 0.93 < np.mean(held) < 0.97
    assert np.mean(widths) < 1


def test_bounds_stay_in_the_range_of_the_metric() -> None:
    y = np.ones(100)
    seeds = [measures.accuracy(y, np.arange(100) >= wrong) for wrong in (0, 2, 8)]
    mean = measures.average(seeds)
    assert (mean.low, mean.high) == (0, 1)
    each = intervals.over_seeds([1.0, 0.98, 0.92])
    assert each.high > 1
    assert intervals.combined(intervals.over_examples(mean, 100), each, mean.low, mean.high).high == 1


def test_wilson_equals_scipys() -> None:
    for hits, rows in ((0, 30), (7, 30), (30, 30), (871, 872)):
        theirs = stats.binomtest(hits, rows).proportion_ci(method="wilson")
        mine = intervals.wilson(hits, rows)
        assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high))


def test_seeds_follow_students_t() -> None:
    values = [0.871, 0.876, 0.880]
    mine = intervals.over_seeds(values)
    theirs = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (mine.low, mine.high) == pytest.approx(theirs)
    assert math.isnan(intervals.over_seeds([0.9]).low)


def test_combined_is_wider_than_each() -> None:
    examples = Interval(0.8, 0.75, 0.84)
    seeds = Interval(0.8, 0.79, 0.81, over="seeds")
    both = intervals.combined(examples, seeds)
    assert both.low == pytest.approx(0.8 - math.hypot(0.05, 0.01))
    assert both.high == pytest.approx(0.8 + math.hypot(0.04, 0.01))
    assert both.over == "examples and seeds"
    assert intervals.combined(examples, intervals.over_seeds([0.8])) is examples


def test_average_is_of_the_same_rows() -> None:
    first, second = measures.mean([1, 0, 1, 1]), measures.mean([0, 0, 1, 1])
    assert measures.average([first, second])(np.ones((1, 4)))[0] == pytest.approx((0.75 + 0.5) / 2)
