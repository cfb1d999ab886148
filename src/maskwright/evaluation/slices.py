"""Where does a model fail? Parts of the rows on which it is resolvably worse than on the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskwright.stats.comparison import holm
from maskwright.stats.intervals import Interval, wilson

PARTS = ("low", "middle", "high")  #: thirds of a number
LEAST = 20  #: rows that a part must have
VALUES = 20  #: a column of more different values is no grouping


@dataclass(frozen=True)
class Slice:
    """A part of the rows beside the rest."""

    name: str
    rows: int
    accuracy: Interval
    rest: float
    p: float  #: of Fisher's exact test against the rest, corrected for all slices (Holm)

    @property
    def worse(self) -> bool:
        return self.p < 1 - self.accuracy.level and self.accuracy.value < self.rest


def slices(hits: np.ndarray, numbers: Mapping[str, np.ndarray], columns: Mapping[str, Sequence[Any]]) -> list[Slice]:
    """Thirds of each number and values of each column, the worst first.

    hits: (rows,) bool. A column takes part when it has 2 to VALUES different values that are not all rare.
    """
    from scipy.stats import fisher_exact

    found, ps = {}, {}
    for name, inside in [*_thirds(numbers), *_groups(columns, len(hits))]:
        size = int(inside.sum())
        if min(size, len(hits) - size) < LEAST:
            continue
        right, others = int(hits[inside].sum()), int(hits[~inside].sum())
        table = [[right, size - right], [others, len(hits) - size - others]]
        ps[name] = float(fisher_exact(table).pvalue)
        found[name] = (size, wilson(right, size), others / (len(hits) - size))
    corrected = holm(ps)
    out = [Slice(name, size, share, rest, corrected[name]) for name, (size, share, rest) in found.items()]
    return sorted(out, key=lambda part: (not part.worse, part.accuracy.value - part.rest))


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
