"""The contract of a writer: answers in, bytes out, block by block."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from maskwright.base.choice import Part, find, names
from maskwright.base.growing import GrowingFile

Answer = Mapping[str, Any]
Fields = Mapping[str, Any]  # what tables have as columns, by name: a Python type, or an Arrow type that is known


class Writer(Part):
    """Writes answers in one format, in blocks that a `GrowingFile` takes one behind the other."""

    suffixes: ClassVar[tuple[str, ...]] = ()  # with the dot, lower case

    def head(self, fields: Fields) -> bytes:
        """What stands before the first answer."""
        return b""

    @abstractmethod
    def block(self, answers: Sequence[Answer], fields: Fields) -> bytes:
        """Some answers. Blocks do not depend on each other."""

    def finish(self, file: GrowingFile) -> None:
        """Make of all blocks the file that was asked for."""
        file.finish()


def writer_for(path: str | Path) -> Writer:
    """The writer of a path's suffix; JSON lines for a suffix that no writer has."""
    owners = {suffix: name for name in names(Writer) for suffix in find(Writer, name).suffixes}
    return find(Writer, owners.get(Path(path).suffix.lower(), "jsonl"))()


def flat(answer: Answer, whole: Container[str] = ()) -> dict[str, Any]:
    """An answer as one row of cells: what is nested becomes `probabilities.good`, `input.id`, `top.1.label`.

    What stands under a name in `whole` is one cell, whatever it holds.
    """
    cells: dict[str, Any] = {}
    for name, value in answer.items():
        inner = [] if name in whole else _inner(value)
        cells |= {f"{name}.{part}": cell for part, cell in inner} if inner else {name: value}
    return cells


def _inner(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
        return [(f"{i}.{part}", cell) for i, entry in enumerate(value, 1) for part, cell in entry.items()]
    return []


def as_text(cell: Any) -> str:
    """A cell of any type as text: lists, tables and truth as JSON writes them, dates as ISO 8601."""
    if isinstance(cell, str):
        return cell
    return json.dumps(cell, ensure_ascii=False, default=str) if isinstance(cell, bool | list | dict) else str(cell)
