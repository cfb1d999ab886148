"""What CSV and TSV share: find the dialect, read the records, find the header, and say what was assumed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from maskwright.base.errors import UserError
from maskwright.data import settings
from maskwright.data.readers._header import detect
from maskwright.data.readers._reader import Reader
from maskwright.data.readers._records import Sheet, parse
from maskwright.data.readers._text import decode
from maskwright.data.table import Table

_NAMES = {",": "comma", ";": "semicolon", "\t": "tab"}
_SAMPLE = 100  # records that the choice of a delimiter looks at


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
            hint = " If its one line is a row, state --set data.header=false." if guessed else ""
            raise UserError(f"{source} has a header ({', '.join(names)}) and no rows.{hint}")
        columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
        notes = _notes(source, delimiter, self.delimiters[0], quoting, names, has_header, guessed, sheet)
        return Table(columns, source, lines, [*found, *notes])

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
    hints.append(
        "If quotes are plain text in this file, state --set data.quoting=false."
        if quoting
        else 'If " encloses cells in this file, state --set data.quoting=true.'
    )
    raise UserError(
        f"{source} line {line}: {len(sheet.rows[bad])} cells, but line {sheet.lines[0]} has {expected}. "
        + " ".join(hints)
    )


def _notes(
    source: str,
    delimiter: str,
    usual: str,
    quoting: bool,
    names: list[str],
    has_header: bool,
    guessed: bool,
    sheet: Sheet,
) -> list[str]:
    header = f"header ({', '.join(names)})" if has_header else f"no header (columns are named {', '.join(names)})"
    notes = [f"{source}: {_name(delimiter)}-separated, {header}, quoting {'on' if quoting else 'off'}."]
    if delimiter != usual:
        notes.append(f"{source}: the delimiter is the {_name(delimiter)}, not the {_name(usual)}.")
    if guessed:
        notes.append(
            f"{source}: {'that' if has_header else 'whether'} line {sheet.lines[0]} is a header was guessed from its "
            f"cells; state it with --set data.header=true or --set data.header=false."
        )
    if has_header and (
        again := [n for n, row in zip(sheet.lines, sheet.rows, strict=True) if row == sheet.rows[0]][1:]
    ):
        notes.append(f"{source}: line {again[0]} repeats the header; it was read as a row ({len(again)} in all).")
    if sheet.blank:
        notes.append(f"{source}: {sheet.blank} blank {'line was' if sheet.blank == 1 else 'lines were'} skipped.")
    if sheet.long:
        first, last = max(sheet.long, key=lambda span: span[1] - span[0])
        notes.append(
            f"{source}: {len(sheet.long)} {'record runs' if len(sheet.long) == 1 else 'records run'} over more than "
            f"one line (the longest: lines {first} to {last})."
        )
    return notes


def _name(delimiter: str) -> str:
    return _NAMES.get(delimiter, repr(delimiter))
