"""JSON Lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from maskwright.base.errors import UserError
from maskwright.data.readers._file import read_bytes
from maskwright.data.readers._lines import flaw, open_lines
from maskwright.data.readers._reader import Reader
from maskwright.data.readers._text import decode_bytes
from maskwright.data.rows import Row, Rows, source_of
from maskwright.data.settings import Encoded
from maskwright.data.table import Table, from_records


class Jsonl(Reader, Encoded):
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")

    def read(self, path: str | Path, needs: Sequence[str] = ()) -> Table:
        return self.table(read_bytes(Path(path)), str(path))

    def table(self, content: bytes, source: str) -> Table:
        """The table in the bytes of a file that is called `source`."""
        records: list[dict[str, Any]] = []
        lines: list[int] = []
        text, notes = decode_bytes(content, source, self.encoding)
        texts = text.split("\n")
        blank = 0
        for number, text in enumerate(texts, 1):
            if not text.strip():
                blank += number < len(texts)  # what follows the last line feed is no line
                continue
            records.append(_object(text, f"{source} line {number}"))
            lines.append(number)
        if not records:
            raise UserError(f"{source} is empty; a file of rows is needed.")
        table = from_records(records, source, lines)
        table.notes[:0] = notes
        if blank:
            table.notes.append(f"{source}: {blank} blank {'line was' if blank == 1 else 'lines were'} skipped.")
        return table

    def rows(self, path: str | Path, needs: Sequence[str] = ()) -> Rows:
        source, notes = source_of(path), list[str]()
        return Rows(source, _rows(open_lines(path, self.encoding), self.encoding, source, notes), None, notes)


def _rows(lines: Iterator[str], encoding: str, source: str, notes: list[str]) -> Iterator[Row]:
    blank = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            blank += 1
            continue
        wrong = flaw(line, encoding)
        try:
            yield Row(number, {}, wrong) if wrong else Row(number, _object(line, "this line"))
        except UserError as problem:
            yield Row(number, {}, str(problem))
    if blank:
        notes.append(f"{source}: {blank} blank {'line was' if blank == 1 else 'lines were'} skipped.")


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        value = _DECODER.decode(text)
        if "\\u" in text:  # half of a surrogate pair parses, but no tokenizer and no file takes it
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as problem:
        hint = ""
        if text.lstrip().startswith("[") or text.strip() == "{":
            hint = " The file looks like one JSON value over several lines; write one object a line."
        raise UserError(f"{where} is not JSON: {problem.msg} at character {problem.pos + 1}.{hint}") from None
    except UnicodeEncodeError:
        raise UserError(
            f"{where}: an escape \\ud800 to \\udfff stands without its partner; it is no character."
        ) from None
    except (ValueError, RecursionError) as problem:
        raise UserError(f"{where} cannot be read: {problem}.") from None
    if not isinstance(value, dict):
        shown = text if len(text) <= 40 else text[:40] + "..."
        raise UserError(f"{where} is not an object but {shown.strip()}; write each row as {{name: value}} on one line.")
    if not value:
        raise UserError(f"{where} is an object without keys; remove the line or fill it.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(k for k in keys if keys.count(k) > 1)!r} stands twice in one object")
    return found


def _constant(word: str) -> float | None:
    """NaN, Infinity and -Infinity are no JSON, but Python and pandas write them; NaN stands for a missing value."""
    return None if word == "NaN" else float(word)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_constant)
