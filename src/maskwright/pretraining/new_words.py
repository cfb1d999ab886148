"""Which words of a corpus a vocabulary should know as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.base.errors import UserError
from maskwright.text.cuts import pieces_of
from maskwright.text.tokenizer import Tokenizer
from maskwright.text.words import LIMIT, Counts, cut


@dataclass(frozen=True)
class NewWord:
    """A word, how often it comes, and the pieces that it is cut into now. `saved`: how many pieces fewer the corpus has
    with the word as one."""

    word: str
    count: int
    pieces: int

    @property
    def saved(self) -> int:
        return self.count * (self.pieces - 1)


def domain_words(
    documents: Iterable[Sequence[str]],
    tokenizer: Tokenizer,
    count: int,
    least: int = 10,
    limit: int = LIMIT,
) -> list[NewWord]:
    """The `count` words with which the corpus would lose most pieces, of equal ones the first in the alphabet; fewer
    where no more come `least` times. documents: each its sentences; they are read once, in constant memory.

    Words are as the tokenizer makes them (lower case, say), hold a letter, and are such as `Tokenizer.extended` takes:
    neither signs nor numbers. limit: different words that are counted at once; with more, the rarest are forgotten.

    Raises UserError where no word qualifies.
    """
    counts = Counts(limit)
    for block in cut(tokenizer, (sentence for document in documents for sentence in document)):
        parted = block.words(np.flatnonzero(block.pieces > 1))
        counts.add(_as_made(tokenizer, Counter(parted)))
    found = list(_candidates(counts.at_least(least), tokenizer))
    if not found:
        raise UserError(
            f"No word that this tokenizer cuts comes {least} times or more in the corpus, so that there is none to "
            "add. Give more text, or go on with the vocabulary as it is."
        )
    return sorted(found, key=lambda one: (-one.saved, one.word))[:count]


def _as_made(tokenizer: Tokenizer, words: Counter[str]) -> Counter[str]:
    """The same as the tokenizer makes them, without those that have no letter."""
    out: Counter[str] = Counter()
    for word, times in words.items():
        if any(map(str.isalpha, word)):
            out[tokenizer.normal(word)] += times
    return out


def _candidates(counts: dict[str, int], tokenizer: Tokenizer) -> Iterator[NewWord]:
    for word, times in counts.items():
        if tokenizer.new_piece(word) is not None:
            yield NewWord(word, times, len(pieces_of(tokenizer, word)))
