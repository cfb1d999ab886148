"""`Rows`: rows that come one by one, so that a file of any size fits; a bad one keeps its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

STDIN = "-"  #: the path that stands for standard input


class Row(NamedTuple):
    """Where a row begins in its source (from 1), its cells by column, and why it cannot be read where it cannot."""

    line: int
    cells: Mapping[str, Any]
    error: str | None = None


@dataclass
class Rows:
    """Rows in the order of their source. They can be taken once."""

    source: str  # what a person calls it: the path
    found: Iterator[Row]
    names: tuple[str, ...] | None = None  # the columns; None where each row says its own, as JSON does
    notes: list[str] = field(default_factory=list)  # what was assumed; what was skipped is added behind the last row
    types: Mapping[str, Any] = field(default_factory=dict)  # Arrow types of columns that have one type
    columns: tuple[str, ...] = ()  # those that its first rows have; what a row lacks of them is null there

    def __iter__(self) -> Iterator[Row]:
        return self.found


def source_of(path: object) -> str:
    """What a person calls a path."""
    return "stdin" if str(path) == STDIN else str(path)
