"""What CSV and TSV share: find the dialect, read the records, find the header, and say what was assumed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import ClassVar

from maskwright.base.errors import UserError
from maskwright.data import settings
from maskwright.data.readers._header import detect
from maskwright.data.readers._lines import open_lines
from maskwright.data.readers._reader import Reader
from maskwright.data.readers._records import Sheet, parse
from maskwright.data.readers._text import decode
from maskwright.data.readers._tolerant import Record, Records, quoting_hint
from maskwright.data.rows import Row, Rows, source_of
from maskwright.data.table import Table

_NAMES = {",": "comma", ";": "semicolon", "\t": "tab"}
_SAMPLE = 100  # records that the choice of a delimiter looks at
_HEAD = 2**20  # characters that tell the delimiter and the quoting of rows that come one by one
_FRONT = 1001  # records that tell their header


class DelimitedReader(Reader, settings.Delimited):
    """Cells between delimiters, one record a line unless a quoted cell holds line ends. Cells are kept as they are."""

    delimiters: ClassVar[tuple[str, ...]]  # tried in this order when none is stated
    quoted: ClassVar[bool | None]  # whether quotes enclose cells when that is not stated; None: look

    def read(self, path: str | Path, needs: Sequence[str] = ()) -> Table:
        source = str(path)
        text, found = decode(path, self.encoding)
        delimiter = self.delimiter or self._delimiter(text, source, needs)
        quoting = self.quoting if self.quoting is not None else self.quoted
        if quoting is None:
            quoting = _is_quoted(text, delimiter, source)
        sheet = parse(text, delimiter, quoting, source)
        if not sheet.rows:
            raise UserError(f"{source} is empty; a file of rows is needed.")
        _check_widths(sheet, source, delimiter, quoting)
        names, has_header, guessed = self._names(sheet, source, needs)
        rows, lines = sheet.rows[has_header:], sheet.lines[has_header:]
        if not rows:
            raise _no_rows(source, names, guessed)
        columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
        notes = self._assumed(source, delimiter, quoting, names, has_header, guessed, sheet.lines[0])
        again = [n for n, row in zip(lines, rows, strict=True) if has_header and row == sheet.rows[0]]
        longest = max(sheet.long, key=lambda span: span[1] - span[0], default=(0, 0))
        notes += _met(source, again[:1], len(again), sheet.blank, len(sheet.long), longest)
        return Table(columns, source, lines, [*found, *notes])

    def rows(self, path: str | Path, needs: Sequence[str] = ()) -> Rows:
        """The same rows, but what is not stated is told from the file's head: the delimiter and the quoting from its
        first million characters, the header from its first thousand records."""
        source, lines = source_of(path), open_lines(path, self.encoding)
        head = _head(lines)
        delimiter = self.delimiter or self._delimiter("".join(head), source, needs)
        quoting = self.quoting if self.quoting is not None else self.quoted
        if quoting is None:
            quoting = _seem_quoted(head, delimiter, self.encoding)
        records = Records(chain(head, lines), delimiter, quoting, self.encoding)
        found = iter(records)
        front = list(islice(found, _FRONT))
        if not front:
            raise UserError(f"{source} is empty; a file of rows is needed.")
        if front[0].error:
            raise UserError(f"{source} line {front[0].line}: {front[0].error}")
        whole = [record for record in front if not record.error]
        sheet = Sheet([record.cells for record in whole], [record.line for record in whole])
        names, has_header, guessed = self._names(sheet, source, needs)
        if len(front) == has_header:
            raise _no_rows(source, names, guessed)
        notes = self._assumed(source, delimiter, quoting, names, has_header, guessed, front[0].line)
        header = front[0].cells if has_header else None
        rows = _rows(chain(front[has_header:], found), names, header, records, source, notes)
        return Rows(source, rows, tuple(names), notes)

    def _delimiter(self, text: str, source: str, needs: Sequence[str]) -> str:
        """The first that shows the columns asked for, else the first that cuts all records into as many cells."""
        quoting = self.quoting if self.quoting is not None else self.quoted is not False
        sheets: dict[str, Sheet] = {}
        for delimiter in self.delimiters if len(self.delimiters) > 1 else ():
            try:
                sheets[delimiter] = parse(text, delimiter, quoting, source, _SAMPLE)
            except UserError:  # not with this one; if it is chosen all the same, reading says where
                continue
        named = [d for d, s in sheets.items() if needs and s.rows and set(needs) <= set(s.rows[0])]
        even = [d for d, s in sheets.items() if s.is_even() and len(s.rows[0]) > 1]
        return [*named, *even, self.delimiters[0]][0]

    def _names(self, sheet: Sheet, source: str, needs: Sequence[str]) -> tuple[list[str], bool, bool]:
        """The columns' names, whether the first record holds them, and whether that is a guess."""
        first, where = sheet.rows[0], f"{source} line {sheet.lines[0]}"
        if self.columns is not None:
            if self.header:
                raise UserError(
                    f"{source}: data.columns names the columns of a file without a header, but data.header=true says "
                    f"that there is one. State one of the two."
                )
            if len(self.columns) != len(first):
                raise UserError(
                    f"{where}: {len(first)} cells, but data.columns has {len(self.columns)} names "
                    f"({', '.join(self.columns)})."
                )
            return list(self.columns), self.header is None and tuple(first) == self.columns, False
        has_header, guessed = (self.header, False) if self.header is not None else detect(sheet.rows, needs, where)
        numbers = [str(i) for i in range(1, len(first) + 1)]
        if not has_header:
            return numbers, False, guessed
        names = [cell or number for cell, number in zip(first, numbers, strict=True)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UserError(f"{where}: the header names {', '.join(map(repr, twice))} more than once. Rename it.")
        return names, True, guessed

    def _assumed(
        self, source: str, delimiter: str, quoting: bool, names: list[str], has_header: bool, guessed: bool, line: int
    ) -> list[str]:
        """What was detected, one sentence each. `line`: that of the first record."""
        header = f"header ({', '.join(names)})" if has_header else f"no header (columns are named {', '.join(names)})"
        notes = [f"{source}: {_name(delimiter)}-separated, {header}, quoting {'on' if quoting else 'off'}."]
        usual = self.delimiters[0]
        if delimiter != usual:
            notes.append(f"{source}: the delimiter is the {_name(delimiter)}, not the {_name(usual)}.")
        if guessed:
            notes.append(
                f"{source}: {'that' if has_header else 'whether'} line {line} is a header was guessed from its cells; "
                "state it with --set data.header=true or --set data.header=false."
            )
        return notes


def _head(lines: Iterator[str]) -> list[str]:
    """The first lines, _HEAD characters of them, or up to twice as many where a quoted cell would be cut."""
    head: list[str] = []
    size = quotes = 0
    for line in lines:
        head.append(line)
        size += len(line)
        quotes += line.count('"')
        if size >= _HEAD and (quotes % 2 == 0 or size >= 2 * _HEAD):
            break
    return head


def _rows(
    found: Iterator[Record],
    names: list[str],
    header: list[str] | None,
    records: Records,
    source: str,
    notes: list[str],
) -> Iterator[Row]:
    """Records as rows; what was met on the way is noted behind the last."""
    repeats, first = 0, []
    for record in found:
        if record.error:
            yield Row(record.line, {}, record.error)
            continue
        if record.cells == header:
            repeats, first = repeats + 1, first or [record.line]
        yield Row(record.line, dict(zip(names, record.cells, strict=True)))
    notes += _met(source, first, repeats, records.blank, records.long, records.longest)


def _is_quoted(text: str, delimiter: str, source: str) -> bool:
    """Whether every cell that begins with a quote also ends with its partner, all over the file."""
    if not re.search(rf'(?:^|{re.escape(delimiter)})"', text, re.MULTILINE):
        return False
    try:
        quoted = parse(text, delimiter, True, source)
    except UserError:
        return False
    # Records over several lines are believed only if the lines make no table by themselves.
    return quoted.is_even() and not (quoted.long and parse(text, delimiter, False, source).is_even())


def _seem_quoted(head: list[str], delimiter: str, encoding: str) -> bool:
    """The same of a head that may hold bad rows: quotes must cost no row that is one without them."""
    if not re.search(rf'(?:^|{re.escape(delimiter)})"', "".join(head), re.MULTILINE):
        return False
    quoted, plain = (Records(iter(head), delimiter, quoting, encoding) for quoting in (True, False))
    with_quotes, without = ({record.line for record in found if record.error} for found in (quoted, plain))
    return with_quotes <= without and not (quoted.long and not without)


def _check_widths(sheet: Sheet, source: str, delimiter: str, quoting: bool) -> None:
    expected = len(sheet.rows[0])
    bad = next((i for i, row in enumerate(sheet.rows) if len(row) != expected), None)
    if bad is None:
        return
    line = sheet.lines[bad]
    last = next((last for first, last in sheet.long if first == line), line)
    hints = [f"The delimiter in use is the {_name(delimiter)} (another: --set data.delimiter)."]
    if last > line:
        hints.append(f'The record runs to line {last}: a quote (") that opens there may have lost its partner.')
    hints.append(quoting_hint(quoting))
    raise UserError(
        f"{source} line {line}: {len(sheet.rows[bad])} cells, but line {sheet.lines[0]} has {expected}. "
        + " ".join(hints)
    )


def _no_rows(source: str, names: list[str], guessed: bool) -> UserError:
    hint = " If its one line is a row, state --set data.header=false." if guessed else ""
    return UserError(f"{source} has a header ({', '.join(names)}) and no rows.{hint}")


def _met(
    source: str, first_repeat: list[int], repeats: int, blank: int, long: int, longest: tuple[int, int]
) -> list[str]:
    """What was met while reading, one sentence each: headers again, blank lines, records over several lines."""
    notes = []
    if repeats:
        notes.append(f"{source}: line {first_repeat[0]} repeats the header; it was read as a row ({repeats} in all).")
    if blank:
        notes.append(f"{source}: {blank} blank {'line was' if blank == 1 else 'lines were'} skipped.")
    if long:
        notes.append(
            f"{source}: {long} {'record runs' if long == 1 else 'records run'} over more than one line (the longest: "
            f"lines {longest[0]} to {longest[1]})."
        )
    return notes


def _name(delimiter: str) -> str:
    return _NAMES.get(delimiter, repr(delimiter))
