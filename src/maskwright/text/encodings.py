"""Encoded texts, packed: all pieces of all texts end to end, never padded.

Shapes: B texts (or pairs of texts), N pieces of all of them together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


class Cuttable(ABC):
    """What is told of B texts (pairs, examples) from which pieces may have been cut off."""

    @property
    @abstractmethod
    def cut(self) -> np.ndarray:
        """(B,) int64: how many pieces truncation took away of each."""

    full_lengths: np.ndarray  #: (B,) int64: how many pieces each had before truncation

    @property
    def truncated(self) -> int:
        """How many were cut."""
        return int((self.cut > 0).sum())

    @property
    def pieces_cut(self) -> int:
        """How many pieces truncation took away, over all."""
        return int(self.cut.sum())

    @property
    def full_pieces(self) -> int:
        """How many pieces there were before truncation, over all."""
        return int(self.full_lengths.sum())

    @property
    def share_cut(self) -> float:
        """What share of all pieces truncation took away."""
        return self.pieces_cut / max(1, self.full_pieces)


@dataclass(frozen=True, eq=False)
class Encodings(Cuttable):
    """N pieces of B texts, end to end: the pieces of text b are `ids[offsets[b]:offsets[b + 1]]`.

    ids (N,) int32; segments (N,) uint8, 0 for the first text and 1 for the second of a pair; offsets (B+1,) int64;
    full_lengths (B,) int64, the pieces each text (pair) had before truncation, specials included; unknown, how many
    of the pieces are the unknown piece.

    With details: spans (N, 2) int32, the characters (code points) a piece stands for in the text it came from, and
    words (N,) int32, the index of its word in that text. Pieces that the template adds, such as [CLS] and [SEP], have
    the span 0, 0 and the word -1; a special piece written in the text itself has its own span and word.
    """

    ids: np.ndarray
    segments: np.ndarray
    offsets: np.ndarray
    full_lengths: np.ndarray
    unknown: int
    spans: np.ndarray | None = None
    words: np.ndarray | None = None
    unknown_id: int = -1  # what `unknown` counts, so that `select` can count again; -1: the vocabulary has none

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """(B,) int64: pieces of each text as they stand here, specials included."""
        return np.diff(self.offsets)

    @property
    def cut(self) -> np.ndarray:
        """(B,) int64: how many pieces truncation took away of each text (pair)."""
        return self.full_lengths - self.lengths

    @property
    def windowed(self) -> int:
        """How many texts stand in more than one sequence."""
        return 0

    def select(self, rows: Sequence[int] | np.ndarray) -> Encodings:
        """The texts at `rows`, in that order; a row may come twice. Raises IndexError for a row that is not there."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        lengths = self.lengths[rows]
        offsets = _offsets(lengths)
        pieces = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths)
        ids = self.ids[pieces]
        assert self.unknown_id >= 0 or not self.unknown, "unknown pieces were counted, but not which id they have"
        return Encodings(
            ids=ids,
            segments=self.segments[pieces],
            offsets=offsets,
            full_lengths=self.full_lengths[rows],
            unknown=int((ids == self.unknown_id).sum()),
            spans=None if self.spans is None else self.spans[pieces],
            words=None if self.words is None else self.words[pieces],
            unknown_id=self.unknown_id,
        )


def join(blocks: Sequence[Encodings]) -> Encodings:
    """Encodings one after the other as one. There is at least one, and all have details or none has."""
    first = blocks[0]
    if len(blocks) == 1:
        return first
    return Encodings(
        ids=np.concatenate([b.ids for b in blocks]),
        segments=np.concatenate([b.segments for b in blocks]),
        offsets=_offsets(np.concatenate([b.lengths for b in blocks])),
        full_lengths=np.concatenate([b.full_lengths for b in blocks]),
        unknown=sum(b.unknown for b in blocks),
        spans=None if first.spans is None else np.concatenate([b.spans for b in blocks if b.spans is not None]),
        words=None if first.words is None else np.concatenate([b.words for b in blocks if b.words is not None]),
        unknown_id=first.unknown_id,
    )


def _offsets(lengths: np.ndarray) -> np.ndarray:
    """(B+1,) int64: where each text starts, and the end."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
