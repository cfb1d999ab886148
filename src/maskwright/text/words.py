"""Words of a text, counted alike for every tokenizer, and in how many pieces each is cut.

Shapes: B texts, N pieces and W words of all of them together.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain

import numpy as np

from maskwright.text.tokenizer import Tokenizer

BLOCK = 2**20  #: characters that are cut at once
LONGEST = 2**16  #: characters of a text; a longer one is taken in parts, cut at white space where there is any
LIMIT = 2**20  #: different words that are counted at once


@cache
def _pattern() -> re.Pattern[str]:
    """A run of letters, marks and digits, or any other visible character; Han and kana characters one by one, for they
    are written without spaces."""
    marks = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] == "M")
    return re.compile(
        f"[\u3040-\u30ff\u3400-\u9fff]|(?:[^\\W_\u3040-\u30ff\u3400-\u9fff]|[{re.escape(marks)}])+|[^\\s]"
    )


def find(text: str) -> np.ndarray:
    """(W, 2) int64: where each word of a text begins and ends, in characters."""
    bounds = chain.from_iterable(found.span() for found in _pattern().finditer(text))
    return np.fromiter(bounds, np.int64).reshape(-1, 2)


@dataclass(frozen=True, eq=False)
class Cut:
    """A block of text and its W words. spans (W, 2) int64: where they stand in `text`; pieces (W,) int64: how many
    pieces each is cut into; unknown (W,) bool: whether one of them is the unknown piece; count, unknown_pieces: pieces
    of the block without special ones, and those of them that are unknown."""

    text: str
    spans: np.ndarray
    pieces: np.ndarray
    unknown: np.ndarray
    count: int
    unknown_pieces: int

    def words(self, chosen: np.ndarray) -> list[str]:
        """The words at these places (int64)."""
        return [self.text[a:b] for a, b in self.spans[chosen].tolist()]


def cut(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterator[Cut]:
    """Texts block by block, so that memory does not grow with them. A piece that spans words counts for each."""
    for block in _blocks(map(tokenizer.prepare, texts)):
        encoded = tokenizer.encode(block, details=True, prepared=True)
        assert encoded.spans is not None
        assert encoded.words is not None
        starts = np.cumsum([0, *(len(text) + 1 for text in block)])[:-1]  # in the block, with a line end behind each
        real = encoded.words >= 0
        ids = encoded.ids[real]
        row = np.repeat(starts, encoded.lengths)[real]
        first, last = encoded.spans[real, 0] + row, encoded.spans[real, 1] + row
        text = "\n".join(block)
        spans = find(text)
        unknown = ids == encoded.unknown_id
        each = _covering(spans, first, last)
        lost = _covering(spans, first[unknown], last[unknown]) > 0
        yield Cut(text, spans, each, lost, len(ids), int(unknown.sum()))


def _covering(spans: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """(W,) how many of the pieces, each from `first` to `last`, share a character with each word."""
    begin = np.searchsorted(spans[:, 1], first, side="right")
    end = np.searchsorted(spans[:, 0], last, side="left")
    some = end > begin
    steps = np.bincount(begin[some], minlength=len(spans) + 1) - np.bincount(end[some], minlength=len(spans) + 1)
    return np.cumsum(steps)[:-1]


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    block, size = [], 0
    for text in chain.from_iterable(map(_parts, texts)):
        block.append(text)
        size += len(text) + 1
        if size >= BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def _parts(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > LONGEST:
        end = start + LONGEST
        blank = max(text.rfind(" ", start + 1, end), text.rfind("\n", start + 1, end))
        end = blank if blank > 0 else end
        yield text[start:end]
        start = end
    yield text[start:]


class Counts:
    """How often words come, in constant memory. Where there are more than `limit` different ones, the rarer half is
    forgotten, each time; `missed` is how many occurrences of one word may have been lost by that (Manku and Motwani
    2002, lossy counting, with a table of fixed size)."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit, self.missed = limit, 0
        self._counts: dict[str, int] = {}

    def add(self, words: Mapping[str, int]) -> None:
        for word, times in words.items():
            self._counts[word] = self._counts.get(word, 0) + times
        if len(self._counts) > self.limit:
            lost = sorted(self._counts.values())[len(self._counts) - self.limit // 2 - 1]
            self._counts = {word: times for word, times in self._counts.items() if times > lost}
            self.missed += lost

    def __len__(self) -> int:
        return len(self._counts)

    def at_least(self, least: int) -> dict[str, int]:
        """Words with a count that is as high, in no particular order."""
        return {word: times for word, times in self._counts.items() if times >= least}

    def most(self, count: int) -> list[tuple[str, int]]:
        """The most frequent, of equal ones the first in the alphabet."""
        return sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))[:count]
