"""Delimited text as records that know their lines, strict about quotes: a lost quote must not swallow rows."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from maskwright.base.errors import UserError


@dataclass
class Sheet:
    """`rows[i]` began at line `lines[i]`."""

    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    blank: int = 0  # blank lines, skipped
    long: list[tuple[int, int]] = field(default_factory=list)  # first and last line of records with line ends in cells

    def is_even(self) -> bool:
        """Whether there are rows and all have one number of cells."""
        return len({len(row) for row in self.rows}) == 1

    def add(self, row: list[str], first: int, last: int) -> None:
        if not row:
            self.blank += 1
            return
        self.rows.append(row)
        self.lines.append(first)
        if last > first:
            self.long.append((first, last))


def parse(text: str, delimiter: str, quoting: bool, source: str, limit: int | None = None) -> Sheet:
    """The records of `text` (the first `limit`). Raises UserError at a quote that does not close as it should."""
    return _quoted(text, delimiter, source, limit) if quoting else _plain(text, delimiter, limit)


def _plain(text: str, delimiter: str, limit: int | None) -> Sheet:
    sheet = Sheet()
    for number, line in enumerate(_lines(text), 1):
        content = line.removesuffix("\n").removesuffix("\r")
        sheet.add(content.split(delimiter) if content else [], number, number)
        if len(sheet.rows) == limit:
            break
    return sheet


def _quoted(text: str, delimiter: str, source: str, limit: int | None) -> Sheet:
    sheet = Sheet()
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    first = 1
    with _long_cells(len(text) + 1):
        try:
            for row in reader:
                sheet.add(row, first, reader.line_num)
                if len(sheet.rows) == limit:
                    break
                first = reader.line_num + 1
        except csv.Error as problem:
            raise UserError(_explain(text, delimiter, source, first, reader.line_num, str(problem))) from None
    return sheet


def _lines(text: str) -> Iterator[str]:
    """Lines with their ends. Only a line feed ends a line: str.splitlines would also cut at U+2028 and its like."""
    return (m.group() for m in re.finditer(r"[^\n]*\n|[^\n]+", text))


@contextmanager
def _long_cells(limit: int) -> Iterator[None]:
    """The csv module refuses cells over 128 KiB, which a whole document can have; its limit is one for the process."""
    before = csv.field_size_limit(limit)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _explain(text: str, delimiter: str, source: str, first: int, last: int, problem: str) -> str:
    if "new-line" in problem:
        return (
            f"{source} line {last}: a carriage return stands inside a cell that is not quoted. "
            f"Quote the cell, remove the character, or state --set data.quoting=false."
        )
    line = _opening(text, delimiter, first)
    end = f"and line {last} has more text after the quote that closes it" if "expected after" in problem else ""
    return (
        f'{source} line {line}: a quote (") opens a cell here {end or "and is not closed before the file ends"}. '
        f'Inside a quoted cell write " as ""; if quotes are plain text in this file, state --set data.quoting=false.'
    )


def _opening(text: str, delimiter: str, first: int) -> int:
    """The line where the first ill-quoted cell at or after line `first` begins."""
    at = 0
    for _ in range(first - 1):
        at = text.index("\n", at) + 1
    d = re.escape(delimiter)
    cell = re.compile(rf'(?:"[^"]*+(?:""[^"]*+)*+"(?=[{d}\r\n]|\Z)|(?!")[^{d}\r\n]*+)[{d}\r\n]?')
    while (found := cell.match(text, at)) and found.end() > at:
        at = found.end()
    return text.count("\n", 0, at) + 1
