"""Several sequences that belong to one example, such as a question with each of its choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from maskwright.text.encodings import Encodings
from maskwright.text.several import Several
from maskwright.text.windows import Cuts, Frame, Kept, beginning, check_room, paired, ranges, single, taken


@dataclass(frozen=True, eq=False)
class Grouped(Several):
    """B examples, each of one sequence or more, which are computed together."""

    encodings: Encodings
    sequences: np.ndarray
    joined: bool = False  #: whether a network says one thing of an example, and not one of each sequence
    lost: np.ndarray | None = None  #: (B,) pieces of each that are in no sequence, where `encodings` do not tell them
    narrowed: tuple[int, int] | None = None  #: see `Several`

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
    def full_pieces(self) -> int:
        """How many pieces there were before truncation, those of all sequences where each is a text of its own."""
        return super().full_pieces if self.joined else self.encodings.full_pieces

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
    return Grouped(cuts.encodings, cuts.sequences, True, np.array(cuts.lost, np.int64), cuts.narrowed)


def shortened(whole: Encodings, max_length: int, kept: Kept, pairs: bool) -> Encodings:
    """B texts, encoded whole and with details, each with at most `max_length` pieces. kept: what stays of a longer one;
    of pairs the first text is cut to half of the length where it takes that, then the second one. Raises UserError for
    a length without room for text."""
    return _shortened(whole, max_length, kept, _frames(max_length, pairs, kept))


def shortened_firsts(whole: Encodings, max_length: int, kept: Kept) -> Encodings:
    """B pairs, encoded whole and with details, each with at most `max_length` pieces: the first text is cut as far as
    it takes, and the second one at its end where all of the first is not enough. kept: what stays of the first text.
    Raises UserError for a length without room for text."""
    return _shortened(whole, max_length, beginning, lambda words: paired(words, max_length, 0, kept))


def _shortened(whole: Encodings, max_length: int, kept: Kept, frame: Callable[[np.ndarray], Frame]) -> Encodings:
    assert whole.words is not None
    take = []
    for first, end in pairwise(whole.offsets.tolist()):
        before, start, stop, _ = frame(whole.words[first:end])
        room, body = max_length - len(before) - (end - first - stop), np.arange(start, stop)
        check_room(room, max_length, len(body))
        body = body if len(body) <= room else body[kept(len(body), room)]
        take.append(first + np.concatenate([before, body, np.arange(stop, end - first)]))
    return taken(whole, take, [1] * len(take))


def _frames(max_length: int, pairs: bool, kept: Kept = beginning) -> Callable[[np.ndarray], Frame]:
    return (lambda words: paired(words, max_length, kept=kept)) if pairs else single
