"""Rows that are in memory already: columns, records, and the frames of pandas, polars, pyarrow and datasets.

None of these libraries is imported. A frame is what has a length and columns that are called by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from maskwright.base.errors import UserError
from maskwright.data.table import Table, from_columns, from_records, plain

ALLOWED = (
    "Allowed: a path, a mapping of names to columns, rows that are mappings, or a frame of pandas, polars, pyarrow or "
    "datasets."
)
_SOURCE = "the data given"
_SHOWN = 5  # class names in a note


class Frame(Protocol):
    """What the frames of these libraries share."""

    def __len__(self) -> int: ...

    def __getitem__(self, name: Any, /) -> Any: ...


def from_memory(source: Any) -> Table:
    """A table of plain values. Raises UserError for what holds no rows, and for a set of splits instead of one."""
    if isinstance(source, Table):
        return source
    if isinstance(source, Mapping):
        table = from_columns(_one_table(source), _SOURCE)
    elif (names := _column_names(source)) is not None:
        _distinct(names)
        table = from_columns({name: source[name] for name in names}, _SOURCE)
    elif isinstance(source, Iterable):
        table = _from_rows(source)
    else:
        raise UserError(f"Rows cannot be read from a {type(source).__name__}. {ALLOWED}")
    _distinct(table.columns)
    columns = {str(name): [plain(cell) for cell in cells] for name, cells in table.columns.items()}
    return _with_class_names(replace(table, columns=columns), getattr(source, "features", None))


def _column_names(source: Any) -> list[Any] | None:
    """The names of a frame's columns; None for what is no frame."""
    if not (hasattr(source, "__len__") and hasattr(source, "__getitem__")):
        return None
    for attribute in ("column_names", "columns"):  # in this order: `columns` of pyarrow are the cells
        if (names := getattr(source, attribute, None)) is not None:
            return list(names)
    return None


def _distinct(names: Iterable[Any]) -> None:
    """A frame may have a name twice, and 1 and "1" are one name here: one of the two would be lost."""
    texts = [str(name) for name in names]
    twice = sorted({name for name in texts if texts.count(name) > 1})
    if twice:
        raise UserError(f"{_SOURCE}: there is more than one column {', '.join(map(repr, twice))}. Rename or remove it.")


def _one_table(source: Mapping[Any, Any]) -> Mapping[Any, Any]:
    splits = [name for name, cells in source.items() if hasattr(cells, "column_names") or hasattr(cells, "columns")]
    if splits:
        raise UserError(
            f"{_SOURCE} is a set of tables ({', '.join(map(str, splits))}), not one table. Give one of them, for "
            f"example data[{splits[0]!r}]."
        )
    return source


def _from_rows(source: Iterable[Any]) -> Table:
    rows = list(source)
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise UserError(f"The data given row {number}: a {type(row).__name__}, not a mapping. {ALLOWED}")
    return from_records(rows, _SOURCE, list(range(1, len(rows) + 1)), unit="row")


def _with_class_names(table: Table, features: Any) -> Table:
    """`datasets` keeps classes as numbers and their names beside them (a ClassLabel): put the names in, and note it."""
    columns, notes = dict(table.columns), list(table.notes)
    for name, feature in features.items() if isinstance(features, Mapping) else ():
        classes = getattr(getattr(feature, "feature", feature), "names", None)  # `.feature`: of the items of a list
        if classes is None or name not in columns:
            continue
        cells = columns[name]
        columns[name] = [_class_name(cell, classes, table.where(row), name) for row, cell in enumerate(cells)]
        shown = ", ".join(classes[:_SHOWN]) + (", ..." if len(classes) > _SHOWN else "")
        held = sum(cell == -1 for cell in cells)
        notes.append(
            f"{_SOURCE}: {name!r} is a ClassLabel: the numbers 0 to {len(classes) - 1} were replaced by their names "
            f"({shown})."
            + (f" In {held:,} of {len(cells):,} rows it is -1, which is no label, and is null there." if held else "")
        )
    return replace(table, columns=columns, notes=notes)


def _class_name(cell: Any, classes: list[str], where: str, column: str) -> Any:
    """-1 is how `datasets` writes a label that its publisher keeps back."""
    if isinstance(cell, list):
        return [_class_name(item, classes, where, column) for item in cell]
    if cell is None or isinstance(cell, str) or cell == -1:
        return None if cell == -1 else cell
    if not (isinstance(cell, int) and 0 <= cell < len(classes)):
        raise UserError(f"{where}: {column!r} is {cell!r}, but its ClassLabel has the numbers 0 to {len(classes) - 1}.")
    return classes[cell]
