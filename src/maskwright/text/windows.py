"""Texts longer than an encoder takes, as windows that overlap, and the tokens that words are read from.

Shapes: B texts, S windows of all of them together (a text that is short enough is one), N pieces of all windows, R
words of all texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from maskwright.base.errors import UserError
from maskwright.text.encodings import Encodings
from maskwright.text.several import Several


def cut(length: int, room: int, overlap: int, starts: np.ndarray | None = None) -> list[tuple[int, int]]:
    """Where the windows of a text of `length` pieces begin and end, each of at most `room` pieces; neighbours share
    `overlap` pieces at least. starts (length,) bool: pieces that begin a word, where a window begins if it can.

    The last window is as long as the others: a short one would see little.
    """
    if length <= room:
        return [(0, length)]
    out: list[tuple[int, int]] = []
    start = 0
    while True:
        stop = min(start + room, length)
        out.append((start, stop))
        if stop == length:
            return out
        after = max(min(stop - overlap, length - room), start + 1)
        if starts is not None:
            low = start + max(1, (after - start) // 2)  # a word of hundreds of pieces must not cost as many windows
            words = np.flatnonzero(starts[low : after + 1])
            after = low + int(words[-1]) if len(words) else after
        start = after


def cores(windows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pieces that each window answers for: all are in one core, that of the window where they have most around
    them. What two windows share is parted in the middle."""
    cuts = [(one[1] + two[0] + 1) // 2 for one, two in pairwise(windows)]
    edges = [windows[0][0], *cuts, windows[-1][1]]
    return list(pairwise(edges))


@dataclass(frozen=True, eq=False)
class Windowed(Several):
    """B texts as S windows, their sequences, and the R tokens that are asked of them.

    asked (R,) int64: pieces of the windows, in order, not all different; asks (B+1,) int64: those of text b are
    `asks[b]` to `asks[b + 1]`; lost (B,) int64: pieces that are in no window, None for none; narrowed: see `Several`;
    edges (B, 2) bool, where these are windows of longer texts: whether each is asked for its text's first token, and
    for its last.
    """

    encodings: Encodings
    sequences: np.ndarray
    asked: np.ndarray
    asks: np.ndarray
    lost: np.ndarray | None = None
    narrowed: tuple[int, int] | None = None
    edges: np.ndarray | None = None

    @property
    def full_lengths(self) -> np.ndarray:
        """(B,): the pieces of each text, each once."""
        out: np.ndarray = self.encodings.full_lengths[self.sequences[:-1]]
        return out

    @property
    def counts(self) -> np.ndarray:
        """(B,): how many tokens are asked of each text."""
        return np.diff(self.asks)

    def windows(self, rows: np.ndarray) -> np.ndarray:
        """The windows of the texts at `rows` that something is asked of."""
        picked, _ = ranges(self.sequences, rows)
        return picked[self.by_window.counts[picked] > 0]

    @cached_property
    def by_window(self) -> Windowed:
        """The same with each window as a text of its own; their tokens that are asked are still in order."""
        asks = np.searchsorted(self.asked, self.encodings.offsets, side="left")
        text = np.repeat(np.arange(len(self)), np.diff(self.sequences))
        edges = np.stack([asks[:-1] == self.asks[text], asks[1:] == self.asks[text + 1]], axis=1)
        return Windowed(self.encodings, np.arange(len(self.encodings) + 1), self.asked, asks, edges=edges)

    @property
    def windowed(self) -> int:
        """How many texts stand in more than one window."""
        return int((np.diff(self.sequences) > 1).sum())

    @property
    def cut(self) -> np.ndarray:
        """(B,): how many pieces of each text were cut off."""
        return np.zeros(len(self), np.int64) if self.lost is None else self.lost

    def select(self, rows: Sequence[int] | np.ndarray) -> Windowed:
        """The texts at `rows`, in that order."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        picked, sequences = ranges(self.sequences, rows)
        chosen, asks = ranges(self.asks, rows)
        encodings = self.encodings.select(picked)
        moved = encodings.offsets[sequences[:-1]] - self.offsets[rows]
        lost = None if self.lost is None else self.lost[rows]
        edges = None if self.edges is None else self.edges[rows]
        asked = self.asked[chosen] + np.repeat(moved, np.diff(asks))
        return Windowed(encodings, sequences, asked, asks, lost, edges=edges)


def windowed(whole: Encodings, words: Sequence[np.ndarray], max_length: int, overlap: int) -> Windowed:
    """B single texts, encoded whole and with details, as windows of at most `max_length` pieces.

    words: of each text (W, 2), the first character of each word and the one behind its last, in order. A word is read
    from its first piece (Devlin et al. 2019, section 5.3); one that has no piece, since the tokenizer drops it, from
    the next one. Raises UserError for a length that leaves no room for text.
    """
    cuts = Cuts(whole, max_length, overlap, single)
    asks = np.concatenate([[0], np.cumsum([len(w) for w in words])]).astype(np.int64)
    pieces = cuts.place[_first_pieces(whole, words)]
    return Windowed(cuts.encodings, cuts.sequences, pieces, asks, narrowed=cuts.narrowed)


def windowed_pairs(whole: Encodings, max_length: int, overlap: int) -> Windowed:
    """B pairs, encoded whole and with details, the second text in windows and the first one in each. What is asked of a
    window are its first piece, which stands for nothing that is in it, and all pieces of the second text.

    Of a pair that is longer, a first text of more than half of `max_length` is cut at its end as far as it takes, and
    counted: else there would be many small windows. Raises UserError for a length that leaves no room for text.
    """
    cuts = Cuts(whole, max_length, overlap, lambda words: paired(words, max_length))
    asked, counts = [], []
    for first, last in pairwise(cuts.sequences.tolist()):
        own = [np.concatenate([[at], at + head + np.arange(size)]) for at, head, size in cuts.windows[first:last]]
        asked += own
        counts.append(sum(map(len, own)))
    asks = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    pieces = np.concatenate(asked).astype(np.int64) if asked else np.zeros(0, np.int64)
    return Windowed(cuts.encodings, cuts.sequences, pieces, asks, np.array(cuts.lost, np.int64), cuts.narrowed)


class Frame(NamedTuple):
    """Of the pieces of a text those that stand before what is cut into windows, in each of them; where that begins and
    ends; and how many pieces are in none."""

    before: np.ndarray
    start: int
    stop: int
    lost: int = 0


class Cuts:
    """B texts cut into windows. sequences (B+1,): those of each; place (N,): of each piece of the whole that is of a
    window's core its place in the windows, and of each text's first piece, -1 for others; windows: of each its first
    piece, how many pieces stand before its text, and how many pieces of text it has; lost: pieces of each text that are
    in no window. Neighbours share at most half of the room that a window has for text; narrowed: see `Several`."""

    def __init__(self, whole: Encodings, max_length: int, overlap: int, frame: Callable[[np.ndarray], Frame]) -> None:
        assert whole.words is not None
        self.place = np.full(len(whole.ids), -1, np.int64)
        self.windows: list[tuple[int, int, int]] = []
        self.lost: list[int] = []
        self.narrowed: tuple[int, int] | None = None
        take, counts, at = list[np.ndarray](), list[int](), 0
        for first, end in pairwise(whole.offsets.tolist()):
            before, start, stop, lost = frame(whole.words[first:end])
            around = len(before) + (end - first - stop)
            found = self._cut(whole.words[first + start : first + stop], max_length - around, max_length, overlap)
            self.place[first] = at
            for (a, b), (low, high) in zip(found, cores(found), strict=True):
                inner = np.arange(first + start + a, first + start + b)
                take.append(np.concatenate([first + before, inner, np.arange(first + stop, end)]))
                self.place[first + start + low : first + start + high] = at + len(before) + np.arange(low, high) - a
                self.windows.append((at, len(before), b - a))
                at += len(take[-1])
            counts.append(len(found))
            self.lost.append(lost)
        self.sequences = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.encodings = taken(whole, take, counts)

    def _cut(self, body: np.ndarray, room: int, max_length: int, overlap: int) -> list[tuple[int, int]]:
        check_room(room, max_length, len(body))
        shared = min(overlap, max(room, 1) // 2)
        found = cut(len(body), max(room, 1), shared, np.append(True, body[1:] != body[:-1]))
        if shared < overlap and len(found) > 1:
            self.narrowed = overlap, min(shared, self.narrowed[1] if self.narrowed else shared)
        return found


def check_room(room: int, max_length: int, size: int) -> None:
    """Raises UserError where a text of `size` pieces has no room at all."""
    if room < 1 and size:
        raise UserError(
            f"max_length = {max_length} leaves no room for text beside the {max_length - room} pieces that stand "
            f"around it. Give {max_length - room + 1} or more."
        )


def taken(whole: Encodings, take: list[np.ndarray], counts: Sequence[int]) -> Encodings:
    pieces = np.concatenate(take) if take else np.zeros(0, np.int64)
    lengths = np.fromiter(map(len, take), np.int64, len(take))
    ids = whole.ids[pieces]
    assert whole.spans is not None
    assert whole.words is not None
    return Encodings(
        ids,
        whole.segments[pieces],
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.repeat(whole.full_lengths, counts),
        int((ids == whole.unknown_id).sum()),
        whole.spans[pieces],
        whole.words[pieces],
        whole.unknown_id,
    )


def _frame(words: np.ndarray) -> tuple[int, int]:
    """Where the pieces of a text begin and end among those of its template, which are no words."""
    inside = np.flatnonzero(words >= 0)
    return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (1, 1)


def single(words: np.ndarray) -> Frame:
    head, tail = _frame(words)
    return Frame(np.arange(head), head, tail)


Kept = Callable[[int, int], np.ndarray]  #: (count, room) -> which of `count` pieces stay where there is room for fewer


def beginning(count: int, room: int) -> np.ndarray:
    return np.arange(room)


def paired(words: np.ndarray, max_length: int, most: int | None = None, kept: Kept = beginning) -> Frame:
    """Of a pair, behind whose second text one piece of the template stands. Of one that is too long the first text is
    cut until the pair fits, or no more than `most` pieces stand before the second one, by default half of
    `max_length`; kept: what stays of it."""
    texts, start = first_text(words)
    most = max_length // 2 if most is None else most
    lost = max(0, min(len(words) - max_length, start - most, len(texts)))
    stay = texts[kept(len(texts), len(texts) - lost)] if lost else texts
    before = np.sort(np.concatenate([np.flatnonzero(words[:start] < 0), stay]))
    return Frame(before, start, len(words) - 1, lost)


def first_text(words: np.ndarray) -> tuple[np.ndarray, int]:
    """Of a pair the places of the first text's pieces, and where the second one begins."""
    frames = np.flatnonzero(words[:-1] < 0)
    start = int(frames[-1]) + 1 if len(frames) else 0
    return np.flatnonzero(words[:start] >= 0), start


def _first_pieces(whole: Encodings, words: Sequence[np.ndarray]) -> np.ndarray:
    """(R,) the piece of `whole` that each word is read from: the first that reaches beyond the word's first character,
    or the text's last; of a text without pieces the first of its template."""
    assert whole.spans is not None
    assert whole.words is not None
    out = []
    for start, stop, bounds in zip(whole.offsets[:-1].tolist(), whole.offsets[1:].tolist(), words, strict=True):
        head, tail = _frame(whole.words[start:stop])
        ends = whole.spans[start + head : start + tail, 1]
        if not len(ends):
            out.append(np.full(len(bounds), start))
            continue
        found = np.searchsorted(ends, np.asarray(bounds).reshape(-1, 2)[:, 0], side="right")
        out.append(start + head + np.minimum(found, len(ends) - 1))
    return np.concatenate(out).astype(np.int64) if out else np.zeros(0, np.int64)


def ranges(bounds: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The members of the groups at `rows`, one group behind the other, and where each group begins then."""
    sizes = np.diff(bounds)[rows]
    after = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return np.arange(after[-1]) + np.repeat(bounds[:-1][rows] - after[:-1], sizes), after
