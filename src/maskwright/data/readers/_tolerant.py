"""Delimited records one by one. One that cannot be read costs itself alone: reading goes on behind its first line."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from maskwright.data.readers._lines import flaw

RECORD = 2**24  #: characters of a record over several lines; a quote that is open for longer has lost its partner


class Record(NamedTuple):
    """Where a record begins, its cells, and what is wrong with it, if anything."""

    line: int
    cells: list[str]
    error: str | None = None


class Records:
    """The records of lines, and counts of what is worth a note; the counts are complete behind the last record.

    The first record sets the number of cells. Where a quote is not closed as it should be, or a record over several
    lines has another number of cells (a lost quote may have swallowed rows), its first line is the error, and the
    lines behind it are read again as records of their own.
    """

    def __init__(self, lines: Iterator[str], delimiter: str, quoting: bool, encoding: str) -> None:
        self.delimiter, self.quoting, self.encoding = delimiter, quoting, encoding
        self.blank = 0  #: blank lines, skipped
        self.long = 0  #: records over more than one line
        self.longest = (0, 0)  #: first and last line of the longest of them
        self._expected: tuple[int, int] | None = None  # line and cells of the first record
        self._lines = lines
        self._again: deque[str] = deque()  # lines to be read again
        self._line = 0  # lines read
        self._taken: list[str] = []  # lines of the record in hand
        self._size = 0  # characters of them

    def __iter__(self) -> Iterator[Record]:
        reader = self._quoted() if self.quoting else self._plain()
        while True:
            self._taken, self._size, first = [], 0, self._line + 1
            try:
                cells = _next(reader)
            except StopIteration:
                return
            except csv.Error as problem:
                cells, error, lost = [], _explain(str(problem)), True
            else:
                if not cells:
                    self.blank += 1
                    continue
                error = self._flaw()
                ragged = None if error else self._ragged(first, cells)
                lost = ragged is not None and len(self._taken) > 1
                error = error or ragged
            if lost:
                self._put_back()
                reader = self._quoted()
            elif len(self._taken) > 1:
                self._note(first)
            yield Record(first, cells, error)

    def _plain(self) -> Iterator[list[str]]:
        for line in self._feed():
            content = line.removesuffix("\n").removesuffix("\r")
            yield content.split(self.delimiter) if content else []

    def _quoted(self) -> Iterator[list[str]]:
        return csv.reader(self._feed(), delimiter=self.delimiter, strict=True)

    def _feed(self) -> Iterator[str]:
        """Lines, kept as those of the record in hand. It ends early where a record is longer than one can be."""
        while (line := self._again.popleft() if self._again else next(self._lines, None)) is not None:
            if self._taken and self._size + len(line) > RECORD:
                self._again.appendleft(line)
                return
            self._line += 1
            self._taken.append(line)
            self._size += len(line)
            yield line

    def _put_back(self) -> None:
        behind = self._taken[1:]
        self._again.extendleft(reversed(behind))
        self._line -= len(behind)

    def _note(self, first: int) -> None:
        self.long += 1
        if self._line - first > self.longest[1] - self.longest[0]:
            self.longest = first, self._line

    def _flaw(self) -> str | None:
        return next((found for line in self._taken if (found := flaw(line, self.encoding))), None)

    def _ragged(self, first: int, cells: list[str]) -> str | None:
        if self._expected is None:
            self._expected = first, len(cells)
        line, count = self._expected
        if len(cells) == count:
            return None
        over = f" The record runs to line {self._line}; its quote may have lost its partner." * (len(self._taken) > 1)
        return f"{len(cells)} cells, but line {line} has {count}.{over} {quoting_hint(self.quoting)}"


def quoting_hint(quoting: bool) -> str:
    if quoting:
        return "If quotes are plain text in this file, state --set data.quoting=false."
    return 'If " encloses cells in this file, state --set data.quoting=true.'


def _next(reader: Iterator[list[str]]) -> list[str]:
    """The next record. The csv module refuses long cells by a limit that is one for the process: lifted meanwhile."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        return next(reader)
    finally:
        csv.field_size_limit(before)


def _explain(problem: str) -> str:
    if "new-line" in problem:
        return (
            "a carriage return stands inside a cell that is not quoted. Quote the cell, remove the character, or state "
            "--set data.quoting=false."
        )
    return (
        'a quote (") that opens a cell here is not closed as it should be. Inside a quoted cell write " as ""; if '
        "quotes are plain text in this file, state --set data.quoting=false."
    )
