"""The words of a batch, and a number for each run of them by which it is found again.

Shapes: N pieces and W words of B sequences.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from maskwright.base import draws
from maskwright.pretraining.masking._masking import Pieces, Vocabulary


@dataclass(frozen=True, eq=False)
class Words:
    """W words in order. of (N,) int64: the word of each piece, -1 for special ones; first (W,) int64: the first piece
    of each word; sizes (W,) int64: how many pieces it has; rows (W,) int64: its sequence; stretches (W,) int64, rising:
    words of a sequence with no special piece between them have the same."""

    of: np.ndarray
    first: np.ndarray
    sizes: np.ndarray
    rows: np.ndarray
    stretches: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    @property
    def ends(self) -> np.ndarray:
        """(W,) one past the last piece of each word."""
        return self.first + self.sizes

    def hashes(self, ids: np.ndarray) -> np.ndarray:
        """(W,) uint64: a number that follows from a word's pieces. ids (N,)."""
        out = np.zeros(len(self), np.uint64)
        longer = np.arange(len(self))
        for place in range(int(self.sizes.max(initial=0))):
            longer = longer[self.sizes[longer] > place]
            out[longer] = draws.bits(out[longer], ids[self.first[longer] + place])
        return out

    def grams(self, ids: np.ndarray, longest: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """For n = 1 to `longest`: n; (M,) int64 the words with which a run of n words of one stretch begins; (M,)
        uint64 the number of each run. Two different ones of a million runs share a number with a chance of 3e-8."""
        words = self.hashes(ids)
        found = words
        for n in range(1, min(longest, len(self)) + 1):
            if n > 1:
                found = draws.bits(found[:-1], words[n - 1 :])
            begins = np.flatnonzero(self.stretches[: len(found)] == self.stretches[n - 1 :])
            yield n, begins, found[begins]


def words_of(pieces: Pieces, vocabulary: Vocabulary) -> Words:
    of = pieces.words(vocabulary)
    inside = np.flatnonzero(of >= 0)
    sizes = np.bincount(of[inside])
    first = inside[np.cumsum(sizes) - sizes]
    rows = pieces.owner[first]
    apart = (first[1:] != (first + sizes)[:-1]) | (rows[1:] != rows[:-1])
    stretches = np.concatenate([[0], np.cumsum(apart)])[: len(first)]
    return Words(of, first, sizes, rows, stretches)


def places(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(M,) int64: where each value stands in a sorted table; -1 for those that are not in it."""
    if not len(table):
        return np.full(len(values), -1)
    at = np.minimum(np.searchsorted(table, values), len(table) - 1)
    return np.where(table[at] == values, at, -1)
