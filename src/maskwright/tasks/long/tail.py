"""The end of a text: where reviews and judgments come to their conclusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from maskwright.tasks.long._long import Long
from maskwright.text.encodings import Encodings
from maskwright.text.tokenizer import Tokenizer


class Tail(Long):
    """The last pieces; of a pair the longer text loses its beginning first."""

    otherwise: ClassVar[str | None] = "a long text is cut at its end, unless the tokenizer's truncation_side is left"

    def inputs(
        self, tokenizer: Tokenizer, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int
    ) -> Encodings:
        return tokenizer.encode(texts, pairs, max_length=max_length, keep="tail")

    def kept(self, count: int, room: int) -> np.ndarray:
        return np.arange(count - room, count)

    @property
    def told(self) -> str:
        return "cut at the start"
