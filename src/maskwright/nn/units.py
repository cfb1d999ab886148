"""What stands on a line of a rectangle: queries, and the keys that they look at."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from maskwright.nn.pattern import Pattern

LENGTHS = 8  #: lengths beyond this are rounded up to a multiple of it
STRETCH = 64  #: least number of queries that share their keys where a long sequence is cut

Span = tuple[int, int]  #: (first row, number of rows, maybe 0)


@dataclass(frozen=True)
class Unit:
    """A sequence, or a stretch of a long one with the keys around it."""

    asking: list[Span]  #: rows of the queries
    asked: list[Span]  #: rows of the batch
    height: int  #: how many queries it has when all tokens ask, so that its place does not depend on who does

    @cached_property
    def width(self) -> int:
        return sum(size for _, size in self.asked)

    @property
    def cells(self) -> int:
        return self.height * self.width


def units(
    lengths: Sequence[int],
    counts: Sequence[int] | None = None,
    tokens: Sequence[int] | None = None,
    pattern: Pattern | None = None,
    marks: Sequence[int] = (),
) -> list[Unit]:
    """The units of sequences of these lengths.

    counts, tokens: where not all tokens ask, how many of each sequence do, and which, in rising order. pattern: long
    sequences are cut where it is much narrower than they are; None: they stay whole. marks: the tokens that every query
    of their sequence looks at too, in rising order.
    """
    starts = [0, *accumulate(lengths)]
    asks = starts if counts is None else [0, *accumulate(counts)]
    found = []
    for i, length in enumerate(lengths):
        if pattern is None or pattern.width is None or length <= _stretch(pattern) + pattern.width:
            found.append(Unit([(asks[i], asks[i + 1] - asks[i])], [(starts[i], length)], length))
        else:
            found += _stretches(starts[i], length, tokens, pattern, marks)
    return found


def rounded(size: int, exact: bool) -> int:
    """Sizes that come again, for which a kernel is there already."""
    return size if exact or size <= LENGTHS else -(-size // LENGTHS) * LENGTHS


def _stretch(pattern: Pattern) -> int:
    """How many queries share their keys: half as many as a query sees. More would compute more scores in vain, fewer
    would copy more keys."""
    assert pattern.width is not None
    return max(STRETCH, rounded(pattern.width // 2, False))


def _stretches(
    start: int, length: int, tokens: Sequence[int] | None, pattern: Pattern, marks: Sequence[int]
) -> Iterator[Unit]:
    assert pattern.before is not None
    assert pattern.after is not None
    mine = marks[bisect_left(marks, start) : bisect_left(marks, start + length)] if pattern.marked else ()
    step = _stretch(pattern)
    for first in range(start, start + length, step):
        last = min(first + step, start + length)
        low, high = max(start, first - pattern.before), min(start + length, last + pattern.after)
        far = [(mark, 1) for mark in mine if not low <= mark < high]
        asking = (first, last) if tokens is None else (bisect_left(tokens, first), bisect_left(tokens, last))
        yield Unit([(asking[0], asking[1] - asking[0])], [*far, (low, high - low)], last - first)
