"""The order in which rows meet the model, and how they are cut into batches."""

from __future__ import annotations

import numpy as np

from maskwright.base.errors import UserError


def order(count: int, seed: int, epoch: int) -> np.ndarray:
    """A permutation of `count` rows, (count,) int64, that only `seed` and `epoch` fix.

    It sorts raw words of PCG64, whose stream numpy promises to keep, unlike that of its shuffling functions.
    """
    if seed < 0:
        raise UserError(f"seed = {seed}: give a whole number that is not negative.")
    words = np.random.PCG64(np.random.SeedSequence([seed, epoch])).random_raw(count)
    return np.argsort(words, kind="stable").astype(np.int64)


def by_count(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """Consecutive slices of `size` rows; the last may be smaller."""
    if size < 1:
        raise UserError(f"A batch of {size} rows cannot be made; give at least 1.")
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def by_tokens(rows: np.ndarray, lengths: np.ndarray, budget: int) -> list[np.ndarray]:
    """Consecutive slices whose tokens fit the budget; a row longer than the budget stands alone.

    rows: indices in the order to keep, each comes out once; lengths: tokens of every row of the table, so that
    `lengths[rows]` are those of `rows`; budget: tokens.
    """
    if budget < 1:
        raise UserError(f"A batch of {budget} tokens cannot be made; give at least 1.")
    ends = np.cumsum(lengths[rows])
    batches, start, used = [], 0, 0
    while start < len(rows):
        end = max(start + 1, int(np.searchsorted(ends, used + budget, side="right")))
        batches.append(rows[start:end])
        start, used = end, int(ends[end - 1])
    return batches
