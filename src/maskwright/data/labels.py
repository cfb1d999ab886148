"""`Labels`: the classes of a task, in an order that is the same wherever they are found again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskwright.base.errors import UserError, unknown

_INTEGER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True)
class Labels:
    """Class names by index: in numeric order when all are integers, else sorted."""

    names: tuple[str, ...]

    @classmethod
    def discover(cls, values: Iterable[Any], where: Callable[[int], str]) -> Labels:
        """The set of `values`. `where(i)` says where value i stands, for messages.

        Raises UserError for an empty label, for fewer than two classes, and for names that differ only in the spaces
        around them.
        """
        found: dict[str, int] = {}
        count = 0
        for count, value in enumerate(values, 1):
            found.setdefault(_name(value, count - 1, where), count - 1)
        if not found:
            raise UserError("There are no labels: no rows were given.")
        if len(found) == 1:
            raise UserError(
                f"All {count} rows have the label {next(iter(found))!r} ({where(0)} onwards); a classifier needs at "
                f"least two classes. Check which column holds the label."
            )
        bare: dict[str, str] = {}
        for name, row in found.items():
            other = bare.setdefault(name.strip(), name)
            if other != name:
                raise UserError(
                    f"{where(row)}: the labels {name!r} and {other!r} differ only in spaces. Make them one."
                )
        by_number = all(_INTEGER.fullmatch(name) for name in found)
        return cls(tuple(sorted(found, key=(lambda name: (int(name), name)) if by_number else None)))

    def encode(self, values: Iterable[Any], where: Callable[[int], str]) -> np.ndarray:
        """The index of each value, (rows,) int64. Raises UserError for a label that is not in the set."""
        index = {name: i for i, name in enumerate(self.names)}
        given = [_name(value, i, where) for i, value in enumerate(values)]
        strange = Counter(name for name in given if name not in index)
        if strange:
            row, name = next((i, name) for i, name in enumerate(given) if name in strange)
            more = f" {len(strange) - 1} other labels are not in the set either." if len(strange) > 1 else ""
            more = more.replace("1 other labels are", "1 other label is") if len(strange) == 2 else more
            raise UserError(
                f"{where(row)}: {unknown('label', name, self.names)} It stands in {strange[name]} "
                f"{'row' if strange[name] == 1 else 'rows'}.{more}"
            )
        return np.fromiter((index[name] for name in given), dtype=np.int64, count=len(given))

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> str:
        return self.names[index]


def _name(value: Any, row: int, where: Callable[[int], str]) -> str:
    """A label as text: JSON's true and 1 are `true` and `1`, as they stand in the file."""
    if isinstance(value, str) and value.strip():
        return value
    if value is None or isinstance(value, str) or value != value:  # only NaN differs from itself
        raise UserError(f"{where(row)}: the label is empty. Fill it or remove the row.")
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | float | np.integer | np.floating):
        return str(value)
    raise UserError(f"{where(row)}: the label is {value!r}, a {type(value).__name__}. Give a text or a number.")
