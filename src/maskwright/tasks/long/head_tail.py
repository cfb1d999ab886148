"""The beginning and the end of a text, and nothing between (Sun et al. 2019, section 5.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from maskwright.tasks.long._long import Long
from maskwright.text.encodings import Encodings
from maskwright.text.groups import shortened
from maskwright.text.tokenizer import Tokenizer


class HeadTail(Long):
    """The paper keeps 128 pieces of the beginning and 382 of the end. Of a pair, each text that is cut loses its
    middle."""

    otherwise: ClassVar[str | None] = "a long text is cut at one of its ends, and not in its middle"

    share: float = Field(0.25, gt=0, lt=1, description="of the pieces that stay, those of the beginning")

    def inputs(
        self, tokenizer: Tokenizer, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int
    ) -> Encodings:
        whole = tokenizer.encode(texts, pairs, details=True)
        return shortened(whole, max_length, self.kept, pairs is not None)

    def kept(self, count: int, room: int) -> np.ndarray:
        head = round(self.share * room)
        return np.concatenate([np.arange(head), np.arange(count - (room - head), count)])

    @property
    def told(self) -> str:
        return "cut in the middle"
