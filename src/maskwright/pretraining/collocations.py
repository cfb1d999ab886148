"""Collocations of a corpus: runs of 2 to 5 words that come together more often than their parts explain.

Levine et al. 2021, PMI-Masking, section 3. With p(g) the share that g has among all runs of as many words,

    PMI_n(w_1 ... w_n) = min over segmentations s of log p(w_1 ... w_n) / product of p(part) over the parts of s,

where a segmentation cuts the run at one place or more. The minimum keeps "Kuala Lumpur is" out: it is no more frequent
than "Kuala Lumpur" and "is" explain, however rare the two words are for themselves.

Shapes: N pieces and W words of a block of documents.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.base.errors import UserError
from maskwright.base.files import write_bytes
from maskwright.pretraining.masking._masking import Pieces, Vocabulary
from maskwright.pretraining.masking._words import Words, places, words_of

#: Documents end to end: ids (N,) of all, and offsets (D + 1,), where each begins and the end. No run of words crosses
#: the end of a document. They are read several times, so an iterator, which can be read once, will not do.
Blocks = Iterable[tuple[np.ndarray, np.ndarray]]

SHARES = {2: 0.5, 3: 0.25, 4: 0.125, 5: 0.125}  #: of the collocations that have so many words (the paper's lists)
_WHOLE = 2**64  # one past the highest number of a run


@dataclass(frozen=True, eq=False)
class Collocations:
    """K collocations, those of fewer words first and by falling score among these. ids (N,) int64: the pieces of all
    end to end; offsets (K + 1,) int64; counts (K,) int64: how often each stands in the corpus; scores (K,) float64:
    PMI_n in nats; fingerprint: of the tokenizer whose pieces these are."""

    ids: np.ndarray
    offsets: np.ndarray
    counts: np.ndarray
    scores: np.ndarray
    fingerprint: str

    def __len__(self) -> int:
        return len(self.counts)

    def save(self, path: str | Path) -> None:
        """Write a NumPy file (*.npz), whole or not at all."""
        content = io.BytesIO()
        np.savez_compressed(content, **vars(self))
        write_bytes(path, content.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Collocations:
        """Raises UserError for a file that is absent, damaged or another thing."""
        try:
            with np.load(path, allow_pickle=False) as held:
                arrays = [held[name] for name in ("ids", "offsets", "counts", "scores")]
                return cls(*arrays, str(held["fingerprint"]))
        except FileNotFoundError:
            raise UserError(f"There is no file {str(path)!r} of collocations.") from None
        except (OSError, ValueError, KeyError, IndexError, TypeError, EOFError, zipfile.BadZipFile) as problem:
            raise UserError(f"{path} does not hold collocations, or is damaged: {problem}. Count them anew.") from None


def collocations(
    blocks: Blocks,
    vocabulary: Vocabulary,
    fingerprint: str,
    *,
    size: int = 800_000,
    least: int = 11,
    shares: Mapping[int, float] = SHARES,
    limit: int = 2**24,
) -> Collocations:
    """The `size` runs with the highest PMI_n, ranked among those of as many words, of which `shares` says how large a
    part of the list they get. Runs that come fewer than `least` times are left out, and so are those with PMI_n <= 0,
    whose parts explain them. With fewer runs than asked for, the list is shorter.

    The paper takes 800,000 from 3 billion words, with which half of the pieces stand in collocations: take fewer from a
    smaller corpus. limit: how many different runs are counted at once, 32 bytes each; where a corpus has more, it is
    read more often.

    Raises UserError when nothing comes often enough.
    """
    assert iter(blocks) is not blocks, "blocks are read several times"  # type: ignore[comparison-overlap]
    longest = max(shares)
    counts = count(blocks, vocabulary, longest, least, limit)
    scores = _scores(blocks, vocabulary, counts)
    chosen = {}
    for n, share in shares.items():
        best = np.argsort(-scores[n], kind="stable")[: int(share * size)]
        chosen[n] = best[scores[n][best] > 0]
    if not sum(map(len, chosen.values())):
        raise UserError(
            f"No run of 2 to {longest} words comes {least} times, and more often than its parts explain. Give more "
            "text, or a lower count (`least`)."
        )
    tables = {n: counts[n][0][at] for n, at in chosen.items()}
    pieces = _written(blocks, vocabulary, tables)
    ids = [run for n in tables for run in pieces[n]]
    return Collocations(
        np.concatenate(ids),
        np.concatenate([[0], np.cumsum([len(run) for run in ids])]).astype(np.int64),
        np.concatenate([counts[n][1][at] for n, at in chosen.items()]),
        np.concatenate([scores[n][at] for n, at in chosen.items()]),
        fingerprint,
    )


Counts = dict[int, tuple[np.ndarray, np.ndarray, int]]
"""For each number of words: the numbers (K,) uint64 of runs, sorted; how often each comes (K,) int64; how many runs of
so many words there are in all."""


def count(blocks: Blocks, vocabulary: Vocabulary, longest: int, least: int, limit: int) -> Counts:
    """Every run of 1 to `longest` words that comes at least `least` times; exact, at most about `limit` at once.

    A run comes no more often than its parts, so that only those are counted whose parts of one word fewer come often
    enough (Agrawal and Srikant 1994). Where these are still too many, those with low numbers are counted first, and
    the others when the corpus is read again.
    """
    out: Counts = {}
    for n in range(1, longest + 1):
        kept, low, total = [], 0, 0
        while low < _WHOLE:
            table, high, total = _pass(blocks, vocabulary, n, out.get(n - 1), low, limit)
            kept.append(table[:, table[1] >= least])
            low = high
        numbers, times = np.concatenate(kept, axis=1)
        out[n] = numbers, times.astype(np.int64), total
    return out


def _pass(
    blocks: Blocks,
    vocabulary: Vocabulary,
    n: int,
    shorter: tuple[np.ndarray, np.ndarray, int] | None,
    low: int,
    limit: int,
) -> tuple[np.ndarray, int, int]:
    """Runs of n words with numbers from `low` on: (2, K) uint64, numbers and counts; one past the highest number that
    was counted; and how many runs of n words there are in all."""
    table, fresh = np.zeros((2, 0), np.uint64), []
    high, total, waiting = _WHOLE, 0, 0
    for words, ids in _words(blocks, vocabulary):
        runs = {k: found for k, *found in words.grams(ids, n)}
        if n not in runs:  # a block of fewer words
            continue
        begins, numbers = runs[n]
        total += len(numbers)
        if shorter is not None:
            often = np.zeros(len(words), bool)
            often[runs[n - 1][0]] = places(shorter[0], runs[n - 1][1]) >= 0
            numbers = numbers[often[begins] & often[begins + 1]]
        numbers = numbers[(numbers >= np.uint64(low)) & (numbers <= np.uint64(high - 1))]
        numbers, times = np.unique(numbers, return_counts=True)
        fresh.append(np.stack([numbers, times.astype(np.uint64)]))  # int64 beside uint64 would make floats
        waiting += fresh[-1].shape[1]
        if waiting > max(limit // 4, table.shape[1]):
            table, fresh, waiting = _merged([table, *fresh]), [], 0
            while table.shape[1] > limit:
                high = low + (high - low) // 2
                table = table[:, table[0] <= np.uint64(high - 1)]
    return _merged([table, *fresh]), high, total


def _merged(tables: list[np.ndarray]) -> np.ndarray:
    """Tables as one, sorted by number, each number once with its counts summed."""
    both = np.concatenate(tables, axis=1)
    both = both[:, np.argsort(both[0], kind="stable")]
    first = np.flatnonzero(np.append(True, both[0][1:] != both[0][:-1])[: both.shape[1]])
    return np.stack([both[0][first], np.add.reduceat(both[1], first) if len(first) else both[1]])


def _scores(blocks: Blocks, vocabulary: Vocabulary, counts: Counts) -> dict[int, np.ndarray]:
    """PMI_n of every run that was counted, nats, in the order of `counts`.

    best[n][i] is the highest log product that a segmentation of the n words from word i on can have, the whole run
    being one of them; without it, it is the highest over the first cut of log p(before) + best(behind).
    """
    logs = {n: np.log(times / max(total, 1)) for n, (_, times, total) in counts.items()}
    out = {n: np.full(len(numbers), -np.inf) for n, (numbers, _, _) in counts.items()}
    for words, ids in _words(blocks, vocabulary):
        whole: dict[int, np.ndarray] = {}  # log p of the n words from each word on, -inf where not counted
        best: dict[int, np.ndarray] = {}
        for n, begins, numbers in words.grams(ids, len(counts)):
            at = places(counts[n][0], numbers)
            begins, at = begins[at >= 0], at[at >= 0]
            whole[n] = np.full(len(words), -np.inf)
            whole[n][begins] = logs[n][at]
            best[n] = whole[n].copy()
            if n > 1:
                cut = np.max([whole[k][begins] + best[n - k][begins + k] for k in range(1, n)], axis=0)
                out[n][at] = whole[n][begins] - cut
                best[n][begins] = np.maximum(whole[n][begins], cut)
    return out


def _written(blocks: Blocks, vocabulary: Vocabulary, tables: Mapping[int, np.ndarray]) -> dict[int, list[np.ndarray]]:
    """The pieces of each run, found where it first stands. tables: the numbers of runs by how many words they have."""
    out: dict[int, list[np.ndarray]] = {n: [np.zeros(0, np.int64)] * len(table) for n, table in tables.items()}
    order = {n: np.argsort(table) for n, table in tables.items()}
    rising = {n: table[order[n]] for n, table in tables.items()}
    missing = {n: np.ones(len(table), bool) for n, table in tables.items()}
    for words, ids in _words(blocks, vocabulary):
        ends = words.ends
        for n, begins, numbers in words.grams(ids, max(tables)):
            if n not in tables:
                continue
            at = places(rising[n], numbers)
            begins, at = begins[at >= 0], order[n][at[at >= 0]]
            at, where = np.unique(at, return_index=True)
            for k, word in zip(at[missing[n][at]].tolist(), begins[where][missing[n][at]].tolist(), strict=True):
                out[n][k] = ids[words.first[word] : ends[word + n - 1]].astype(np.int64)
            missing[n][at] = False
    return out


def _words(blocks: Blocks, vocabulary: Vocabulary) -> Iterator[tuple[Words, np.ndarray]]:
    for ids, offsets in blocks:
        yield words_of(Pieces(ids, offsets, np.arange(len(offsets) - 1)), vocabulary), ids
