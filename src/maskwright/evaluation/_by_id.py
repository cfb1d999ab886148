"""Answers by the id of their row, as SQuAD's server takes them: one JSON object, {id: answer}."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from maskwright.base.errors import UserError
from maskwright.base.words import counted
from maskwright.data.read import Source
from maskwright.data.table import Table

ID = "id"
SAID = "prediction"


def by_id(source: Source) -> dict[str, Any] | None:
    """The answers of a file that has them so; None for any other source."""
    if not isinstance(source, str | Path):
        return None
    path = Path(source).expanduser()
    if path.suffix != ".json" or not path.is_file():
        return None
    try:
        pairs = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_Pairs)
    except ValueError:
        return None
    if not isinstance(pairs, _Pairs) or any(isinstance(value, list) for _, value in pairs):
        return None  # rows, or the questions themselves
    again = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if again:
        raise UserError(f"{path} answers the id {again[0]!r} more than once; give each id one answer.")
    strange = next((name for name, value in pairs if not isinstance(value, str)), None)
    if strange is not None:
        raise UserError(f"{path}: the answer of {strange!r} is no text. The empty text stands for no answer.")
    return dict(pairs)


class _Pairs(list[tuple[str, Any]]):
    """The names and values of a JSON object, all of them."""


def in_order(found: Mapping[str, Any], gold: Table | None, name: str) -> Table:
    """The rows of `gold` with these answers. Raises UserError where there are none to put them beside, and for an id
    that only one side has."""
    if gold is None or ID not in gold.columns:
        raise UserError(
            f"{name} has answers by id, so the rows with their ids are needed: --data FILE --label COLUMN, of rows "
            f"with a column {ID}."
        )
    ids = [str(each) for each in gold.column(ID)]
    first: dict[str, int] = {}
    for i, (cell, each) in enumerate(zip(gold.column(ID), ids, strict=True)):
        if cell is None:
            raise UserError(f"{gold.where(i)} has no id, so answers by id cannot be put beside it.")
        if first.setdefault(each, i) != i:
            raise UserError(f"{gold.where(i)} has the id {each!r} of another row, so answers by id fit both.")
    _check_ids(found, ids, gold, name)
    return replace(gold, columns={**gold.columns, SAID: [found[each] for each in ids]})


def aligned(table: Table, gold: Table) -> Table | None:
    """The rows of `table` beside those of `gold` with the same ids. None where not both have ids, one of each row, or
    they share none, so that nothing but the order tells. Raises UserError for an id that only one side has."""
    if ID not in table.columns or ID not in gold.columns:
        return None
    own, ids = ([str(cell) for cell in each.column(ID)] for each in (table, gold))
    rows = {each: i for i, each in enumerate(own)}
    if len(rows) < len(own) or len(set(ids)) < len(ids) or rows.keys().isdisjoint(ids):
        return None
    _check_ids(rows, ids, gold, table.source)
    return table.select(rows[each] for each in ids)


def _check_ids(found: Mapping[str, Any], ids: Sequence[str], gold: Table, name: str) -> None:
    """Raises UserError for an id of the answers `found` that is none of `gold`'s `ids`, and the other way round."""
    missing = [i for i, each in enumerate(ids) if each not in found]
    if missing:
        raise UserError(
            f"{name} has no answer for {counted(len(missing), 'row')} of {gold.source}; the first is "
            f"{ids[missing[0]]!r} ({gold.where(missing[0])})."
        )
    strange = sorted(set(found) - set(ids))
    if strange:
        raise UserError(
            f"{name} answers {counted(len(strange), 'id')} that {gold.source} does not have, such as {strange[0]!r}."
        )
