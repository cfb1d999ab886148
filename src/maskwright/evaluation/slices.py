"""Where does a model fail? Parts of the rows on which it is resolvably worse than on the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskwright.stats.comparison import holm
from maskwright.stats.intervals import Interval, bootstrap, wilson
from maskwright.stats.measures import mean

PARTS = ("low", "middle", "high")  #: thirds of a number
LEAST = 20  #: rows that a part must have
VALUES = 20  #: a column of more different values is no grouping

Numbers = Mapping[str, np.ndarray]
Columns = Mapping[str, Sequence[Any]]
#: (values of a part, of the rest) -> the part's figure, the rest's, p of a test whether they differ
Judge = Callable[[np.ndarray, np.ndarray], tuple[Interval, float, float]]


@dataclass(frozen=True)
class Slice:
    """A part of the rows beside the rest."""

    name: str
    rows: int
    figure: Interval
    rest: float
    p: float  #: of a test against the rest, corrected for all slices (Holm)
    lost: float  #: by how much the figure is worse than the rest's; negative where it is better

    @property
    def worse(self) -> bool:
        return self.p < 1 - self.figure.level and self.lost > 0


def slices(hits: np.ndarray, numbers: Numbers, columns: Columns) -> list[Slice]:
    """The share of hits in thirds of each number and for the values of each column, the worst first; the test is
    Fisher's exact one.

    hits: (rows,) bool. A column takes part when it has 2 to VALUES different values that are not all rare.
    """
    return _judged(hits, numbers, columns, _share, higher_is_better=True)


def error_slices(errors: np.ndarray, numbers: Numbers, columns: Columns) -> list[Slice]:
    """The mean absolute error in the same parts, with a bootstrap interval; the test is Mann and Whitney's (1947),
    which large single errors do not sway.

    errors: (rows,) of either sign.
    """
    return _judged(np.abs(errors), numbers, columns, _mean_error, higher_is_better=False)


def _judged(
    values: np.ndarray, numbers: Numbers, columns: Columns, judge: Judge, higher_is_better: bool
) -> list[Slice]:
    found, ps = {}, {}
    for name, inside in [*_thirds(numbers), *_groups(columns, len(values))]:
        size = int(inside.sum())
        if min(size, len(values) - size) >= LEAST:
            figure, rest, ps[name] = judge(values[inside], values[~inside])
            found[name] = (size, figure, rest)
    corrected, sign = holm(ps), 1 if higher_is_better else -1
    out = [
        Slice(name, size, figure, rest, corrected[name], sign * (rest - figure.value))
        for name, (size, figure, rest) in found.items()
    ]
    return sorted(out, key=lambda part: (not part.worse, -part.lost))


def _share(part: np.ndarray, rest: np.ndarray) -> tuple[Interval, float, float]:
    from scipy.stats import fisher_exact

    right, others = int(part.sum()), int(rest.sum())
    p = float(fisher_exact([[right, len(part) - right], [others, len(rest) - others]]).pvalue)
    return wilson(right, len(part)), others / len(rest), p


def _mean_error(part: np.ndarray, rest: np.ndarray) -> tuple[Interval, float, float]:
    from scipy.stats import mannwhitneyu

    p = float(mannwhitneyu(part, rest).pvalue)
    return bootstrap(mean(part), len(part)), float(rest.mean(dtype=np.float64)), p


def _thirds(numbers: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    for name, values in numbers.items():
        cuts = np.quantile(values, [1 / 3, 2 / 3])
        part = np.searchsorted(cuts, values, side="left")
        for i, words in enumerate(PARTS):
            inside = part == i
            if inside.any():
                yield f"{name}, {words} ({values[inside].min():.4g} to {values[inside].max():.4g})", inside


def _groups(columns: Mapping[str, Sequence[Any]], rows: int) -> Iterator[tuple[str, np.ndarray]]:
    for name, cells in columns.items():
        values = [str(cell) for cell in cells]
        counts = Counter(values)
        if 2 <= len(counts) <= VALUES:
            for value in sorted(counts):
                yield f"{name} = {value[:60]}", np.fromiter((v == value for v in values), bool, rows)


def rarity(ids: np.ndarray, offsets: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(rows,) the mean of -log2 of how often each piece of a text stands among the training pieces, one added to each.

    ids, offsets: pieces of the rows; seen: (V,) counts of the training pieces.
    """
    surprise = -np.log2((seen + 1) / (seen.sum() + len(seen)))
    sums = np.add.reduceat(np.append(surprise[ids], 0.0), offsets[:-1])
    lengths = np.diff(offsets)
    return np.where(lengths > 0, sums / np.maximum(lengths, 1), 0.0)
