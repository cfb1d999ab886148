"""Two runs of sentences that follow one another, in order or swapped."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.formats._format import IN_ORDER, OTHERWISE, Format, Sequences
from maskwright.pretraining.formats._pairs import Pairs
from maskwright.pretraining.formats.segment_pair import widened


class SentenceOrder(Format):
    """ALBERT's pairs (Lan et al. 2020, section 3.1): both texts are of one document, so that what they are about does
    not tell; half of the pairs are swapped."""

    pairs: ClassVar[bool] = True

    short: float = Field(0.1, ge=0, le=1, description="share of the pairs that aim at any length")

    def sequences(self, corpus: Encoded, length: int, seed: int, epoch: int) -> Sequences:
        found = Pairs(corpus, length - 3, seed, epoch)
        for _, start, end in found.usable():
            at = start
            while at < end:
                first, to = widened(at, found.reach(at, end, found.target(at, self.short)), end)
                middle = found.cut(first, to)
                texts = found.span(first, middle), found.span(middle, to)
                if found.swapped(at):
                    found.add(texts[1], texts[0], OTHERWISE, at)
                else:
                    found.add(*texts, IN_ORDER, at)
                at = to
        return found.sequences()
