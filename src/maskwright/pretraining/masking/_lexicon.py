"""Maskings that know runs of words which belong together, such as names and fixed phrases.

Shapes: N pieces, W words; M matches, runs of words that the lexicon holds; they may overlap.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field, PrivateAttr

from maskwright.pretraining.masking._masking import Draw, Pieces, Vocabulary
from maskwright.pretraining.masking._units import UnitMasking
from maskwright.pretraining.masking._words import Words, places, words_of
from maskwright.pretraining.vocabulary import vocabulary_of
from maskwright.text.tokenizer import Tokenizer


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Runs of two or more words. tables: for each number of words the sorted numbers (uint64) of the runs, as
    `Words.grams` gives them; left_out: how many were given that no text can hold, for they have a special piece, such
    as [UNK], inside."""

    tables: dict[int, np.ndarray]
    left_out: int

    def __len__(self) -> int:
        return sum(map(len, self.tables.values()))

    def find(self, words: Words, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(M,) int64 twice: the first word of each match, and one past its last."""
        starts, counts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for n, begins, numbers in words.grams(ids, max(self.tables, default=0)):
            if n in self.tables:
                starts.append(begins[places(self.tables[n], numbers) >= 0])
                counts.append(np.full(len(starts[-1]), n))
        first = np.concatenate(starts)
        return first, first + np.concatenate(counts)


def lexicon(ids: np.ndarray, offsets: np.ndarray, vocabulary: Vocabulary) -> Lexicon:
    """ids (N,) int64: the pieces of all entries end to end; offsets: where each begins, and the end. Entries of one
    word change nothing, since a word is a unit anyhow."""
    pieces = Pieces(ids, offsets, np.arange(len(offsets) - 1))
    words = words_of(pieces, vocabulary)
    count = np.bincount(words.rows, minlength=len(pieces))
    pure = np.bincount(pieces.owner[vocabulary.special[ids]], minlength=len(pieces)) == 0
    first = np.cumsum(count) - count
    tables = {}
    for n, begins, numbers in words.grams(ids, int(count.max(initial=0))):
        rows = words.rows[begins]
        found = numbers[(count[rows] == n) & pure[rows] & (begins == first[rows])]
        if n > 1 and len(found):
            tables[n] = np.unique(found)
    return Lexicon(tables, int((~pure).sum()))


class LexiconMasking(UnitMasking):
    """The runs of words that the lexicon holds are units, and so is each word outside of them. All pieces of a unit
    are replaced by one rule."""

    together: ClassVar[bool] = True

    file: str = Field(description="where the lexicon stands")
    _lexicon: Lexicon | None = PrivateAttr(None)

    @abstractmethod
    def read(self, tokenizer: Tokenizer, vocabulary: Vocabulary) -> Lexicon:
        """What the file holds. Raises UserError that names it."""

    @abstractmethod
    def order(self, starts: np.ndarray, stops: np.ndarray, words: Words, pieces: Pieces, draw: Draw) -> np.ndarray:
        """Which matches are to be units, the first first: one that shares a word with one before it is none. starts,
        stops (M,): the first word of each, and one past its last."""

    @property
    def files(self) -> list[str]:
        return [self.file]

    @property
    def notes(self) -> list[str]:
        lost = 0 if self._lexicon is None else self._lexicon.left_out
        if not lost:
            return []
        verb = "holds" if lost == 1 else "hold"
        return [
            f"{lost:,} of the entries of {self.file} {verb} a piece that no text has there, such as [UNK], and are "
            "left out."
        ]

    def prepare(self, tokenizer: Tokenizer) -> LexiconMasking:
        ready = self.model_copy()
        ready._lexicon = self.read(tokenizer, vocabulary_of(tokenizer))
        return ready

    @property
    def lexicon(self) -> Lexicon:
        """What was read. A masking has it from `prepare` on."""
        assert self._lexicon is not None, f"the masking {self.name!r} was not prepared with the tokenizer"
        return self._lexicon

    def units(self, pieces: Pieces, vocabulary: Vocabulary, draw: Draw) -> np.ndarray:
        words = words_of(pieces, vocabulary)
        starts, stops = self.lexicon.find(words, pieces.ids)
        inner = np.zeros(len(words), bool)  # words that belong to the unit of the word before them
        taken = bytearray(len(words))
        order = self.order(starts, stops, words, pieces, draw)
        for a, b in zip(starts[order].tolist(), stops[order].tolist(), strict=True):
            if taken.find(1, a, b) < 0:
                taken[a:b] = b"\1" * (b - a)
                inner[a + 1 : b] = True
        numbers = np.append(np.cumsum(~inner) - 1, -1)  # special pieces have the word -1
        return numbers[words.of]
