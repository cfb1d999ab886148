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
from maskwright.stats.measures import Measure

MakeMeasure = Callable[[NDArray[Any], NDArray[Any]], Measure]  #: (targets, outputs) -> measure


@dataclass(frozen=True)
class Verdict:
    """The difference A - B with its interval, and how likely as large a one would be if there were none."""

    difference: Interval
    p: float
    resolvable: float  #: the true difference that a set like this one shows in four of five cases
    test: str

    @property
    def resolved(self) -> bool:
        return self.p < 1 - self.difference.level


def difference(a: Measure, b: Measure) -> Measure:
    return lambda counts: a(counts) - b(counts)


def compare(
    make: MakeMeasure, targets: ArrayLike, a: ArrayLike, b: ArrayLike, *, level: float = 0.95, seed: int = 0
) -> Verdict:
    """Paired bootstrap for the interval, approximate randomisation for p.

    make: what turns targets and one system's outputs into a measure, such as `measures.accuracy`.
    """
    y, first, second = (np.asarray(side) for side in (targets, a, b))
    if not len(y) == len(first) == len(second):
        raise UserError(f"The systems must answer the same rows; got {len(y)} targets, {len(first)} and {len(second)}.")
    found = bootstrap(difference(make(y, first), make(y, second)), len(y), level=level, seed=seed)
    p = randomisation(make, y, first, second, seed=seed)
    return Verdict(found, p, _resolvable(found, level), "approximate randomisation")


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
    """p-values that may be read side by side (Holm 1979): the chance of any false finding stays below the level."""
    out: dict[str, float] = {}
    worst = 0.0
    for i, name in enumerate(sorted(ps, key=ps.__getitem__)):
        worst = max(worst, min(1.0, (len(ps) - i) * ps[name]))
        out[name] = worst
    return {name: out[name] for name in ps}


def smallest_difference(rows: int, discordant: float, *, level: float = 0.95, power: float = 0.8) -> float:
    """The smallest difference in accuracy that `rows` paired rows show with `power` (Connor 1987).

    discordant: the share of rows that exactly one of the two systems gets right. 1 where no difference would do.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    z_level, z_power = float(norm.ppf((1 + level) / 2)), float(norm.ppf(power))

    def missing(d: float) -> float:
        needed = z_level * math.sqrt(discordant) + z_power * math.sqrt(max(discordant - d * d, 0.0))
        return d * math.sqrt(rows) - needed

    if discordant <= 0:
        return 0.0
    return float(brentq(missing, 0.0, discordant)) if missing(discordant) > 0 else 1.0


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
        better, worse = (name_a, name_b) if d.value > 0 else (name_b, name_a)
        low, high = sorted((abs(d.low), abs(d.high)))
        return (
            f"{better} is better than {worse}: {metric} differs by {abs(d.value):.3f} "
            f"({100 * d.level:.0f} % interval {low:.3f} to {high:.3f}, p = {verdict.p:.3g}, {rows:,} rows)."
        )
    return (
        f"These {rows:,} rows do not tell {name_a} from {name_b}: {metric} differs by {abs(d.value):.3f} "
        f"({100 * d.level:.0f} % interval {d.low:+.3f} to {d.high:+.3f}, p = {verdict.p:.3g}); "
        f"they would show a difference of {verdict.resolvable:.3f} in four of five cases."
    )
