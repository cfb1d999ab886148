"""Cutting by group: all rows of a person, a document or a day in one part, else a score measures what was memorised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from maskwright.base.errors import UserError

_GAIN = 1e-6  # what a move must save to be one; less is rounding


def number_groups(cells: Iterable[Any], where: Callable[[int], str]) -> np.ndarray:
    """The group of each row, (rows,) int64, counted from 0 as they appear. Raises UserError for an empty cell."""
    index: dict[str, int] = {}
    groups = []
    for row, cell in enumerate(cells):
        name = "" if cell is None or cell != cell else str(cell)
        if not name.strip():
            raise UserError(
                f"{where(row)}: the group is empty, so nothing says which rows belong with it. Fill it or remove the "
                f"row."
            )
        groups.append(index.setdefault(name, len(index)))
    return np.array(groups, dtype=np.int64)


def assign(
    groups: np.ndarray, classes: np.ndarray, fractions: tuple[float, ...], turns: Sequence[np.ndarray]
) -> np.ndarray:
    """The part of each group, (groups,) int64.

    groups: group of each row (rows,), counted from 0 without a gap; classes: class of each row (rows,), or 0 and 1 for
    each class that it may have (rows, classes); turns: permutations of the groups, each of which is tried.

    Made small is the chi-square distance from the shares: the sum over parts p and classes c of
    (n_pc - f_p n_c)^2 / (f_p n_c), and the same of the parts' sizes as often as there are classes. To find the least is
    a hard problem (partition); here groups are placed one by one, large before small (those within a factor of two by
    their turn), and then single groups move for as long as that brings the parts nearer. Of all tries the nearest
    counts. Every class stands in the first part and no part is empty; as many groups as classes and parts together,
    less one, always suffice for that. Raises UserError where groups are too few.
    """
    magnitude = np.frexp(np.bincount(groups).astype(np.float64))[1]
    best: _Parts | None = None
    for turn in turns:
        parts = _Parts(groups, classes, fractions)
        for group in turn[np.argsort(-magnitude[turn], kind="stable")]:
            parts.settle(int(group))
        if not parts.fill():
            continue
        parts.improve()
        if best is None or parts.distance() < best.distance():
            best = parts
    if best is None:
        count = f"{len(magnitude)} {'group' if len(magnitude) == 1 else 'groups'}"
        raise UserError(
            f"The rows form {count}, too few for {len(fractions)} parts: no group is divided, no part may be empty, "
            f"and the first must hold every class."
        )
    return best.part


class _Parts:
    """Which part each group is in, and how many rows of each class each part still lacks.

    A group's rows by class are entries of a sparse table: `rows[e]` rows of class `kind[e]` in group `of[e]`, ordered
    by group. One more "class" K holds every row, for the sizes of the parts.
    """

    def __init__(self, groups: np.ndarray, classes: np.ndarray, fractions: tuple[float, ...]) -> None:
        row, kind = np.nonzero(classes) if classes.ndim == 2 else (np.arange(len(groups)), classes)
        kind = np.unique(kind, return_inverse=True)[1]
        count = int(kind.max()) + 1 if len(kind) else 0
        pairs = np.concatenate([groups[row] * (count + 1) + kind, groups * (count + 1) + count])
        entries, rows = np.unique(pairs, return_counts=True)
        self.of, self.kind, self.rows = entries // (count + 1), entries % (count + 1), rows.astype(np.float64)
        self.starts = np.searchsorted(self.of, np.arange(int(groups.max()) + 2))
        self.lack = np.outer(fractions, np.bincount(self.kind, weights=self.rows))  # (parts, K + 1)
        self.price = 1 / self.lack
        self.price[:, count] *= max(count, 1)
        self.part = np.full(len(self.starts) - 1, -1, dtype=np.int64)
        self.members = np.zeros(len(fractions), dtype=np.int64)  # groups in each part
        self.holders = np.zeros(count + 1, dtype=np.int64)  # groups of the first part that have the class

    def settle(self, group: int) -> bool:
        """Put a group where it costs least, unless it is needed where it is; whether that was a move."""
        kind, rows = self._entries(group)
        here = int(self.part[group])
        if here >= 0 and self._is_needed(group):
            return False
        lack = self.lack[:, kind]
        if here >= 0:
            lack[here] += rows
        # Rounded, so that sums in another order, as on another processor, end in the same part.
        cost = np.round((self.price[:, kind] * rows * (rows - 2 * lack)).sum(axis=1), 6)
        there = int(cost.argmin())
        if here < 0 and (self.holders[kind] == 0).any():
            there = 0  # it brings a class that the first part does not have yet
        elif here >= 0 and cost[here] - cost[there] < 2 * _GAIN:
            return False
        self._put(group, there)
        return True

    def fill(self) -> bool:
        """Move one group into each part that has none, the one that costs least; whether there was one to spare."""
        for part in np.flatnonzero(self.members == 0):
            cheapest = np.argsort(self.changes()[part], kind="stable")
            free = next((int(group) for group in cheapest if not self._is_needed(int(group))), None)
            if free is None:
                return False
            self._put(free, int(part))
        return True

    def improve(self) -> None:
        """Move single groups, those that save most first, until no move saves anything."""
        moved = True
        while moved:
            saved = -self.changes().min(axis=0)
            worth = np.flatnonzero(saved > _GAIN)
            moved = sum(self.settle(int(group)) for group in worth[np.argsort(-saved[worth], kind="stable")]) > 0

    def distance(self) -> float:
        """The chi-square distance, rounded so that equal ones compare as such."""
        return round(float((self.price * self.lack**2).sum()), 6)

    def changes(self) -> np.ndarray:
        """By how much the distance grows when a group moves to a part, (parts, groups); infinite for its own part."""
        here = self.part[self.of]
        leave = self.price[here, self.kind] * self.rows * (self.rows + 2 * self.lack[here, self.kind])
        out = np.empty((len(self.members), len(self.part)))
        for part in range(len(out)):
            join = self.price[part, self.kind] * self.rows * (self.rows - 2 * self.lack[part, self.kind])
            out[part] = np.bincount(self.of, weights=leave + join)
        out[self.part, np.arange(len(self.part))] = np.inf
        return out

    def _entries(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        entries = slice(self.starts[group], self.starts[group + 1])
        return self.kind[entries], self.rows[entries]

    def _is_needed(self, group: int) -> bool:
        """Whether its part would be empty without it, or the first part without one of its classes."""
        here = self.part[group]
        alone = here == 0 and (self.holders[self._entries(group)[0]] == 1).any()
        return bool(self.members[here] == 1 or alone)

    def _put(self, group: int, there: int) -> None:
        kind, rows = self._entries(group)
        for part, sign in ((int(self.part[group]), -1), (there, 1)):
            if part >= 0:
                self.lack[part, kind] -= sign * rows
                self.members[part] += sign
            if part == 0:
                self.holders[kind] += sign
        self.part[group] = there
