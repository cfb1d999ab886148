"""Parts in which each of several labels stands in proportion: iterative stratification (Sechidis et al. 2011)."""

from __future__ import annotations

import numpy as np


def deal(marks: np.ndarray, fractions: tuple[float, ...], sizes: np.ndarray) -> np.ndarray:
    """The part of each row, (count,), so that part p has exactly `sizes[p]` rows and about its share of each label.

    marks: (count, labels) of bool, the rows in random order; fractions: share of each part; sizes: rows of each part,
    their sum count, and the first no smaller than the number of labels that occur.

    The label with the fewest rows left is dealt out first, while parts still have room for it (Sechidis, Tsoumakas and
    Vlahavas 2011, "On the stratification of multi-label data"). Beyond the paper:

    - A row goes to the part that is furthest behind its share in all labels of the row together, not in that one alone:
      of what was dealt out so far, this row included, so that the squared differences grow least.
    - To have no label, and to be a row at all, are dealt out as labels; a full part takes no more. So sizes are exact,
      and are kept in proportion on the way, not at the cost of the last label.
    - Each label first gives one row to the first part, which is trained on.
    """
    marks = np.column_stack([marks, ~marks.any(axis=1), np.ones(len(marks), dtype=bool)])
    rows_of = [np.flatnonzero(column).tolist() for column in marks.T]
    flat, ends = np.nonzero(marks)[1].tolist(), np.cumsum(marks.sum(axis=1)).tolist()
    total = marks.sum(axis=0)
    left, room = total.copy(), sizes.tolist()
    got = [[0] * len(room) for _ in total]  # rows of each label in each part
    part = [-1] * len(marks)

    def labels_of(row: int) -> list[int]:
        return flat[ends[row - 1] if row else 0 : ends[row]]

    def furthest_behind(row: int) -> int:
        labels = labels_of(row)
        due = sum(int(total[label] - left[label]) + 1 for label in labels)
        open_ = [p for p, free in enumerate(room) if free]
        return max(open_, key=lambda p: fractions[p] * due - sum(got[label][p] for label in labels))

    def put(row: int, into: int) -> None:
        part[row] = into
        room[into] -= 1
        for label in labels_of(row):
            left[label] -= 1
            got[label][into] += 1

    for label in np.argsort(total[:-2], kind="stable"):
        if total[label] and left[label] == total[label]:
            put(rows_of[label][0], 0)
    while left.any():
        rarest = int(np.where(left > 0, left, len(marks) + 1).argmin())
        for row in rows_of[rarest]:
            if part[row] < 0:
                put(row, furthest_behind(row))
    return np.array(part)
