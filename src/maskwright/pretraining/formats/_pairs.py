"""Pairs of texts with a label of their order.

Each number that is drawn belongs to the document and the sentence at which a pair begins.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import numpy as np

from maskwright.base import draws
from maskwright.base.errors import UserError
from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.formats._format import Sequences

_ORDER, _SHORT, _TARGET, _CUT, _DOCUMENT, _SENTENCE, _FRONT = range(20, 27)  # streams of random numbers

Span = tuple[int, int]  #: pieces of the corpus, from and to


class Pairs:
    """Draws for one pass over a corpus, and what both kinds of pairs do with them."""

    def __init__(self, corpus: Encoded, room: int, seed: int, epoch: int) -> None:
        """room: the most pieces of both texts together, without special ones."""
        self.bounds: list[int] = corpus.sentences.tolist()
        self.documents: list[int] = corpus.documents.tolist()
        self.filled: list[int] = _filled(corpus).tolist()
        self.room, self.key = room, (seed, epoch)
        self.found: list[tuple[int, int, int, int]] = []
        self.labels: list[int] = []
        self.single = self.lost = 0
        self.lots: dict[int, list[float]] = {}

    def usable(self) -> Iterator[tuple[int, int, int]]:
        """Documents of two sentences and more: number, first sentence, one behind the last."""
        for number, (start, end) in enumerate(zip(self.documents, self.documents[1:], strict=False)):
            if end - start > 1:
                yield number, start, end
            else:
                self.single += self.bounds[end] - self.bounds[start]

    def chance(self, stream: int, place: int) -> float:
        """In [0, 1); those of all sentences are drawn at once, which is much quicker than one by one."""
        if stream not in self.lots:
            self.lots[stream] = draws.uniform(*self.key, stream, np.arange(len(self.bounds))).tolist()
        return self.lots[stream][place]

    def below(self, limit: int, stream: int, place: int) -> int:
        return int(self.chance(stream, place) * limit)

    def swapped(self, place: int) -> bool:
        """Half of the time."""
        return self.chance(_ORDER, place) < 0.5

    def target(self, place: int, short: float) -> int:
        """How many pieces a pair aims at: the room, or with the chance `short` any number from 2 on."""
        if self.chance(_SHORT, place) < short:
            return 2 + self.below(self.room - 1, _TARGET, place)
        return self.room

    def reach(self, start: int, end: int, pieces: int) -> int:
        """One behind the sentence with which sentences from `start` on come to so many pieces, at most `end`."""
        return min(max(bisect_left(self.bounds, self.bounds[start] + pieces), start + 1), end)

    def cut(self, start: int, end: int) -> int:
        """Where the first text of these sentences ends: anywhere between two of them."""
        return start + 1 + self.below(end - start - 1, _CUT, start) if end - start > 1 else end

    def elsewhere(self, document: int, place: int, pieces: int) -> Span:
        """Sentences of another document, from any of its sentences on, until they come to so many pieces.

        A document of which no sentence is left, such as one of marks that the tokenizer drops, is none to draw.
        """
        drawn = self.below(len(self.filled) - 1, _DOCUMENT, place)
        other = self.filled[drawn + (self.filled[drawn] >= document)]
        start, end = self.documents[other], self.documents[other + 1]
        first = start + self.below(end - start, _SENTENCE, place)
        return self.bounds[first], self.bounds[self.reach(first, end, pieces)]

    def span(self, start: int, end: int) -> Span:
        return self.bounds[start], self.bounds[end]

    def add(self, one: Span, two: Span, label: int, place: int) -> None:
        """A pair, cut where it is too long: the longer text loses pieces, each at its front or its end by chance."""
        sizes = [one[1] - one[0], two[1] - two[0]]
        excess = sum(sizes) - self.room
        if excess > 0:
            self.lost += excess
            small = min(sizes)
            kept = [min(size, max(self.room - small, -(-self.room // 2))) for size in sizes]
            if sum(kept) > self.room:
                kept[1] = self.room - kept[0]
            one, two = (self._cut_to(s, k, place, i) for i, (s, k) in enumerate(zip((one, two), kept, strict=True)))
        self.found.append((*one, *two))
        self.labels.append(label)

    def _cut_to(self, span: Span, size: int, place: int, which: int) -> Span:
        lost = span[1] - span[0] - size
        if lost <= 0:
            return span
        front = int((draws.uniform(*self.key, _FRONT, place, which, np.arange(lost)) < 0.5).sum())
        return span[0] + front, span[0] + front + size

    def sequences(self) -> Sequences:
        if not self.found:
            raise UserError(
                "The corpus has no document of two sentences and more, so there are no pairs. Build it with documents "
                "= file, or train with an objective of single texts."
            )
        pairs = np.array(self.found, np.int64).reshape(-1, 2)
        count = len(self.found)
        return Sequences(
            pairs[:, 0],
            pairs[:, 1],
            np.tile(np.array([0, 1], np.uint8), count),
            2 * np.arange(count + 1),
            np.array(self.labels, np.int64),
            self.single,
            self.lost,
        )


def two_documents(corpus: Encoded) -> None:
    """Raises UserError where no pair could be of two documents."""
    count = len(_filled(corpus))
    if count < 2:
        raise UserError(
            f"Half of the pairs take their second text from another document, but the corpus has {count} with text. "
            "Give more documents, or build the corpus with documents = blank-lines or lines."
        )


def _filled(corpus: Encoded) -> np.ndarray:
    """The numbers of documents that have a sentence."""
    return np.flatnonzero(np.diff(corpus.documents))
