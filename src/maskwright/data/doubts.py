"""Rows that may be slips and are taken as they stand: ids that come again, texts that are empty."""

from __future__ import annotations

from collections.abc import Sequence

from maskwright.base.words import counted
from maskwright.data.table import Table

ID = "id"


def repeated_ids(table: Table) -> list[str]:
    """A sentence where rows share an id, with the places of the first that do."""
    first: dict[str, int] = {}
    again: dict[str, tuple[int, int]] = {}
    for row, cell in enumerate(table.columns.get(ID, ())):
        if cell is not None and first.setdefault(str(cell), row) != row:
            again.setdefault(str(cell), (first[str(cell)], row))
    if not again:
        return []
    name, (one, other) = next(iter(again.items()))
    stand, such = ("stands", ":") if len(again) == 1 else ("stand", ", such as")
    return [
        f"{table.source}: {counted(len(again), 'id')} {stand} at several {table.unit}s{such} {name!r} at "
        f"{table.where(one)} and {table.where(other)}."
    ]


def empty(table: Table, texts: Sequence[str], what: str) -> list[str]:
    """A sentence where some of a table's texts hold nothing, with the place of the first; what: of what they are."""
    rows = [row for row, text in enumerate(texts) if not text.strip()]
    if not rows:
        return []
    verb = "is" if len(rows) == 1 else "are"
    return [f"{table.source}: {counted(len(rows), what)} {verb} empty (first at {table.where(rows[0])})."]
