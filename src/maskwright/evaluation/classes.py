"""Class by class, or label by label, and what is taken for what: bounded, however many classes there are.

All is counted from the rows. A matrix of classes by classes would be 80 gigabytes for 100,000 of them, after all the
training, so only those that were confused most are crossed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maskwright.runs.shapes import Cell, Matrix, Table
from maskwright.stats.intervals import Interval, class_f1, wilson

LISTED = 1000  #: classes in the table; more are kept by their rows
CROSSED = 40  #: classes in the matrix; more are kept by their mistakes
NAMED = 20  #: classes that a note names

NOTE = (
    "The saved model. Intervals (95 %) are Wilson's, over examples; that of F1 is the interval of the share of hits "
    "among all rows that have the {one} or were given it."
)


def class_table(targets: np.ndarray, said: np.ndarray, names: Sequence[str]) -> Table:
    """targets, said: (rows,) the class of each row and the answer."""
    true, given, hits = (np.bincount(of, minlength=len(names)) for of in (targets, said, targets[targets == said]))
    return _each("class", true, given, hits, names)


def label_table(targets: np.ndarray, said: np.ndarray, names: Sequence[str], thresholds: np.ndarray) -> Table:
    """targets, said: (rows, labels) bool; thresholds: (labels,) the probability from which on each was given."""
    return _each("label", targets.sum(0), said.sum(0), (targets & said).sum(0), names, thresholds)


def _each(
    one: str,
    true: np.ndarray,
    given: np.ndarray,
    hits: np.ndarray,
    names: Sequence[str],
    thresholds: np.ndarray | None = None,
) -> Table:
    """Counts of the rows of each class, of those that were given it, and of those where both is so."""
    kept = np.arange(len(names))
    note = NOTE.format(one=one)
    if len(names) > LISTED:
        kept = np.argsort(-(true + given), kind="stable")[:LISTED]
        none = int(((true + given) == 0).sum())
        more = f", of which {none:,} stand in no row and no answer" if none else ""
        plural = "classes" if one == "class" else "labels"
        note += f" Kept here: the {LISTED:,} of {len(names):,} {plural} with the most rows and answers{more}."
    rows: list[list[Cell]] = []
    for i in map(int, kept):
        of = int(true[i]), int(given[i]), int(hits[i])
        row = [names[i], of[0], _share(of[2], of[1]), _share(of[2], of[0]), class_f1(*of)]
        rows.append(row if thresholds is None else [*row, float(thresholds[i])])
    head = [one, "rows", "precision", "recall", "F1", *([] if thresholds is None else ["given from"])]
    return Table(f"{one.capitalize()} by {one}", head, rows, note)


def _share(hits: int, rows: int) -> Interval | None:
    return wilson(hits, rows) if rows else None


def confusion(targets: np.ndarray, said: np.ndarray, names: Sequence[str], what: str = "rows") -> Matrix:
    """True classes by answers, of at most CROSSED classes: those with the most mistakes, in the order of the labels.
    what: has classes."""
    wrong = targets != said
    rows = np.bincount(np.concatenate([targets, said]), minlength=len(names))
    mistakes = np.bincount(np.concatenate([targets[wrong], said[wrong]]), minlength=len(names))
    order = np.lexsort((-rows, -mistakes))
    kept = np.sort(order[:CROSSED])
    place = np.full(len(names), -1)
    place[kept] = np.arange(len(kept))
    inside = (place[targets] >= 0) & (place[said] >= 0)
    cells = np.zeros((len(kept), len(kept)), np.int64)
    np.add.at(cells, (place[targets[inside]], place[said[inside]]), 1)
    shown = [names[i] for i in kept]
    note = f"{what.capitalize()} of the reported split, by the saved model."
    if len(names) > CROSSED:
        note += (
            f" Shown: the {CROSSED} of {len(names):,} classes with the most mistakes; {inside.sum():,} of "
            f"{len(targets):,} {what} have both their true class and their answer among them."
        )
        note += _others(order, rows, names)
    return Matrix("What is taken for what", shown, shown, cells, note, row_name="true", column_name="predicted")


def _others(order: np.ndarray, rows: np.ndarray, names: Sequence[str]) -> str:
    """The classes that are not crossed, those with the most mistakes first, with how often each was true or given."""
    others = [int(i) for i in order[CROSSED:][rows[order[CROSSED:]] > 0]]
    if not others:
        return " No other stands in a row or an answer."
    listing = ", ".join(f"{names[i][:40]} ({int(rows[i]):,})" for i in others[:NAMED])
    more = f" and {len(others) - NAMED:,} more" if len(others) > NAMED else ""
    return f" The others, with how often each is true or predicted: {listing}{more}."
