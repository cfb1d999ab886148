"""What ways to read a text in chunks share: each chunk is a sequence with the encoder's special pieces around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from maskwright.tasks.long._long import Long
from maskwright.text.groups import Grouped, chunked
from maskwright.text.tokenizer import Tokenizer


class Chunks(Long):
    """All pieces of a text in chunks, so that nothing is left out; of a pair the second text, behind the first one, of
    which at most half of the length is kept where the pair is longer.

    The last chunk is as long as the others: it begins before the one before it has ended.
    """

    overlap: int = Field(0, ge=0, description="pieces that two chunks share, or half of their room")

    alike: ClassVar[Literal["all", "short", "none"]] = "short"
    otherwise: ClassVar[str | None] = "a text is one sequence, and nothing joins the chunks of a longer one"

    def inputs(
        self, tokenizer: Tokenizer, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int
    ) -> Grouped:
        whole = tokenizer.encode(texts, pairs, details=True)
        return chunked(whole, max_length, self.overlap, pairs is not None)

    @property
    def told(self) -> str:
        return "cut at the end of the first text"
