"""Cells that hold any number of labels, as lists of names: a list, a text with separators, or columns of 0 and 1."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from maskwright.base.errors import UserError

LISTS = (list, tuple, set, frozenset, np.ndarray)  #: types of a cell that holds several labels
_PRINTED = re.compile(r"\[\s*(?:['\"\d].*)?\]", re.DOTALL)  # ['a', 'b'], as a list gets into a CSV file by accident
_MARKS: dict[Any, bool] = {0: False, 1: True, "0": False, "1": True, "false": False, "true": True}


def label_lists(cells: Sequence[Any], separator: str, where: Callable[[int], str]) -> list[list[str]]:
    """The labels of each row, in the order of its cell; none for a null, an empty text and an empty list.

    A text is cut at `separator`, and the spaces around a label are dropped. A whole number is a label, as it stands in
    the file. `where(i)` says where cell i stands. Raises UserError for anything else, for a label that is empty or
    stands twice in a row, and for lists in some rows and texts or numbers in others.
    """
    listed = next((row for row, cell in enumerate(cells) if isinstance(cell, LISTS)), None)
    out = []
    for row, cell in enumerate(cells):
        if isinstance(cell, LISTS):
            found = _from_list(list(cell), where, row)
        elif cell is None or (isinstance(cell, str) and not cell.strip()) or _is_nan(cell):
            found = []
        elif listed is not None:
            raise UserError(
                f"{where(row)}: the labels are {cell!r}, a {type(cell).__name__}, but those of {where(listed)} are a "
                "list. Write all rows one way."
            )
        else:
            found = _from_text(cell, separator, where, row) if isinstance(cell, str) else [_label(cell, where, row)]
        _check_once(found, cell, where, row)
        out.append(found)
    return out


def indicator_lists(columns: Mapping[str, Sequence[Any]], where: Callable[[int], str]) -> list[list[str]]:
    """The labels of each row from one column for each label, with 0 or 1, false or true, or these as texts.

    `where(i)` says where row i stands. Raises UserError for any other cell, an empty one too.
    """
    rows: list[list[str]] = [[] for _ in next(iter(columns.values()))]
    for name, cells in columns.items():
        for row, cell in enumerate(cells):
            mark = _mark(cell)
            if mark is None:
                raise UserError(
                    f"{where(row)}: the indicator {name!r} holds {cell!r}. Allowed: 0, 1, false, true. A column that "
                    "holds the labels themselves is named by task.label, not in task.labels."
                )
            if mark:
                rows[row].append(name)
    return rows


def _mark(cell: Any) -> bool | None:
    key = cell.strip().lower() if isinstance(cell, str) else cell
    return _MARKS.get(key) if isinstance(key, str | int | float | np.generic) else None


def _from_list(values: list[Any], where: Callable[[int], str], row: int) -> list[str]:
    texts = [isinstance(value, str) for value in values]
    found = [_label(value, where, row) for value in values]
    if any(texts) and not all(texts):
        raise UserError(f"{where(row)}: the labels {values!r} mix names and numbers. Write all of them one way.")
    return found


def _from_text(cell: str, separator: str, where: Callable[[int], str], row: int) -> list[str]:
    if _PRINTED.fullmatch(cell.strip()):
        raise UserError(
            f"{where(row)}: the labels are {cell!r}, a list that was written as a text. Write the labels alone with "
            f"{separator!r} between them, or lists into a JSONL file."
        )
    found = [part.strip() for part in cell.split(separator)]
    if "" in found:
        raise UserError(
            f"{where(row)}: one of the labels in {cell!r} is empty. Remove the {separator!r} that is too many."
        )
    return found


def _label(value: Any, where: Callable[[int], str], row: int) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return str(value)
    if value is None or isinstance(value, str) or _is_nan(value):
        raise UserError(f"{where(row)}: one of the labels is empty. Fill it or remove it from the list.")
    raise UserError(
        f"{where(row)}: the label {value!r} is a {type(value).__name__}. A label is a text or a whole number; for a "
        "number a label, give columns of 0 and 1 and name them in task.labels."
    )


def _check_once(found: list[str], cell: Any, where: Callable[[int], str], row: int) -> None:
    if len(set(found)) == len(found):
        return
    twice = next(name for name in found if found.count(name) > 1)
    vector = isinstance(cell, LISTS) and set(found) <= {"0", "1"}
    hint = " For a 0 or 1 a label, give columns of them and name these in task.labels." if vector else ""
    raise UserError(f"{where(row)}: the label {twice!r} stands twice in {cell!r}. Name each label once.{hint}")


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | np.floating) and bool(value != value)
