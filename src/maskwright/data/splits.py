"""Cutting one file into parts: classes and labels in proportion, or groups kept whole; always the same for one seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maskwright.base.errors import UserError
from maskwright.data.batching import order
from maskwright.data.groups import assign
from maskwright.data.stratification import deal

_STREAM = 2**31  # an "epoch" that no training reaches, so that a split shares no order with training
_TRIES = 16  # orders in which groups are placed, of which the best counts; with many groups the first is good enough
_MANY = 2000


def split(
    labels: Sequence[int] | np.ndarray | None, count: int, fractions: tuple[float, ...], seed: int
) -> list[np.ndarray]:
    """Disjoint parts that cover `range(count)`, each sorted; the first is the one to train on.

    labels: class of each row (count,), or 0 and 1 for each of its labels (count, labels), or None for a plain shuffle
    (regression); fractions: share of each part, their sum 1. Sizes are those of largest remainders. Every class or
    label stands in the first part. Each part's count of a class is within 1 of its share wherever sizes and that allow
    it; of a label it is as near as `stratification.deal` comes.

    Raises UserError for fractions that are no shares, for a part that would be empty, and for a first part too small
    to hold every class or label.
    """
    _check_shares(fractions)
    sizes = _rounded(np.array([count]), fractions)[0]
    if not sizes.all():
        rows = "1 row is" if count == 1 else f"{count} rows are"
        raise UserError(f"{rows} too few to split into parts of {list(fractions)}: one would be empty.")
    rows = np.zeros(count, dtype=np.int64) if labels is None else np.asarray(labels)
    assert len(rows) == count, f"{len(rows)} labels for {count} rows"
    several = rows.ndim == 2
    kinds = int(rows.any(axis=0).sum()) if several else len(np.unique(rows))
    if sizes[0] < kinds:
        raise UserError(
            f"The first part of the split has {sizes[0]} rows, too few to hold each of the {kinds} "
            f"{'labels' if several else 'classes'}. Give it a larger share or give files of your own."
        )
    mixed = order(count, seed, _STREAM)
    if several:
        part = deal(rows[mixed].astype(bool), fractions, sizes)
    else:
        found = np.unique(rows, return_inverse=True)[1]
        cells = _apportion(np.bincount(found), fractions, sizes)
        mixed = mixed[np.argsort(found[mixed], kind="stable")]  # class by class
        part = np.repeat(np.tile(np.arange(len(sizes)), len(cells)), cells.ravel())
    return [np.sort(mixed[part == p]) for p in range(len(sizes))]


def split_groups(
    labels: Sequence[int] | np.ndarray | None, groups: np.ndarray, fractions: tuple[float, ...], seed: int
) -> list[np.ndarray]:
    """Disjoint parts that cover all rows, each sorted, such that no group stands in two of them.

    labels: class of each row (rows,), 0 and 1 for each class that it may have (rows, classes), or None; groups: group
    of each row (rows,), any integers; fractions: share of each part, their sum 1. Sizes and classes are as near to
    their shares as `groups.assign` brings them; every class stands in the first part and no part is empty.

    Raises UserError for fractions that are no shares, and for groups that are too few for such parts.
    """
    _check_shares(fractions)
    found = np.unique(groups, return_inverse=True)[1]
    classes = np.zeros(len(found), dtype=np.int64) if labels is None else np.asarray(labels)
    assert len(classes) == len(found), f"{len(classes)} labels for {len(found)} rows"
    count = int(found.max()) + 1
    turns = [order(count, seed, _STREAM + i) for i in range(_TRIES if count < _MANY else 1)]
    part = assign(found, classes, fractions, turns)[found]
    return [np.flatnonzero(part == p) for p in range(len(fractions))]


def _check_shares(fractions: tuple[float, ...]) -> None:
    if not fractions or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UserError(f"The fractions of a split must be positive and sum to 1; given: {list(fractions)}.")


def _rounded(counts: np.ndarray, fractions: tuple[float, ...]) -> np.ndarray:
    """Each count cut by largest remainders, (counts, parts); ties go to earlier parts."""
    wanted = _wanted(counts, fractions)
    cells = np.floor(wanted).astype(np.int64)
    rank = np.argsort(np.argsort(cells - wanted, axis=1, kind="stable"), axis=1, kind="stable")
    return cells + (rank < (counts - cells.sum(axis=1))[:, None])


def _wanted(counts: np.ndarray, fractions: tuple[float, ...]) -> np.ndarray:
    return np.round(counts[:, None] * np.array(fractions), 9)  # 100 * 0.29 is 28.999999999999996


def _apportion(counts: np.ndarray, fractions: tuple[float, ...], sizes: np.ndarray) -> np.ndarray:
    """Rows of each class in each part, (classes, parts): classes sum to `counts`, parts to `sizes`.

    Largest remainders class by class leave parts a few rows off. Each missing row is fetched along the cheapest chain
    of moves between parts (a min-cost flow; the cost is the squared distance from the share, and far more beyond 1).
    """
    wanted = _wanted(counts, fractions)
    cells = _rounded(counts, fractions)
    for c in np.flatnonzero(cells[:, 0] == 0):
        cells[c, np.argmax(cells[c] - wanted[c])] -= 1
        cells[c, 0] = 1
    least = np.zeros(len(sizes), dtype=np.int64)
    least[0] = 1

    def cost(off: np.ndarray) -> np.ndarray:
        return off**2 + 1e6 * np.maximum(np.abs(off) - 1 - 1e-6, 0)

    while (gap := sizes - cells.sum(axis=0)).any():
        off = cells - wanted
        give = np.where(cells > least, cost(off - 1) - cost(off), np.inf)
        moves = give[:, :, None] + (cost(off + 1) - cost(off))[:, None, :]  # (classes, from, to)
        for a, b, mover in _chain(moves.min(axis=0), moves.argmin(axis=0), gap):
            cells[mover, a] -= 1
            cells[mover, b] += 1
    return cells


def _chain(price: np.ndarray, mover: np.ndarray, gap: np.ndarray) -> list[tuple[int, int, int]]:
    """Moves (from, to, class) on the cheapest way from a part with too many rows to one with too few (Bellman-Ford)."""
    parts = range(len(gap))
    total = np.where(gap < 0, 0.0, np.inf)
    before = {}
    for _ in parts:
        for a in parts:
            for b in parts:
                if a != b and total[a] + price[a, b] < total[b] - 1e-9:
                    total[b], before[b] = total[a] + price[a, b], a
    to = min((b for b in parts if gap[b] > 0), key=lambda b: float(total[b]))
    moves = []
    while to in before:
        moves.append((before[to], to, int(mover[before[to], to])))
        to = before[to]
    return moves
