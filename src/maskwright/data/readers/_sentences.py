"""Files of one word a line, with a blank line behind each sentence: what CoNLL and CoNLL-U share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from maskwright.base.errors import UserError
from maskwright.data.readers._text import decode
from maskwright.data.table import Table


class Block(NamedTuple):
    """The lines of one sentence, and where it begins (from 1)."""

    line: int
    lines: list[str]


class Sentence(NamedTuple):
    """The cells of a sentence, where it begins, and the line of each of its words."""

    line: int
    words: Sequence[int]
    cells: dict[str, Any]


def read_blocks(path: str | Path, encoding: str) -> tuple[list[Block], list[str]]:
    """The sentences of a file, and notes. A line that holds only white space ends one: some files write a tab there."""
    text, notes = decode(path, encoding)
    found: list[Block] = []
    open_ = False
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.removesuffix("\r")
        if not line.strip():
            open_ = False
        elif open_:
            found[-1].lines.append(line)
        else:
            found.append(Block(number, [line]))
            open_ = True
    if not found:
        raise UserError(f"{path} is empty; a file of rows is needed.")
    return found, notes


def table(sentences: Iterator[Sentence], source: str, notes: list[str]) -> Table:
    """A table of sentences."""
    lines, words, columns = list[int](), list[Sequence[int]](), dict[str, list[Any]]()
    for line, own, cells in sentences:
        lines.append(line)
        words.append(own)
        for name, cell in cells.items():
            columns.setdefault(name, []).append(cell)
    if not lines:
        raise UserError(f"{source} holds no sentence.")
    return Table(columns, source, lines, notes, inner=words)
