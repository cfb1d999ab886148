"""`open_rows`: the rows of a file or of standard input one by one, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from maskwright.base.choice import names
from maskwright.base.config import Config, parse
from maskwright.base.errors import UserError, unknown
from maskwright.data.read import reader_for
from maskwright.data.readers._lines import flaw, open_lines
from maskwright.data.readers._reader import Reader
from maskwright.data.readers._text import decode
from maskwright.data.rows import STDIN, Row, Rows, source_of
from maskwright.data.settings import Data, Encoded

LINES = "lines"  #: the format of standard input that states none: each line is a text
PARQUET = (".parquet", ".pq")
_FRONT = 100  # rows that tell the columns where each row says its own
_BATCH = 1024  # rows of a Parquet file that are turned into cells at once


def open_rows(
    path: str | Path, settings: Data | None = None, needs: Sequence[str] = (), format: str | None = None
) -> Rows:
    """The rows in `path` (`-`: standard input); a row that cannot be read has an error and keeps its place.

    format: a reader's name, or "lines" for one text a line, which become the column that is needed; else
    `settings.reader`; else the suffix says. needs: columns that must be there; of a Parquet file no others are read.
    Raises UserError at once for what concerns the whole file.
    """
    settings = settings or Data()
    if format is not None and settings.reader is not None:
        raise UserError(f"Give the format as {format!r} or as data.reader={settings.reader}, not in both places.")
    rows = _open(path if str(path) == STDIN else Path(path).expanduser(), format or settings.reader, settings, needs)
    if rows.names is not None:
        _check(rows, rows.names, needs)
    front = list(islice(rows.found, 1 if rows.names is not None else _FRONT))
    if not front:
        raise UserError(f"{rows.source} is empty; a file of rows is needed.")
    rows.columns = rows.names or ()
    if rows.names is None:
        rows.columns = told = tuple(dict.fromkeys(name for row in front for name in row.cells))
        if told:
            _check(rows, told, needs)
        elif len(front) == _FRONT:
            raise UserError(
                f"{rows.source}: none of the first {_FRONT} rows can be read. Line {front[0].line}: {front[0].error}"
            )
    rows.found = chain(front, rows.found)
    return rows


def _check(rows: Rows, told: Sequence[str], needs: Sequence[str]) -> None:
    for need in needs:
        if need not in told:
            raise UserError(" ".join([f"{rows.source}: {unknown('column', need, told)}", *rows.notes]))


def _open(path: str | Path, kind: str | None, settings: Data, needs: Sequence[str]) -> Rows:
    stated = settings.model_dump(exclude_defaults=True, exclude={"reader"})
    stdin = str(path) == STDIN
    if kind == LINES or (kind is None and stdin):
        encoded = parse(Encoded, stated, source="data, for lines of text")
        return _lines(path, encoded.encoding, needs)
    if kind == "parquet" or (kind is None and Path(path).suffix.lower() in PARQUET):
        parse(Config, stated, source=f"data, for the Parquet file {path}")
        return _parquet(path, needs)
    if kind is not None and kind.isidentifier() and kind not in (known := [*names(Reader), LINES, "parquet"]):
        raise UserError(unknown("format", kind, known))
    reader = reader_for(Path(path), kind, settings)
    if stdin and type(reader).rows is Reader.rows:
        raise UserError(f"The format {kind!r} cannot be read from stdin; give a file.")
    return reader.rows(path, needs)


def _lines(path: str | Path, encoding: str, needs: Sequence[str]) -> Rows:
    """Each line a text, an empty one too, so that line n of the input is row n."""
    if len(needs) > 1:
        raise UserError(
            f"Lines hold one text each, but {len(needs)} columns are needed: {', '.join(needs)}. State the format of "
            "rows with columns, for example --format jsonl."
        )
    name = needs[0] if needs else "text"
    lines = open_lines(path, encoding)

    def found() -> Iterator[Row]:
        for number, line in enumerate(lines, 1):
            wrong = flaw(line, encoding)
            yield Row(number, {} if wrong else {name: line.removesuffix("\n").removesuffix("\r")}, wrong)

    return Rows(source_of(path), found(), (name,))


def _parquet(path: str | Path, needs: Sequence[str]) -> Rows:
    """Row groups batch by batch; `line` counts rows."""
    if str(path) == STDIN:
        raise UserError("A Parquet file is read from its end, which stdin does not have; give a file.")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as problem:
        raise UserError(f"{path} is not a Parquet file: {_first_line(problem)}") from None
    except OSError:
        decode(path, "latin-1")  # meets the same obstacle and says what it is
        raise
    schema = file.schema_arrow

    def found() -> Iterator[Row]:
        number = 0
        try:
            for batch in file.iter_batches(_BATCH, columns=list(needs) or None):
                for cells, wrong in _cells(batch):
                    number += 1
                    yield Row(number, cells, wrong)
        except (pa.ArrowException, OSError) as problem:
            raise UserError(f"{path} is damaged behind row {number}: {_first_line(problem)}") from None

    types = {column.name: column.type for column in schema}
    return Rows(str(path), found(), tuple(schema.names), types=types)


def _cells(batch: Any) -> list[tuple[dict[str, Any], str | None]]:
    """The rows of a record batch; where a cell has no value in Python, one by one, so that it costs its row alone."""
    try:
        return [(cells, None) for cells in batch.to_pylist()]
    except ValueError as problem:
        if batch.num_rows > 1:
            return [row for i in range(batch.num_rows) for row in _cells(batch.slice(i, 1))]
        return [({}, f"a cell cannot be read: {_first_line(problem)}")]


def _first_line(problem: Exception) -> str:
    return str(problem).splitlines()[0] if str(problem) else type(problem).__name__
