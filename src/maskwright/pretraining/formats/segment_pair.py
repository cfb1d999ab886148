"""Two runs of sentences: the second follows the first, or is of another document."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.formats._format import IN_ORDER, OTHERWISE, Format, Sequences
from maskwright.pretraining.formats._pairs import Pairs, two_documents


class SegmentPair(Format):
    """BERT's own sampler (Devlin et al. 2019, section 3.1 and appendix A.2; SEGMENT-PAIR+NSP of Liu et al. 2019).

    Sentences of a document fill a sequence and are cut into two texts between any two of them. Half of the second texts
    are exchanged for sentences of another document; those that were not used come again. BERT's code makes a sequence
    of a single sentence always a pair with another document, so that somewhat more than half of its pairs are; here it
    takes one sentence more where the lot says that the pair is true, so that it is half.
    """

    pairs: ClassVar[bool] = True

    short: float = Field(0.1, ge=0, le=1, description="share of the pairs that aim at any length")

    def sequences(self, corpus: Encoded, length: int, seed: int, epoch: int) -> Sequences:
        two_documents(corpus)
        found = Pairs(corpus, length - 3, seed, epoch)
        for document, start, end in found.usable():
            at = start
            while at < end:
                target = found.target(at, self.short)
                to = found.reach(at, end, target)
                if found.swapped(at):
                    middle = found.cut(at, to)
                    one = found.span(at, middle)
                    found.add(one, found.elsewhere(document, at, max(1, target - (one[1] - one[0]))), OTHERWISE, at)
                    at = middle
                else:
                    first, to = widened(at, to, end)
                    middle = found.cut(first, to)
                    found.add(found.span(first, middle), found.span(middle, to), IN_ORDER, at)
                    at = to
        return found.sequences()


def widened(start: int, to: int, end: int) -> tuple[int, int]:
    """Of a single sentence two: with the one behind it, or at a document's end with the one before."""
    if to - start > 1:
        return start, to
    return (start, to + 1) if to < end else (start - 1, to)
