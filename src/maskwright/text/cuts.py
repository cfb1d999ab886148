"""How a tokenizer cuts a text: pieces a word, unknown pieces, words kept whole, and which words it cuts."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from maskwright.base.errors import UserError
from maskwright.text.tokenizer import Tokenizer
from maskwright.text.words import LIMIT, Counts, Cut, cut


@dataclass(frozen=True)
class Example:
    """A word that is cut: in which pieces, and how often it comes; None where it was not counted."""

    word: str
    pieces: tuple[str, ...]
    count: int | None = None


@dataclass(frozen=True)
class Cuts:
    """What is known of a text and a tokenizer.

    words: runs of letters and digits, signs one by one, Han and kana characters one by one: the same for every
    tokenizer that leaves the text as it is; pieces: without special ones; whole: words that are one piece, and a known
    one; with_unknown: words that hold an unknown piece; missed: by how much the counts of frequent words may be too
    low, since there were more different ones than are counted at once.
    """

    words: int
    pieces: int
    unknown: int
    whole: int
    with_unknown: int
    longest: tuple[Example, ...]
    frequent: tuple[Example, ...]
    missed: int = 0

    @property
    def pieces_per_word(self) -> float:
        return self.pieces / self.words

    @property
    def shares(self) -> dict[str, float]:
        """pieces_per_word; whole_share and with_unknown_share of the words; unknown_share of the pieces."""
        return {
            "pieces_per_word": self.pieces_per_word,
            "whole_share": self.whole / self.words,
            "with_unknown_share": self.with_unknown / self.words,
            "unknown_share": self.unknown / max(self.pieces, 1),
        }


def cuts(tokenizer: Tokenizer, texts: Iterable[str], examples: int = 10, limit: int = LIMIT) -> Cuts:
    """Read texts once, in constant memory. examples: how many words to name of each kind, the longest and the most
    frequent; limit: different cut words that are counted at once. Raises UserError where no text has a word."""
    words = pieces = unknown = whole = with_unknown = 0
    counts = Counts(limit)
    longest: list[str] = []
    for block in cut(tokenizer, texts):
        words, pieces, unknown = words + len(block.spans), pieces + block.count, unknown + block.unknown_pieces
        whole += int(((block.pieces == 1) & ~block.unknown).sum())
        with_unknown += int(block.unknown.sum())
        there = Counter(_parted(block))
        counts.add(there)
        longest = heapq.nsmallest(examples, {*longest, *there}, key=lambda word: (-len(word), word))
    if not words:
        raise UserError("There is no word in what was given: the files are empty or hold only white space.")
    frequent = counts.most(examples)
    return Cuts(
        words,
        pieces,
        unknown,
        whole,
        with_unknown,
        tuple(Example(word, pieces_of(tokenizer, word)) for word in longest),
        tuple(Example(word, pieces_of(tokenizer, word), times) for word, times in frequent),
        counts.missed,
    )


def pieces_of(tokenizer: Tokenizer, word: str) -> tuple[str, ...]:
    """A word behind a space, as most words stand, without the pieces that frame a text."""
    found = tokenizer.encode([f" {word}"], details=True, prepared=True)
    assert found.words is not None
    return tuple(tokenizer.tokens(found.ids[found.words >= 0]))


def _parted(block: Cut) -> list[str]:
    return block.words(np.flatnonzero(block.pieces > 1))
