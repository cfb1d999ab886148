"""Maskings that draw spans of words one after the other, until as many pieces are chosen as shall be."""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np

from maskwright.pretraining.masking._masking import Draw, Masking, Pieces, Vocabulary
from maskwright.pretraining.masking._words import words_of

_LENGTH, _START, _LAST = 10, 11, 12  # streams of random numbers


class SpanMasking(Masking):
    """A span's length in words is drawn, then its first word, each of those from where it has room as likely as the
    others. Spans hold no special piece and no word of another span; they may touch. Where no room is long enough, a
    span fills the longest. The span that spends the budget is cut word by word; the word that does not fit is taken
    with the chance (what is left) / (its size), so that the chosen pieces are in expectation exactly the budget."""

    @abstractmethod
    def lengths(self) -> np.ndarray:
        """(longest,) float64: the chances of spans of 1, 2, ... words. They come to 1."""

    def choose(self, pieces: Pieces, vocabulary: Vocabulary, budget: np.ndarray, draw: Draw) -> np.ndarray:
        words = words_of(pieces, vocabulary)
        turns = np.arange(math.ceil(budget.max(initial=0)))[:, None]  # each span but the last has a piece or more
        bounds = np.cumsum(self.lengths())[:-1]
        lengths = 1 + np.searchsorted(bounds, draw.of_rows(pieces, _LENGTH, turns), side="right")
        starts, last = draw.of_rows(pieces, _START, turns), draw.of_rows(pieces, _LAST)
        begins = np.flatnonzero(np.diff(words.stretches, prepend=-1))
        rooms = list(zip(begins.tolist(), [*begins[1:].tolist(), len(words)], strict=False))
        of_row = np.searchsorted(words.rows[begins], np.arange(len(pieces) + 1)).tolist()
        turns_of = zip(lengths.T.tolist(), starts.T.tolist(), budget.tolist(), last.tolist(), strict=True)
        sizes = words.sizes.tolist()
        spans = []
        for row, (drawn, at, left, chance) in enumerate(turns_of):
            spans += _spans(rooms[of_row[row] : of_row[row + 1]], sizes, drawn, at, left, chance)
        units = np.full(len(pieces.ids), -1)
        ends = words.ends
        for number, (first, stop) in enumerate(spans):
            units[words.first[first] : ends[stop - 1]] = number
        return units


def _spans(
    rooms: list[tuple[int, int]], sizes: list[int], lengths: list[int], starts: list[float], left: float, last: float
) -> list[tuple[int, int]]:
    """Spans of one sequence as (first word, one past the last), in the order in which they are drawn.

    rooms: where words are free, as (first, one past the last); sizes: pieces of each word; lengths: of the spans;
    starts, last: in [0, 1), for the span's first word and the word that does not fit; left: the budget.
    """
    found = []
    for length, start in zip(lengths, starts, strict=True):
        if left <= 0 or not rooms:
            break
        free = [max(0, b - a - length + 1) for a, b in rooms]
        if not any(free):
            length = max(b - a for a, b in rooms)
            free = [max(0, b - a - length + 1) for a, b in rooms]
        place, room = int(start * sum(free)), 0
        while place >= free[room]:
            place -= free[room]
            room += 1
        a, b = rooms[room]
        first = stop = a + place
        while stop < first + length and sizes[stop] <= left:
            left -= sizes[stop]
            stop += 1
        if stop < first + length:
            stop += last * sizes[stop] < left
            left = 0
        if stop > first:
            found.append((first, stop))
        rooms[room : room + 1] = [(x, y) for x, y in ((a, first), (stop, b)) if x < y]
    return found
