"""The beginning of a text: where news, papers and answers say what they are about."""

from __future__ import annotations

from collections.abc import Sequence

from maskwright.tasks.long._long import Long
from maskwright.text.encodings import Encodings
from maskwright.text.tokenizer import Tokenizer


class Head(Long):
    """The first pieces; of a pair the longer text loses its end first."""

    def inputs(
        self, tokenizer: Tokenizer, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int
    ) -> Encodings:
        return tokenizer.encode(texts, pairs, max_length=max_length, keep="head")

    @property
    def told(self) -> str:
        return "cut at the end"
