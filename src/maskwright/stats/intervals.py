"""Intervals: how far a figure may lie from what more rows, or more seeds, would give.

Two things make a figure uncertain, and they are separate. The *examples*: another sample of texts would give another
accuracy; the bootstrap over rows says by how much. The *seeds*: another order and another head would give another
model; Student's t over the seeds' figures says by how much. `combined` has both.

Where rows are too few for an interval that holds what it promises, the bounds are NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from maskwright.base.errors import UserError
from maskwright.stats.measures import Floats, Measure, Of

RESAMPLES = 2000
CELLS = 2**17  #: counts that are held at once as floats: a megabyte, so that a measure's steps stay in the cache
KEPT = 2**25  #: at most so many, a byte each, are kept from one figure to the next

Counts = NDArray[np.uint8]


@dataclass(frozen=True)
class Interval:
    """A figure and the bounds that would hold the true one in `level` of all cases."""

    value: float
    low: float
    high: float
    level: float = 0.95
    over: str = "examples"  #: what varies: "examples", "seeds", or "examples and seeds"

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def plain(self) -> dict[str, float | str | None]:
        """As JSON; undefined numbers are null."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        defined = {name: number if math.isfinite(number) else None for name, number in numbers.items()}
        return {**defined, "level": self.level, "over": self.over}


SHIFT = 1 / 3  #: standard errors by which resampling alone may move a figure


def over_examples(
    measure: Measure, rows: int, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Of a share of rows Wilson's interval, which has width where all rows are right, and of a mean of such shares what
    these give together; of all else the bootstrap's."""
    if not measure.parts:
        return bootstrap(measure, rows, level=level, resamples=resamples, seed=seed)
    return mean_of_shares(measure.parts, level)


def mean_of_shares(parts: Sequence[Floats], level: float = 0.95) -> Interval:
    """Of the mean of the shares of parts that vary apart from one another: each (n,) of numbers from 0 to 1.

    Of one part it is that part's interval.
    """
    each = [share(part, level) for part in parts]
    value, (down, up) = float(np.mean([one.value for one in each])), _distances(each)
    return Interval(value, value - down / len(each), value + up / len(each), level)


def _distances(each: Sequence[Interval]) -> tuple[float, float]:
    """To the bounds of a sum: those of its terms, which vary apart, added as squares (MOVER, Zou and Donner 2008)."""
    return math.hypot(*(one.value - one.low for one in each)), math.hypot(*(one.high - one.value for one in each))


def share(values: Floats, level: float = 0.95) -> Interval:
    """Of the mean of numbers from 0 to 1, one a row (n,): Wilson's interval of as many rows of yes or no as would
    spread as these do. Numbers between, the mean of several seeds' hits, tell more than as many of yes or no."""
    mean, spread = float(np.mean(values)) if len(values) else math.nan, float(np.var(values)) if len(values) else 0.0
    alike = mean * (1 - mean) / spread if spread > 0 else 1.0
    return wilson(mean * len(values) * alike, len(values) * alike, level)


def bootstrap(measure: Of, rows: int, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """BCa interval over examples: bias-corrected and accelerated (Efron 1987; Efron and Tibshirani 1993, 14.3).

    The share of resamples below the figure corrects its bias, the skew of the leave-one-out figures corrects for a
    spread that changes with the figure.

    The bounds are NaN where it would not hold: more than half of the resamples are undefined, all are alike, they miss
    the figure itself, or resampling moves the figure by more than a third of its standard error (a quarter is where
    the same book, 10.3, begins to worry). That is how a mean over rare labels looks, of which resamples hold none.
    """
    if rows < 1:
        raise UserError("There are no rows to judge; give at least one.")
    value = float(measure(np.ones((1, rows)))[0])
    drawn = resampled(measure, rows, resamples, seed)
    drawn = drawn[np.isfinite(drawn)]
    if not math.isfinite(value) or len(drawn) < resamples / 2 or not _moves_little(value, drawn):
        return Interval(value, math.nan, math.nan, level)
    low, high = _bca(value, drawn, left_out(measure, rows, seed), level)
    return Interval(value, low, high, level) if low <= value <= high else Interval(value, math.nan, math.nan, level)


def _moves_little(value: float, drawn: Floats) -> bool:
    wide = float(np.ptp(drawn))
    if not wide > 1e-12 * abs(value):
        return False
    moved = (drawn - value) / wide  # squares of tiny numbers would be 0
    return abs(float(moved.mean())) <= SHIFT * float(moved.std())


def _bca(value: float, drawn: Floats, left_out: Floats, level: float) -> tuple[float, float]:
    from scipy.stats import norm

    below = (np.mean(drawn < value) + np.mean(drawn <= value)) / 2  # half of those that are equal
    bias = norm.ppf(np.clip(below, 1 / len(drawn), 1 - 1 / len(drawn)))
    influence = left_out[np.isfinite(left_out)]
    influence = influence.mean() - influence if len(influence) else np.zeros(1)
    influence = influence / (np.abs(influence).max() or 1.0)  # skew has no unit; the cubes of tiny numbers would be 0
    spread = (influence**2).sum()
    acceleration = (influence**3).sum() / (6 * spread**1.5) if spread > 0 else 0.0
    tails = norm.ppf([(1 - level) / 2, (1 + level) / 2])
    at = norm.cdf(bias + (bias + tails) / (1 - acceleration * (bias + tails)))
    low, high = np.quantile(drawn, at)
    return float(low), float(high)


def resampled(measure: Of, rows: int, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """(resamples,) the measure on rows drawn with replacement, as many as there are."""
    drawn = (_kept if rows * resamples <= KEPT else _drawn)(rows, resamples, seed)
    return np.concatenate([measure(counts.astype(np.float64)) for counts in drawn])


def _drawn(rows: int, resamples: int, seed: int) -> Iterator[Counts]:
    """(R, rows) at a time: how often each row is drawn. That a row is drawn 256 times in as many draws as there are
    rows does not happen."""
    random = np.random.default_rng([seed, rows])
    chunk = max(1, CELLS // rows)
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        picked = random.integers(0, rows, (size, rows)) + rows * np.arange(size)[:, None]
        yield np.bincount(picked.ravel(), minlength=size * rows).reshape(size, rows).astype(np.uint8)


@lru_cache(maxsize=1)
def _kept(rows: int, resamples: int, seed: int) -> tuple[Counts, ...]:
    """`_drawn`, for the next figure of the same rows: drawing takes longer than most measures do."""
    return tuple(_drawn(rows, resamples, seed))


def left_out(measure: Of, rows: int, seed: int = 0, most: int = 1000) -> Floats:
    """The measure without each row in turn; with more than `most` rows, without each of `most` random blocks of them.

    The skew that BCa takes from it is the same in expectation: a block's is smaller by the square root of its size,
    and there are fewer blocks by its size.
    """
    blocks = min(rows, most)
    block = np.arange(rows) % blocks
    if blocks < rows:
        np.random.default_rng([seed, rows, 1]).shuffle(block)
    out, chunk = [], max(1, CELLS // rows)
    for start in range(0, blocks, chunk):
        out.append(measure((block != np.arange(start, min(blocks, start + chunk))[:, None]).astype(np.float64)))
    return np.concatenate(out)


def wilson(hits: float, rows: float, level: float = 0.95) -> Interval:
    """Of a share of rows (Wilson 1927). Unlike a bootstrap it has width where every row is a hit."""
    from scipy.stats import norm

    if not rows > 0:
        raise UserError("There are no rows to judge; give at least one.")
    z, found = float(norm.ppf((1 + level) / 2)), hits / rows
    middle = (found + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * math.sqrt(max(found * (1 - found), 0.0) / rows + z**2 / (4 * rows**2))
    return Interval(found, max(0.0, min(found, middle - half)), min(1.0, max(found, middle + half)), level)


def over_seeds(values: Sequence[float], level: float = 0.95) -> Interval:
    """Of the mean over seeds, by Student's t with one degree of freedom less than there are seeds.

    One seed says nothing about the others: its bounds are undefined.
    """
    from scipy.stats import t

    found = np.asarray(values, np.float64)
    mean, count = float(found.mean()), len(found)
    if count < 2:
        return Interval(mean, math.nan, math.nan, level, "seeds")
    half = float(t.ppf((1 + level) / 2, count - 1)) * float(found.std(ddof=1)) / math.sqrt(count)
    return Interval(mean, mean - half, mean + half, level, "seeds")


def combined(examples: Interval, seeds: Interval, low: float = -math.inf, high: float = math.inf) -> Interval:
    """Of the mean over seeds on other examples: both distances to each bound, added as squares.

    `examples` is the interval of the seeds' mean figure on resampled rows (`measures.average`), so that its value is
    that of `seeds`. With one seed it is `examples`, and says so. low, high: the range of the metric, which a bound
    does not leave.
    """
    assert math.isclose(examples.value, seeds.value, abs_tol=1e-9), "two intervals of different figures"
    if not math.isfinite(seeds.low):
        return examples
    if not math.isfinite(examples.low):
        return Interval(examples.value, math.nan, math.nan, examples.level, "examples and seeds")
    assert examples.value in examples, "an interval that does not hold its own figure"
    down, up = _distances([examples, seeds])
    bounds = max(low, examples.value - down), min(high, examples.value + up)
    return Interval(examples.value, *bounds, examples.level, "examples and seeds")


def class_f1(true: int, given: int, hits: int) -> Interval | None:
    """F1 of one class from its rows, its answers and its hits, with an interval; None where there are neither.

    F1 = 2 J / (1 + J), where J is the share of hits among the rows that have the class or were given it (Jaccard). J is
    a share of rows, so it has Wilson's interval, and as F1 rises with J, the bounds of J give those of F1. Unlike a
    bootstrap this has width where all rows are hits; the number of rows concerned is taken as given.
    """
    concerned = true + given - hits
    if not concerned:
        return None
    share = wilson(hits, concerned)
    value, low, high = (2 * j / (1 + j) for j in (share.value, share.low, share.high))
    return replace(share, value=value, low=low, high=high)
