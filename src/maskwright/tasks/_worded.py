"""Texts made of the cells of a row: `--text "{name} costs {price}"`, or `--text "*"` for all of them.

A network of texts reads a table as sentences (Hegselmann et al. 2023 compare such templates).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from functools import lru_cache
from typing import Any

from maskwright.base.errors import UserError, unknown
from maskwright.data.table import Table

ALL = "*"  #: a template of all columns but that of the label
#: a brace that stands for itself, a column, or a brace that holds none
_BRACES = re.compile(r"\{\{|\}\}|\{(?P<column>[^{}]+)\}|[{}]")
_SO = "Write {column}; {{ and }} are braces themselves."


def fields(column: str) -> tuple[str, ...] | None:
    """The columns that a template names, each once; None for the name of a column. Raises UserError for one that does
    not hold together."""
    parts = _parts(column)
    return None if parts is None else tuple(dict.fromkeys(name for _, name in parts if name is not None))


def columns(column: str) -> tuple[str, ...]:
    """The columns that a setting names: a column, those of a template, or none of its own where it stands for all."""
    return () if column == ALL else fields(column) or (column,)


def template(names: Iterable[str]) -> str:
    """`name: {name}; ...`, as `*` stands for. Raises UserError for a name that holds a brace."""
    names = list(names)
    braced = next((name for name in names if "{" in name or "}" in name), None)
    if braced is not None:
        raise UserError(
            f"The column {braced!r} has a brace in its name, which no template can hold. Rename it, or write a "
            "template of the other columns."
        )
    return "; ".join(f"{name}: {{{name}}}" for name in names)


def of_cells(cells: Mapping[str, Any], column: str) -> str:
    """The text of a row. A cell that is empty leaves nothing in its place."""
    parts = _parts(column)
    if parts is None:
        return string(cells.get(column), column)
    return "".join(words + ("" if name is None else _cell(cells, name)) for words, name in parts)


def of_table(table: Table, column: str) -> list[str]:
    """The text of each row. Raises UserError that says where a cell is that is no text."""
    names = fields(column)
    columns = {name: table.column(name) for name in (names or (column,))}
    out = []
    for row in range(len(table)):
        try:
            out.append(of_cells({name: cells[row] for name, cells in columns.items()}, column))
        except UserError as problem:
            raise UserError(f"{table.where(row)}: {problem}") from None
    return out


def string(cell: Any, column: str) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, (int, float, Decimal, date, time)) and not isinstance(cell, bool):
        return str(cell)
    raise UserError(f"the column {column!r} holds {cell!r} where a text is needed. Mend or remove the row.")


def _cell(cells: Mapping[str, Any], name: str) -> str:
    if name not in cells:
        raise UserError(f"{unknown('column', name, cells)} Where a row has nothing there, write null.")
    cell = cells[name]
    if cell is None or cell != cell:
        return ""
    return ("yes" if cell else "no") if isinstance(cell, bool) else string(cell, name)


@lru_cache(maxsize=64)
def _parts(column: str) -> tuple[tuple[str, str | None], ...] | None:
    """Words, and the column behind them."""
    if "{" not in column:
        return None
    out: list[tuple[str, str | None]] = []
    words, at = "", 0
    for found in _BRACES.finditer(column):
        words, at = words + column[at : found.start()], found.end()
        name, sign = found["column"], found[0]
        if name:
            out.append((words, name))
            words = ""
        elif len(sign) == 2:
            words += sign[0]
        else:
            raise UserError(f"The template {column!r} does not hold together: a brace is alone or empty. {_SO}")
    if not out:
        raise UserError(f"The template {column!r} names no column. {_SO}")
    return (*out, (words + column[at:], None))
