"""Several sequences that belong to one example, such as a question with each of its choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from maskwright.text.encodings import Encodings
from maskwright.text.several import Several
from maskwright.text.windows import Cuts, Frame, paired, ranges, single, taken


@dataclass(frozen=True, eq=False)
class Grouped(Several):
    """B examples, each of one sequence or more, which are computed together."""

    encodings: Encodings
    sequences: np.ndarray
    joined: bool = False  #: whether a network says one thing of an example, and not one of each sequence
    lost: np.ndarray | None = None  #: (B,) pieces of each that are in no sequence, where `encodings` do not tell them

    @classmethod
    def of(cls, encodings: Encodings, counts: Sequence[int]) -> Grouped:
        """counts: how many sequences each example has."""
        return cls(encodings, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))

    @property
    def counts(self) -> np.ndarray:
        """(B,): how many sequences each example has."""
        return np.diff(self.sequences)

    @property
    def full_lengths(self) -> np.ndarray:
        """(B,): the pieces of an example, of which chunks are parts; else those of its longest sequence before it was
        cut, which is what the encoder's length is to be compared with."""
        return np.maximum.reduceat(self.encodings.full_lengths, self.sequences[:-1]) if len(self) else np.zeros(0, int)

    @property
    def cut(self) -> np.ndarray:
        """(B,): how many pieces of each example were cut off."""
        if self.lost is not None:
            return self.lost
        return np.add.reduceat(self.encodings.cut, self.sequences[:-1]) if len(self) else np.zeros(0, int)

    @property
    def windowed(self) -> int:
        """How many texts stand in more than one sequence."""
        return int((self.counts > 1).sum()) if self.joined else 0

    def select(self, rows: Sequence[int] | np.ndarray) -> Grouped:
        """The examples at `rows`, in that order."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        picked, sequences = ranges(self.sequences, rows)
        lost = None if self.lost is None else self.lost[rows]
        return Grouped(self.encodings.select(picked), sequences, self.joined, lost)


def chunked(whole: Encodings, max_length: int, overlap: int, pairs: bool) -> Grouped:
    """B texts, encoded whole and with details, in chunks of at most `max_length` pieces with the template's pieces
    around each; of pairs the second text, behind the first one. Raises UserError for a length without room for text."""
    cuts = Cuts(whole, max_length, overlap, _frames(max_length, pairs))
    return Grouped(cuts.encodings, cuts.sequences, True, np.array(cuts.lost, np.int64))


def without_middle(whole: Encodings, max_length: int, share: float, pairs: bool) -> Encodings:
    """B texts, encoded whole and with details, each with at most `max_length` pieces: what a longer one has in its
    middle is left out, of pairs in the middle of the second text. share: of what stays, that before the gap."""
    assert whole.words is not None
    take = []
    frame = _frames(max_length, pairs)
    for first, end in pairwise(whole.offsets.tolist()):
        before, start, stop, _ = frame(whole.words[first:end])
        room = max(max_length - len(before) - (end - first - stop), 0)
        head = stop - start if stop - start <= room else round(share * room)
        tail = 0 if stop - start <= room else room - head
        parts = before, np.arange(start, start + head), np.arange(stop - tail, stop), np.arange(stop, end - first)
        take.append(first + np.concatenate(parts))
    return taken(whole, take, [1] * len(take))


def _frames(max_length: int, pairs: bool) -> Callable[[np.ndarray], Frame]:
    return (lambda words: paired(words, max_length)) if pairs else single
