"""Words of a text that a tokenizer normalises before it cuts it, as BERTweet's does.

Shapes: W words.
"""

from __future__ import annotations

import numpy as np

from maskwright.data.tagged import words_in
from maskwright.text.tokenizer import Tokenizer


def prepared(tokenizer: Tokenizer, text: str, words: np.ndarray) -> tuple[str, np.ndarray]:
    """The text as a tokenizer with a normalisation of its own cuts it, and where the words stand there, one behind the
    other; a word that became another one stands where the one before it ends. words: (W, 2) int64."""
    if tokenizer.prepare(text) == text:
        return text, words
    made, places, at = list[str](), np.zeros_like(words), 0
    chunks = words_in(text, "spaces").tolist()
    inside = np.searchsorted([start for start, _ in chunks], words[:, 0], side="right") - 1
    for i, (start, end) in enumerate(chunks):
        chunk, seen = tokenizer.prepare(text[start:end]), 0
        for row in np.flatnonzero(inside == i):
            word = text[words[row, 0] : words[row, 1]]
            found = chunk.find(word, seen)
            first = found if found >= 0 else min(seen, max(len(chunk) - 1, 0))
            seen = found + len(word) if found >= 0 else seen
            places[row] = at + first, at + max(seen, first)
        made.append(chunk)
        at += len(chunk) + 1
    return " ".join(made), places
