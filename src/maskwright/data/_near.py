"""Texts that are nearly the same: MinHash with banding, each pair verified by its true Jaccard similarity.

A text is the set of its shingles, the runs of 5 characters of its key (case folded, white space squeezed; both texts
of a pair). Two texts are near when their sets share 0.8 of their union. Of a text of 20 words one word may differ, and
the two texts of a pair may stand the other way round.

MinHash (Broder 1997): for a random order of all shingles, two sets have the same least shingle with a probability that
is their similarity s. Banding (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4): two texts are
compared when all 5 least shingles of at least one of 14 bands agree, which has the probability 1 - (1 - s^5)^14: 0.996
at s = 0.8, 1.000 at 0.9, 0.36 at 0.5. The orders are fixed, so that the same texts give the same pairs.

Shapes: K texts, S shingles of all of them, P pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from maskwright.base.words import counted
from maskwright.data._finding import Finding, Side
from maskwright.data._same import SHARE, article, part_of, related

NEAR = 0.8  #: Jaccard similarity from which on texts are nearly the same
WIDTH = 5  #: characters of a shingle
ROWS = 5  #: least shingles that a band holds
BANDS = 14
CROWD = 32  #: texts of a bucket that are all compared with each other

_BLOCK = 1 << 18  # characters taken at once: their hashes stay in the processor's cache
_WORDS = np.random.PCG64(0).random_raw(2 * BANDS * ROWS)  # numpy promises to keep this stream
_FACTORS, _SHIFTS = _WORDS[::2] | np.uint64(1), _WORDS[1::2]
_BASE = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio's bits, odd
_PLACE = np.uint64(40)  # bits that a shingle keeps where it is sorted together with the number of its set


@dataclass(frozen=True)
class Near:
    """pairs (P, 2) int64, each pair once with the earlier text first; `crowded`, how many texts stood in a bucket of
    more than `CROWD`, where each is compared with two others only."""

    pairs: np.ndarray
    crowded: int


def near(texts: Sequence[str]) -> Near:
    """The pairs of texts that are nearly the same. `texts` are keys, all different."""
    if len(texts) < 2:
        return Near(np.empty((0, 2), np.int64), 0)
    bands = np.concatenate([_bands(*_shingles(block)) for block in _blocks(texts)], axis=1)
    candidates, crowded = _candidates(bands)
    parts = [some[_similarity(texts, some) >= NEAR] for some in _portions(texts, candidates)]
    return Near(np.concatenate([candidates[:0], *parts]), crowded)


def near_duplicates(sides: Sequence[Side], numbers: Sequence[np.ndarray], keys: Sequence[str]) -> list[Finding]:
    """Rows that nearly repeat another row of their split, or a row of another split; exact repeats are not meant.

    numbers and keys: those of `codes`.
    """
    seen = near(keys)
    if not len(seen.pairs):
        return _crowd(seen)
    rows = [_first(own, len(keys)) for own in numbers]
    once, twice = seen.pairs.T, np.concatenate([seen.pairs, seen.pairs[:, ::-1]]).T
    out = []
    for i, side in enumerate(sides):
        other = _neighbours(once, rows[i])
        found = _rows(numbers[i], other)
        if len(found):
            verb = "repeats" if len(found) == 1 else "repeat"
            sentence = f"{part_of(found, side)} nearly {verb} another {side.name} row."
            partner = rows[i][other[numbers[i][found]]]
            out.append(related("near duplicates", "fact", sentence, side, found, side, partner, "nearly as"))
    for i, j in combinations(range(len(sides)), 2):
        a, b = sides[i], sides[j]
        other = _neighbours(twice, rows[i])
        other[rows[i] >= 0] = -1  # that text stands in both
        found = _rows(numbers[j], other)
        if len(found):
            verb = "repeats" if len(found) == 1 else "repeat"
            sentence = f"{part_of(found, b)} nearly {verb} {article(a.name)} row."
            partner = rows[i][other[numbers[j][found]]]
            severity = "warning" if len(found) >= SHARE * len(b) else "fact"
            out.append(related("near leak", severity, sentence, b, found, a, partner, "nearly as"))
    return out + _crowd(seen)


def _crowd(seen: Near) -> list[Finding]:
    if not seen.crowded:
        return []
    sentence = (
        f"{counted(seen.crowded, 'text')} fell in with more than {CROWD} others that may be like them, and each was "
        "compared with two of those only: counts of near repeats may be too low."
    )
    return [Finding("near duplicates capped", "fact", sentence, seen.crowded, values={"compared_with_all": CROWD})]


def _first(own: np.ndarray, size: int) -> np.ndarray:
    """(size,) the first row of a side that has each text, or -1."""
    out = np.full(size, -1, dtype=np.int64)
    rows = np.flatnonzero(own >= 0)[::-1]
    out[own[rows]] = rows  # the last that is written stays
    return out


def _neighbours(pairs: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(K,) for each text that stands second in a pair the first one, when a side has that (`rows` >= 0); else -1."""
    out = np.full(len(rows), -1, dtype=np.int64)
    one, other = pairs[:, rows[pairs[0]] >= 0][:, ::-1]
    out[other] = one
    return out


def _rows(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The rows of a side whose text has a neighbour."""
    return np.flatnonzero((own >= 0) & (other[own] >= 0))


def _blocks(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in order, so many at a time that their characters fill a block."""
    held: list[str] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size >= _BLOCK:
            yield held
            held, size = [], 0
    if held:
        yield held


def _shingles(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Hashes (S,) uint64 of all shingles, and offsets (K+1,). A shorter text is one shingle, filled up with NUL."""
    padded = [text.ljust(WIDTH, "\0") for text in texts]
    points = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    count = len(points) - WIDTH + 1
    rolled = np.zeros(count, np.uint64)
    for i in range(WIDTH):
        rolled = rolled * _BASE + points[i : i + count]
    lengths = np.fromiter(map(len, padded), np.int64, len(padded))
    inside = np.ones(len(points), bool)
    for i in range(1, WIDTH):
        inside[np.cumsum(lengths) - i] = False  # these would run over into the next text
    return _mixed(rolled[inside[:count]]), np.concatenate([[0], np.cumsum(lengths - WIDTH + 1)])


def _mixed(words: np.ndarray) -> np.ndarray:
    """A bijection of 64 bits in which each bit of the input moves all of the output (MurmurHash3's finalizer)."""
    words = (words ^ (words >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    words = (words ^ (words >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return words ^ (words >> np.uint64(33))


def _bands(hashes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """(BANDS, K) uint64: each band's least shingles as one number."""
    out = np.zeros((BANDS, len(offsets) - 1), np.uint64)
    for i in range(BANDS * ROWS):
        least = np.minimum.reduceat(hashes * _FACTORS[i] + _SHIFTS[i], offsets[:-1])
        out[i // ROWS] = _mixed(out[i // ROWS] + least)
    return out


def _candidates(bands: np.ndarray) -> tuple[np.ndarray, int]:
    """(P, 2) pairs that share a bucket, and how many texts stood in a bucket that was too large to compare them all.

    In such a bucket each text is compared with the first one and the one before it: a text that comes 10,000 times
    with another number in it makes 20,000 pairs, not 50 million.
    """
    size = bands.shape[1]
    crowded = np.zeros(size, bool)
    codes = np.empty(0, np.int64)
    for band in bands:
        found = [codes]
        order = np.argsort(band, kind="stable")
        starts = np.flatnonzero(np.concatenate([[True], band[order][1:] != band[order][:-1]]))
        sizes = np.diff(np.append(starts, size))
        held = np.repeat(sizes, sizes)
        bucket, first = np.repeat(np.arange(len(sizes)), sizes), np.repeat(order[starts], sizes)
        kept = held > 1
        order, held, bucket, first = order[kept], held[kept], bucket[kept], first[kept]
        crowded[order[held > CROWD]] = True
        rest = (held > CROWD) & (order != first)
        found.append(first[rest] * size + order[rest])
        for step in range(1, CROWD):
            near_by = (bucket[step:] == bucket[:-step]) & ((held[step:] <= CROWD) | (step == 1))
            found.append(order[:-step][near_by] * size + order[step:][near_by])
        codes = _once(np.concatenate(found))  # a pair that is one in a band is one in most
    return np.stack([codes // size, codes % size], axis=1), int(crowded.sum())


def _portions(texts: Sequence[str], pairs: np.ndarray) -> Iterator[np.ndarray]:
    """Pairs in order, so many at a time that their characters fill some blocks."""
    if len(pairs):
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        filled = np.cumsum(lengths[pairs].sum(axis=1)) // (4 * _BLOCK)
        yield from np.split(pairs, np.flatnonzero(np.diff(filled)) + 1)


def _similarity(texts: Sequence[str], pairs: np.ndarray) -> np.ndarray:
    """(P,) Jaccard similarity of the two sets of shingles."""
    needed, numbers = np.unique(pairs, return_inverse=True)
    hashes, offsets = _shingles([texts[i] for i in needed])
    owner = np.repeat(np.arange(len(needed), dtype=np.uint64), np.diff(offsets))
    sets = _once((owner << _PLACE) | (hashes >> (np.uint64(64) - _PLACE)))  # each shingle once in its set
    sizes = np.bincount((sets >> _PLACE).astype(np.int64), minlength=len(needed))
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    one, two = numbers.reshape(-1, 2).T
    both = np.sort(np.concatenate([_taken(sets, bounds, one), _taken(sets, bounds, two)]))
    shared = (both[1:][both[1:] == both[:-1]] >> _PLACE).astype(np.int64)
    common = np.bincount(shared, minlength=len(pairs))
    return common / (sizes[one] + sizes[two] - common)


def _once(numbers: np.ndarray) -> np.ndarray:
    """Sorted, each number once. np.unique hashes numbers when it need not count them, 100 times slower on these."""
    ranked = np.sort(numbers)
    return ranked[np.concatenate([[True], ranked[1:] != ranked[:-1]])[: len(ranked)]]


def _taken(sets: np.ndarray, bounds: np.ndarray, which: np.ndarray) -> np.ndarray:
    """The shingles of these sets end to end, each with the number of its pair above its own bits."""
    sizes = np.diff(bounds)[which]
    ends = np.cumsum(sizes)
    at = np.arange(ends[-1]) + np.repeat(bounds[:-1][which] - (ends - sizes), sizes)
    pair = np.repeat(np.arange(len(which), dtype=np.uint64), sizes)
    return (pair << _PLACE) | (sets[at] & ((np.uint64(1) << _PLACE) - np.uint64(1)))
