"""What examples of several sequences have in common: windows of a text, choices of a question, joined chunks."""

from __future__ import annotations

import numpy as np

from maskwright.text.encodings import Cuttable, Encodings


class Several(Cuttable):
    """B examples of one sequence or more. encodings: the sequences; sequences (B+1,) int64: those of example b are
    `sequences[b]` to `sequences[b + 1]`. What an example has is told as `Encodings` tells it, over its sequences."""

    encodings: Encodings
    sequences: np.ndarray
    #: of sequences that overlap: how many pieces neighbours were to share, and how few some do, where these are fewer
    narrowed: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.sequences) - 1

    @property
    def ids(self) -> np.ndarray:
        return self.encodings.ids

    @property
    def segments(self) -> np.ndarray:
        return self.encodings.segments

    @property
    def offsets(self) -> np.ndarray:
        """(B+1,): the pieces of an example's sequences."""
        return self.encodings.offsets[self.sequences]

    @property
    def lengths(self) -> np.ndarray:
        """(B,): how many pieces are computed for an example, those that its sequences share more than once."""
        return np.diff(self.offsets)

    @property
    def unknown(self) -> int:
        return self.encodings.unknown

    @property
    def unknown_id(self) -> int:
        return self.encodings.unknown_id
