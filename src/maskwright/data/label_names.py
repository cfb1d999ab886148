"""Names for labels that stand in a file as ids: `4` is `approval` where line 5 of a names file says so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from maskwright.base.errors import UserError, unknown
from maskwright.data.readers._text import decode

_INTEGER = re.compile(r"[+-]?[0-9]+")


def read_names(path: str | Path) -> tuple[str, ...]:
    """The names in a UTF-8 file, one a line: line 1 names id 0. Raises UserError as `check_names` does."""
    source = Path(path).expanduser()
    return check_names(decode(source, "utf-8")[0].rstrip().split("\n"), str(source))


def check_names(given: Sequence[str], source: str) -> tuple[str, ...]:
    """Names by id, without the spaces around them; `source` is what they come from, for messages.

    Raises UserError for fewer than two, and for a name that is empty, stands twice, or is a number itself.
    """
    names = tuple(name.strip() for name in given)
    if len(names) < 2:
        raise UserError(f"{source} holds {'one name' if any(names) else 'no names'}; give two or more, one a line.")
    first: dict[str, int] = {}
    for number, name in enumerate(names):
        where = f"{source} line {number + 1}"
        if not name:
            raise UserError(
                f"{where}: the label {number} has no name. Fill it: ids count the lines, so none can be left out."
            )
        if _INTEGER.fullmatch(name):
            raise UserError(
                f"{where}: the label {number} is called {name!r}, which looks like an id. Give it another name."
            )
        if first.setdefault(name, number) != number:
            raise UserError(f"{where}: the labels {first[name]} and {number} are both called {name!r}. Rename one.")
    return names


def name_ids(values: Iterable[Any], names: Sequence[str], where: Callable[[int], str]) -> list[Any]:
    """Each id as its name. A name stands for itself; what is empty stays as it is, for others to judge.

    `where(i)` says where value i stands. Raises UserError for what is neither an id nor a name.
    """
    known = {**{str(number): name for number, name in enumerate(names)}, **{name: name for name in names}}

    def named(value: Any, row: int) -> Any:
        key = value.strip() if isinstance(value, str) else value
        if key is None or (isinstance(key, str) and not key) or (isinstance(key, float) and key != key):  # NaN
            return value
        if str(key) not in known:
            raise UserError(f"{where(row)}: {unknown('label', str(key), names)} An id is one of 0 to {len(names) - 1}.")
        return known[str(key)]

    return [named(value, row) for row, value in enumerate(values)]
