"""Answers by the id of their row, as SQuAD's server takes them: one JSON object, {id: answer}."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    plain = isinstance(found, Mapping) and all(isinstance(value, str | int | float) for value in found.values())
    return dict(found) if plain else None


def in_order(found: Mapping[str, Any], gold: Table | None, name: str) -> Table:
    """The rows of `gold` with these answers. Raises UserError where there are none to put them beside, and for an id
    that only one side has."""
    if gold is None or ID not in gold.columns:
        raise UserError(
            f"{name} has answers by id, so the rows with their ids are needed: --data FILE --label COLUMN, of rows "
            f"with a column {ID}."
        )
    ids = [str(each) for each in gold.column(ID)]
    again = next((i for i, each in enumerate(ids) if each in ids[:i]), None) if len(set(ids)) < len(ids) else None
    if again is not None:
        raise UserError(f"{gold.where(again)} has the id {ids[again]!r} of another row, so answers by id fit both.")
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
    return replace(gold, columns={**gold.columns, SAID: [found[each] for each in ids]})
