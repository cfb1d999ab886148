"""Labels as different programs write them, as one set: 1 and pandas' 1.0 are one label, `Pos` and `pos ` are two."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from maskwright.base.errors import UserError
from maskwright.base.words import counted
from maskwright.data.label_cells import label_lists
from maskwright.data.labels import Labels
from maskwright.evaluation._answers import Column, Sides

_WHOLE = re.compile(r"([+-]?[0-9]{1,100})(\.0*)?")
Known = Sequence[tuple[str, ...]]  #: the labels of each run, in its order
_NAMED = 3  # labels that a note names


def check_truths(sides: Sides, one: np.ndarray, two: np.ndarray) -> None:
    """Raises UserError where both sides say what is true, and not the same. Numbers may differ by what single precision
    does to them."""
    assert sides.again is not None
    same = np.isclose(one, two, rtol=1e-6, atol=0) if one.dtype.kind == "f" else one == two
    a, b = sides.truth, sides.again
    for i in np.flatnonzero(~same.reshape(len(one), -1).all(1)):
        if _number(a.cells[i]) is not None and _number(a.cells[i]) == _number(b.cells[i]):
            continue  # "1" and 1.0, where other cells keep these apart
        raise UserError(
            f"{a.where(i)} and {b.where(i)} do not have the same true label ({a.cells[i]!r} and {b.cells[i]!r}). "
            "Give both systems the same rows in the same order, or the truth by --data FILE --label COLUMN."
        )


def numbers(columns: Sequence[Column]) -> list[np.ndarray] | None:
    """The cells of each side as floats (n,), where one side holds numbers with fractions; None where none does.

    Raises UserError for a cell of the other sides that is no finite number.
    """
    found = [[_number(cell) for cell in column.cells] for column in columns]
    if not any(all(n is not None for n in side) and any(n and n % 1 for n in side) for side in found):
        return None
    for column, side in zip(columns, found, strict=True):
        row = next((i for i, n in enumerate(side) if n is None), None)
        if row is not None:
            raise UserError(
                f"{column.where(row)}: {column.cells[row]!r} is no finite number, but the others are numbers with "
                "fractions. Give a number in each row."
            )
    return [np.array(side, np.float64) for side in found]


def classes(columns: Sequence[Column], known: Known) -> tuple[Labels, list[np.ndarray], list[str]]:
    """One class a cell: the labels, the index of each cell for each side (n,), and what should be told of them.

    columns: as `Sides.columns`. known: each run's labels in its order, which the others follow.
    """
    given = [[_name(cell, i, column.where) for i, cell in enumerate(column.cells)] for column in columns]
    given, ours = _by_number(given, known)
    labels = _ordered(given, ours)
    index = {name: i for i, name in enumerate(labels.names)}
    found = [np.array([index[name] for name in side], np.int64) for side in given]
    return labels, found, _unmatched(columns, given, ours)


def sets(columns: Sequence[Column], known: Known, separator: str) -> tuple[Labels, list[np.ndarray], list[str]]:
    """Any number of labels a cell: as `classes`, with marks (n, labels) for each side."""
    rows = [label_lists([parsed(c) for c in column.cells], separator, column.where) for column in columns]
    given, ours = _by_number([[name for row in side for name in row] for side in rows], known)
    labels = _ordered(given, ours)
    if not labels:
        raise UserError(f"No row has a label, neither a true one nor an answer; a cell is cut at {separator!r}.")
    index = {name: i for i, name in enumerate(labels.names)}
    found = []
    for side, names in zip(rows, given, strict=True):
        marks = np.zeros((len(side), len(labels)), bool)
        owners = np.repeat(np.arange(len(side)), [len(row) for row in side])
        marks[owners, [index[name] for name in names]] = True
        found.append(marks)
    return labels, found, _unmatched(columns, given, ours)


def parsed(cell: Any, opening: tuple[str, ...] = ("[",)) -> Any:
    """A list that was written as JSON into a table, as `maskwright predict` does, or what else begins with `opening`;
    anything else as it is."""
    if not isinstance(cell, str) or not cell.lstrip().startswith(opening):
        return cell
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _number(cell: Any) -> float | None:
    try:
        found = float(cell)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if np.isfinite(found) else None


def _name(cell: Any, row: int, where: Callable[[int], str]) -> str:
    """A cell as the name of a class; JSON's true is `true`, as a run writes it."""
    if cell is None or cell != cell or not str(cell).strip():  # only NaN differs from itself
        raise UserError(
            f"{where(row)}: the label is empty. A comparison needs an answer and a true label in each row; predict "
            "without --abstain-below."
        )
    return str(cell).lower() if isinstance(cell, bool | np.bool_) else str(cell)


def _by_number(given: list[list[str]], known: Known) -> tuple[list[list[str]], tuple[str, ...]]:
    """Whole numbers written one way; as they are where one side itself tells 1 from 1.0, since it has reasons. Of the
    runs' labels, each once."""
    written = {name: _whole(name) for side in (*given, *known) for name in side}
    for names in map(set, (*given, *known)):
        if len({written[name] for name in names}) < len(names):
            written = {name: name for name in written}
            break
    ours = dict.fromkeys(written[name] for side in known for name in side)
    return [[written[name] for name in side] for side in given], tuple(ours)


def _whole(name: str) -> str:
    found = _WHOLE.fullmatch(name.strip())
    return str(int(found[1])) if found else name


def _ordered(given: Sequence[Sequence[str]], known: tuple[str, ...]) -> Labels:
    """A run's labels in its order, then the others in that of a set: never in the order of the rows."""
    others = {name for side in given for name in side} - set(known)
    return Labels((*known, *Labels.of(others).names))


def _unmatched(columns: Sequence[Column], given: Sequence[Sequence[str]], known: tuple[str, ...]) -> list[str]:
    """The labels that occur on one side only, with their rows: whoever gives them is wrong by their name alone. What a
    run knows is no slip, even if these rows have none of it."""
    true, *said = (Counter(side) for side in given[:3])
    notes = []
    for column, counts in zip(columns[1:3], said, strict=True):
        strange = [name for name in sorted(counts) if name not in true and name not in known]
        if strange:
            more, twins = _listed(strange, counts), _twins(strange, [*true, *known])
            notes.append(f"{column.name} answers {more}, but no row truly is that: it can never match.{twins}")
    missed = [name for name in sorted(true) if name not in known and not any(name in counts for counts in said)]
    if missed:
        notes.append(f"Rows truly are {_listed(missed, true)}, but no system answers that: it can never be matched.")
    return notes


def _listed(names: Sequence[str], counts: Counter[str]) -> str:
    told = [f"{name!r} ({counted(counts[name], 'row')})" for name in names[:_NAMED]]
    more = [f"{len(names) - _NAMED:,} more"] if len(names) > _NAMED else []
    return " and ".join([*told, *more])


def _twins(strange: Sequence[str], others: Sequence[str]) -> str:
    """The pairs that only case and spaces keep apart, which are most likely meant as one."""
    by = {_plain(name): name for name in others}
    found = [f"{name!r} from {by[_plain(name)]!r}" for name in strange if _plain(name) in by][:_NAMED]
    return f" Only case or spaces tell {' and '.join(found)}: write them one way." if found else ""


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
