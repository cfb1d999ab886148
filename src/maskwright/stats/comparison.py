"""Is one system better than another on the same rows, and could these rows tell?

All tests are paired: both systems answered the same rows, and most of what makes a set easy or hard cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.base.errors import UserError
from maskwright.stats.intervals import CELLS, RESAMPLES, Interval, bootstrap
from maskwright.stats.measures import Floats, Measure, difference

MakeMeasure = Callable[[NDArray[Any], NDArray[Any]], Measure]  #: (targets, outputs) -> measure


@dataclass(frozen=True)
class Verdict:
    """The difference A - B with its interval, and how likely as large a one would be if there were none."""

    difference: Interval
    p: float  #: NaN where the difference is not defined
    resolvable: float  #: the true difference that a set like this one shows in four of five cases; NaN: not known
    lower_is_better: bool = False  #: as of an error: a difference below 0 is in favour of A

    @property
    def resolved(self) -> bool:
        """Whether the test says so, and the interval does not say otherwise."""
        return self.p < 1 - self.difference.level and 0.0 not in self.difference

    def plain(self) -> dict[str, Any]:
        """As JSON; undefined numbers are null."""
        numbers = {"p": self.p, "resolvable": self.resolvable}
        known = {name: number if math.isfinite(number) else None for name, number in numbers.items()}
        return {**self.difference.plain(), **known, "lower_is_better": self.lower_is_better}


def compare(
    make: MakeMeasure, targets: ArrayLike, a: ArrayLike, b: ArrayLike, *, level: float = 0.95, seed: int = 0
) -> Verdict:
    """Approximate randomisation for p; for the interval the paired bootstrap, or of two shares of rows, Bonett's and
    Price's.

    make: what turns targets and one system's outputs into a measure, such as `measures.accuracy`.
    """
    y, first, second = (np.asarray(side) for side in (targets, a, b))
    if not len(y) == len(first) == len(second):
        raise UserError(f"The systems must answer the same rows; got {len(y)} targets, {len(first)} and {len(second)}.")
    one, two = make(y, first), make(y, second)
    if _yes_or_no(one) and _yes_or_no(two):
        assert one.shares is not None
        assert two.shares is not None
        found = paired_shares(one.shares, two.shares, level)
        resolvable = smallest_difference(len(y), float(np.mean(one.shares != two.shares)), level=level)
    else:
        found = bootstrap(difference(one, two), len(y), level=level, seed=seed)
        resolvable = _resolvable(found, level)
    p = randomisation(make, y, first, second, seed=seed) if math.isfinite(found.value) else math.nan
    return Verdict(found, p, resolvable, one.lower_is_better)


def on_one_scale(answers: NDArray[Any], metric: str) -> NDArray[Any]:
    """(n,) one system's answers as a metric that sees no unit may take them: in standard deviations for pearson, as
    ranks for spearman, for others as they are. A test that swaps the answers of two systems would else see little but
    their units."""
    from scipy.stats import rankdata

    if metric == "spearman":
        return np.asarray(rankdata(answers))
    if metric != "pearson":
        return answers
    numbers = answers.astype(np.float64)
    return np.asarray((numbers - numbers.mean()) / (numbers.std() or 1.0))


def _yes_or_no(measure: Measure) -> bool:
    return measure.shares is not None and bool(np.isin(measure.shares, (0.0, 1.0)).all())


def paired_shares(a: Floats, b: Floats, level: float = 0.95) -> Interval:
    """Of mean(a) - mean(b), two systems' hits on the same rows (Bonett and Price 2012): one row is added to those that
    only A, and to those that only B has right, so that it has width where hardly any row sets the two apart."""
    from scipy.stats import norm

    rows, only_a, only_b = len(a), float((a > b).sum()), float((b > a).sum())
    of_a, of_b = (only_a + 1) / (rows + 2), (only_b + 1) / (rows + 2)
    half = float(norm.ppf((1 + level) / 2)) * math.sqrt((of_a + of_b - (of_a - of_b) ** 2) / (rows + 2))
    value, middle = (only_a - only_b) / rows, of_a - of_b
    return Interval(value, max(-1.0, min(value, middle - half)), min(1.0, max(value, middle + half)), level)


def randomisation(
    make: MakeMeasure, targets: ArrayLike, a: ArrayLike, b: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> float:
    """Two-sided p of approximate randomisation (Noreen 1989): if the systems are alike, each row's two answers might as
    well be swapped. The observed assignment counts as one, so that p is never 0."""
    y, first, second = (np.asarray(side) for side in (targets, a, b))
    rows = len(y)
    both = make(np.concatenate([y, y]), np.concatenate([first, second]))
    random = np.random.default_rng([seed, rows, 2])
    ones = np.concatenate([np.ones(rows), np.zeros(rows)])[None]
    observed = abs(float((both(ones) - both(1 - ones))[0]))
    extreme, chunk, done = 0, max(1, CELLS // (2 * rows)), 0
    while done < resamples:
        size = min(chunk, resamples - done)
        kept = random.integers(0, 2, (size, rows), dtype=np.uint8)
        picked = np.concatenate([kept, 1 - kept], axis=1).astype(np.float64)
        extreme += int((np.abs(both(picked) - both(1 - picked)) >= observed - 1e-12).sum())
        done += size
    return (extreme + 1) / (resamples + 1)


def mcnemar(targets: ArrayLike, a: ArrayLike, b: ArrayLike) -> float:
    """Exact two-sided p on the rows that only one system got right (McNemar 1947): are the two kinds equally many?"""
    from scipy.stats import binomtest

    y = np.asarray(targets)
    first, second = (np.asarray(side) == y for side in (a, b))
    only_a, only_b = int((first & ~second).sum()), int((second & ~first).sum())
    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def holm(ps: Mapping[str, float]) -> dict[str, float]:
    """p-values that may be read side by side (Holm 1979): the chance of any false finding stays below the level.

    A NaN stays one, and is not counted among the tests.
    """
    tests = {name: p for name, p in ps.items() if not math.isnan(p)}
    out: dict[str, float] = {}
    worst = 0.0
    for i, name in enumerate(sorted(tests, key=tests.__getitem__)):
        worst = max(worst, min(1.0, (len(tests) - i) * tests[name]))
        out[name] = worst
    return {name: out.get(name, math.nan) for name in ps}


def smallest_difference(rows: int, discordant: float, *, level: float = 0.95, power: float = 0.8) -> float:
    """The smallest difference in accuracy that `rows` paired rows show with `power` (Connor 1987).

    discordant: the share of rows that exactly one of the two systems gets right; as large as the difference at least,
    since a difference is made of such rows. 1 where even a system that is right on all rows beside one that is wrong
    on all would not do.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    z_level, z_power = float(norm.ppf((1 + level) / 2)), float(norm.ppf(power))

    def missing(d: float) -> float:
        share = max(discordant, d)
        return d * math.sqrt(rows) - z_level * math.sqrt(share) - z_power * math.sqrt(share - d * d)

    least = 1e-9  # at 0 nothing is missing where no row is discordant
    return float(brentq(missing, least, 1.0)) if missing(1.0) > 0 else 1.0


def _resolvable(found: Interval, level: float, power: float = 0.8) -> float:
    """From the spread that the bootstrap saw: (z_level + z_power) standard errors."""
    from scipy.stats import norm

    z = float(norm.ppf((1 + level) / 2))
    return (z + float(norm.ppf(power))) * (found.high - found.low) / (2 * z)


def sentence(name_a: str, name_b: str, metric: str, verdict: Verdict, rows: int) -> str:
    """The verdict in words."""
    d = verdict.difference
    if not math.isfinite(d.value):
        return f"{metric} is not defined on these {rows:,} rows, so {name_a} and {name_b} cannot be compared."
    if verdict.resolved:
        better, worse = (name_a, name_b) if (d.value > 0) != verdict.lower_is_better else (name_b, name_a)
        low, high = (d.low, d.high) if d.value > 0 else (-d.high, -d.low)
        return (
            f"{better} is better than {worse}: {metric} differs by {abs(d.value):.3f} "
            f"({_reach(d, f'{low:.3f} to {high:.3f}')}p = {verdict.p:.3g}, {rows:,} rows)."
        )
    power = (
        f"they would show a difference of {verdict.resolvable:.3f} in four of five cases"
        if verdict.resolvable < 1
        else "they are too few to show any"
        if verdict.resolvable >= 1
        else "which difference they would show is not known"
    )
    close = " The test and the interval disagree: it is a close call." if _disagree(verdict) else ""
    return (
        f"These {rows:,} rows do not tell {name_a} from {name_b}: {metric} differs by {d.value:+.3f} "
        f"({_reach(d, f'{d.low:+.3f} to {d.high:+.3f}')}p = {verdict.p:.3g}); {power}.{close}"
    )


def _reach(d: Interval, bounds: str) -> str:
    return f"{100 * d.level:.0f} % interval {bounds}, " if math.isfinite(d.low) else "no interval, "


def _disagree(verdict: Verdict) -> bool:
    d = verdict.difference
    return math.isfinite(d.low) and (verdict.p < 1 - d.level) == (0.0 in d)
