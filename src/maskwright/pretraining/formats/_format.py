"""The contract of a format, and the sequences that it makes.

Shapes: R sequences of C chunks; a chunk is a run of pieces of the corpus.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from maskwright.base.choice import Part
from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.masking import Pieces

IN_ORDER = 0  #: a pair's label: its second text follows the first
OTHERWISE = 1  #: another text does, or they are swapped


@dataclass(frozen=True, eq=False)
class Sequences:
    """R sequences, each [CLS] chunk [SEP], or [CLS] chunk [SEP] chunk [SEP] and so on.

    starts, ends (C,) int64: the pieces of each chunk; segments (C,) uint8; offsets (R + 1,) int64: where each sequence
    begins among the chunks; labels (R,) int64: of pairs, IN_ORDER or OTHERWISE. single, cut: pieces of the corpus that
    no sequence has, since a document of one sentence makes no pair, and since a pair was too long.
    """

    starts: np.ndarray
    ends: np.ndarray
    segments: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray | None = None
    single: int = 0
    cut: int = 0

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> np.ndarray:
        """(R,) int64 pieces of each sequence, [CLS] and every [SEP] counted."""
        ends = np.concatenate([[0], np.cumsum(self.ends - self.starts + 1)])[self.offsets]
        return 1 + np.diff(ends)

    @cached_property
    def texts(self) -> np.ndarray:
        """(R,) int64 pieces of each sequence, special ones not counted."""
        return self.lengths - 1 - np.diff(self.offsets)

    def assemble(self, rows: np.ndarray, ids: np.ndarray, cls: int, sep: int) -> Pieces:
        """The given sequences end to end. ids: those of the corpus, of which only these sequences' are read."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        out, segments = np.full(offsets[-1], sep, np.int64), np.zeros(offsets[-1], np.int64)
        out[offsets[:-1]] = cls
        for at, row in zip((offsets[:-1] + 1).tolist(), rows.tolist(), strict=True):
            for chunk in range(self.offsets[row], self.offsets[row + 1]):
                size = int(self.ends[chunk] - self.starts[chunk])
                out[at : at + size] = ids[self.starts[chunk] : self.ends[chunk]]
                segments[at : at + size + 1] = self.segments[chunk]
                at += size + 1
        return Pieces(out, offsets, rows, segments, None if self.labels is None else self.labels[rows])


class Format(Part):
    """Cuts a corpus into sequences of at most so many pieces."""

    pairs: ClassVar[bool] = False  #: whether a sequence has two texts and a label of their order

    @abstractmethod
    def sequences(self, corpus: Encoded, length: int, seed: int, epoch: int) -> Sequences:
        """All sequences of one pass over the corpus, of at most `length` pieces with the special ones. Where nothing is
        drawn they are the same in each epoch. Raises UserError for a corpus that has none."""


def whole(starts: np.ndarray, ends: np.ndarray) -> Sequences:
    """Sequences of one chunk each."""
    return Sequences(starts, ends, np.zeros(len(starts), np.uint8), np.arange(len(starts) + 1))
