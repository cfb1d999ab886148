"""Texts made of the cells of a row: `--text "{name} costs {price}"`, or `--text "*"` for all of them.

A network of texts reads a table as sentences (Hegselmann et al. 2023 compare such templates).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from string import Formatter
from typing import Any

from maskwright.base.errors import UserError
from maskwright.data.table import Table

ALL = "*"  #: a template of all columns but that of the label


def fields(column: str) -> tuple[str, ...] | None:
    """The columns that a template names, each once; None for the name of a column. Raises UserError for one that does
    not hold together."""
    parts = _parts(column)
    return None if parts is None else tuple(dict.fromkeys(name for _, name in parts if name is not None))


def columns(column: str) -> tuple[str, ...]:
    """The columns that a setting names: a column, those of a template, or none of its own where it stands for all."""
    return () if column == ALL else fields(column) or (column,)


def template(names: Iterable[str]) -> str:
    """`name: {name}; ...`, as `*` stands for."""
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
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return str(cell)
    raise UserError(f"the column {column!r} holds {cell!r} where a text is needed. Mend or remove the row.")


def _cell(cells: Mapping[str, Any], name: str) -> str:
    cell = cells.get(name)
    if cell is None or cell != cell:
        return ""
    return ("yes" if cell else "no") if isinstance(cell, bool) else string(cell, name)


@lru_cache(maxsize=64)
def _parts(column: str) -> tuple[tuple[str, str | None], ...] | None:
    """Words, and the column behind them."""
    if "{" not in column:
        return None
    try:
        found = [(words, name) for words, name, how, turned in Formatter().parse(column) if not (how or turned)]
        whole = len(found) == len(list(Formatter().parse(column)))
    except ValueError as problem:
        raise UserError(f"The template {column!r} does not hold together: {problem}. Write {{column}}.") from None
    if not whole or not any(name for _, name in found) or any(name == "" for _, name in found):
        raise UserError(
            f"The template {column!r} names no column in some braces, or how to write it. Write {{column}}."
        )
    return tuple(found)
