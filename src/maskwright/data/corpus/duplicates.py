"""Documents that say the same, or nearly, as an earlier one: found by hashes, without a look at most of the text.

Equal documents have equal keys (case folded, white space squeezed). Near ones: a document is the set of its shingles,
the runs of 5 words; two are near when their sets share 0.8 of their union. In 100 words, two may be others. That is
MinHash with banding, as for rows in `data._near`, whose bands these are, on words in the place of characters: the sets
of characters' runs of two long texts of one language are much the same. Pairs that share a band are verified on their
true sets, as in the removal of near duplicates from web text (Lee et al. 2022, section 4.2, who take 0.8 as well).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from maskwright.data._near import BANDS, NEAR, _bands, _candidates, _mixed, _once

WORDS = 5  #: of a shingle

_BASE = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio's bits, odd
_BLANK, _END = 32, 10
_PIECE = 1 << 18  # characters hashed at once: eight bytes of each are held, several times over


def signatures(keys: Sequence[str]) -> np.ndarray:
    """(K, BANDS) uint64 of documents' keys: two documents with a number in common in one place may be near."""
    if not keys:
        return np.zeros((0, BANDS), np.uint64)
    return _bands(*shingles(keys)).T


def shingles(keys: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Hashes (S,) uint64 of the shingles of all keys, and offsets (K+1,). A shorter key is one shingle, filled up.

    Keys are squeezed and not empty: their words are parted by one blank each.
    """
    counts = [key.count(" ") + 1 for key in keys]
    padded = [key + " \0" * (WORDS - count) for key, count in zip(keys, counts, strict=True)]
    words = _words("\n".join(padded))
    lengths = np.maximum(counts, WORDS)
    count = len(words) - WORDS + 1
    rolled = np.zeros(count, np.uint64)
    for i in range(WORDS):
        rolled = rolled * _BASE + words[i : i + count]
    inside = np.ones(len(words), bool)
    for i in range(1, WORDS):
        inside[np.cumsum(lengths) - i] = False  # these would run over into the next document
    return _mixed(rolled[inside[:count]]), np.concatenate([[0], np.cumsum(lengths - WORDS + 1)])


def _words(text: str) -> np.ndarray:
    """(W,) uint64, a hash of each word: the sum over its characters of a hash of character and place in the word."""
    return np.concatenate([_word_hashes(piece) for piece in _pieces(text)])


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces of `_PIECE` characters and what is left of the last word; the blank at a cut is in none."""
    start = 0
    while len(text) - start > _PIECE and (end := text.find(" ", start + _PIECE)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _word_hashes(text: str) -> np.ndarray:
    points = np.frombuffer(text.encode("utf-32-le"), "<u4").astype(np.uint64)
    between = (points == _BLANK) | (points == _END)
    starts = np.flatnonzero(np.concatenate([[True], between[:-1]]))
    within = np.arange(len(points)) - np.repeat(starts, np.diff(starts, append=len(points)))
    hashes = _mixed(points + within.astype(np.uint64) * _BASE)
    hashes[between] = 0
    return _mixed(np.add.reduceat(hashes, starts))


def repeats(keys: np.ndarray) -> np.ndarray:
    """(K,) int64: for each document the first one with its key; its own number for that one."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    found: np.ndarray = first[inverse.reshape(-1)]
    return found


def near_repeats(bands: np.ndarray, key_of: Callable[[int], str]) -> tuple[np.ndarray, int]:
    """(K,) int64: for each document an earlier one that stays and is near to it, or its own number where there is none.

    bands: (K, BANDS) of documents that are all different; `key_of(i)` reads one of them again. The second result is
    how many documents stood among so many that may be like them that each was compared with two of those only.
    """
    owner = np.arange(len(bands))
    if len(bands) < 2:
        return owner, 0
    pairs, crowded = _candidates(np.ascontiguousarray(bands.T))

    @lru_cache(maxsize=16)
    def shingle_set(document: int) -> np.ndarray:
        return _once(shingles([key_of(document)])[0])

    for one, other in pairs[np.lexsort(pairs.T)]:  # by the later document, so that the earlier one is decided on
        if owner[one] == one and owner[other] == other and similarity(shingle_set(one), shingle_set(other)) >= NEAR:
            owner[other] = one
    return owner, crowded


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """The Jaccard similarity of two sets, given as sorted numbers that stand once each."""
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / (len(one) + len(other) - common)
