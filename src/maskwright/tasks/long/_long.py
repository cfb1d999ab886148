"""The contract of long texts: which of their pieces are read, in how many sequences, and how these become one vector.

It is for tasks that have one answer for a whole text. Those that ask of words, or of parts of a text, have windows of
their own, and leave nothing out (`text.windows`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from torch import Tensor, nn

from maskwright.base.choice import Part
from maskwright.nn.batch import Batch
from maskwright.text.encodings import Encodings
from maskwright.text.groups import Grouped
from maskwright.text.tokenizer import Tokenizer
from maskwright.text.windows import beginning


class Combine(nn.Module):
    """S vectors, one for each sequence, become one for each text."""

    @abstractmethod
    def forward(self, vectors: Tensor, texts: Batch) -> Tensor:
        """(S, H) -> (B, H). texts: a batch whose B sequences are texts and whose S tokens are their sequences."""


class Long(Part):
    """What is done with a text (or pair) of more than `max_length` pieces. Shorter ones are read whole by all."""

    called: ClassVar[str | None] = "way to read long texts"
    #: of which texts a class of transformers gives the same logits, where it is given the same pieces: of all, of those
    #: of one sequence, of none
    alike: ClassVar[Literal["all", "short", "none"]] = "all"
    whole: ClassVar[bool] = False  #: whether it reads as far as the encoder does, so that no length is asked for
    otherwise: ClassVar[str | None] = None  #: what it does otherwise, behind "In transformers"

    @abstractmethod
    def inputs(
        self, tokenizer: Tokenizer, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int
    ) -> Encodings | Grouped:
        """B texts as pieces: one sequence each, or several, joined."""

    def combine(self, width: int) -> Combine | None:
        """A new module for vectors of this width; None where each text is one sequence."""
        return None

    def length(self, asked: int | None, limit: int | None, usual: int) -> int | None:
        """Most pieces of a sequence, where this way asks for more than the usual; else what was asked for."""
        return asked

    def kept(self, count: int, room: int) -> np.ndarray:
        """Which of `count` pieces of a text stay where it is cut to `room`, ascending; the first, unless a way says
        otherwise."""
        return beginning(count, room)

    @property
    def told(self) -> str:
        """How a text loses pieces, behind "it was"."""
        return "cut"
