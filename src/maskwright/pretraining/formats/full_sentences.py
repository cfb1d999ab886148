"""Whole sentences, from one document on into the next."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.formats._format import Format, Sequences
from maskwright.pretraining.formats._packing import cut_long


class FullSentences(Format):
    """As many sentences as fit; where a document ends a [SEP] stands, and the next one goes on (FULL-SENTENCES of Liu
    et al. 2019, section 4.2). Here alone pieces see another document's."""

    def sequences(self, corpus: Encoded, length: int, seed: int, epoch: int) -> Sequences:
        bounds, places = cut_long(corpus.sentences, length - 2)
        known = bounds.tolist()
        starts, ends, offsets = [], [], [0]
        left = length - 2
        for at, end in zip(places[corpus.documents[:-1]].tolist(), places[corpus.documents[1:]].tolist(), strict=True):
            while at < end:
                to = min(bisect_right(known, known[at] + left) - 1, end)
                if to > at:
                    starts.append(known[at])
                    ends.append(known[to])
                    left -= known[to] - known[at] + 1  # with the [SEP] behind it, should another chunk follow
                if to < end:
                    offsets.append(len(starts))
                    left = length - 2
                at = max(to, at)
        if offsets[-1] < len(starts):
            offsets.append(len(starts))
        return Sequences(np.array(starts), np.array(ends), np.zeros(len(starts), np.uint8), np.array(offsets))
