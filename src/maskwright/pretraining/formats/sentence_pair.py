"""Two sentences: the second follows the first, or is of another document."""

from __future__ import annotations

from typing import ClassVar

from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.formats._format import IN_ORDER, OTHERWISE, Format, Sequences
from maskwright.pretraining.formats._pairs import Pairs, two_documents
from maskwright.pretraining.formats.segment_pair import widened


class SentencePair(Format):
    """Single sentences, so that sequences are short (SENTENCE-PAIR+NSP of Liu et al. 2019, section 4.2)."""

    pairs: ClassVar[bool] = True

    def sequences(self, corpus: Encoded, length: int, seed: int, epoch: int) -> Sequences:
        two_documents(corpus)
        found = Pairs(corpus, length - 3, seed, epoch)
        for document, start, end in found.usable():
            at = start
            while at < end:
                if found.swapped(at):
                    found.add(found.span(at, at + 1), found.elsewhere(document, at, 1), OTHERWISE, at)
                    at += 1
                else:
                    first, to = widened(at, at + 1, end)
                    found.add(found.span(first, first + 1), found.span(first + 1, to), IN_ORDER, at)
                    at = to
        return found.sequences()
