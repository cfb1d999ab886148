"""Whole sentences of one document."""

from __future__ import annotations

from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.formats._format import Format, Sequences, whole
from maskwright.pretraining.formats._packing import cut_long, pack


class DocSentences(Format):
    """As many sentences of a document as fit; at its end a sequence is shorter, and needs no filling (DOC-SENTENCES of
    Liu et al. 2019, section 4.2). A sentence that is longer than a sequence is cut."""

    def sequences(self, corpus: Encoded, length: int, seed: int, epoch: int) -> Sequences:
        room = length - 2
        bounds, places = cut_long(corpus.sentences, room)
        first, last = pack(bounds, places[corpus.documents[1:]], room)
        return whole(bounds[first], bounds[last])
