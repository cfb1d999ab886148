"""`read`: anything that holds rows, as a `Table`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from maskwright.base.choice import find, names, resolve
from maskwright.base.config import parse
from maskwright.base.errors import UserError
from maskwright.data.readers._reader import Reader
from maskwright.data.settings import Data
from maskwright.data.table import Table, from_columns, from_records

Source = str | Path | Table | Mapping[str, Sequence[Any]] | Iterable[Mapping[str, Any]]

_ALLOWED = (
    "Allowed: a path, a mapping of names to columns, or rows that are mappings (a pandas frame: frame.to_dict('list'))."
)


def read(
    source: Source,
    reader: Reader | str | Mapping[str, Any] | None = None,
    settings: Data | None = None,
    needs: Sequence[str] = (),
) -> Table:
    """The rows of a file, of a mapping of columns, or of an iterable of mappings (such as a `datasets` object).

    A file's format comes from `reader` (a name such as "tsv", or a reader with its settings), else from
    `settings.reader`, else from the suffix. `needs` names the columns that the caller will ask for: they help to tell
    a header from a row, and each must be there. Raises UserError for whatever does not hold together.
    """
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        table = reader_for(path, reader, settings or Data()).read(path, needs)
    else:
        table = _from_memory(source)
    if not len(table):
        raise UserError(f"{table.source} holds no rows.")
    for name in needs:
        table.column(name)
    return table


def reader_for(path: Path, given: Reader | str | Mapping[str, Any] | None, settings: Data) -> Reader:
    """The reader that was stated, with its settings, or that of the suffix."""
    stated = settings.model_dump(exclude_defaults=True, exclude={"reader"})
    if isinstance(given, Reader | Mapping):
        if stated:
            raise UserError(
                f"Give the reader its settings itself, or as data.{', data.'.join(stated)}, not in both places."
            )
        return resolve(Reader, given if isinstance(given, Reader) else dict(given))
    name = given or settings.reader or _by_suffix(path)
    return parse(find(Reader, name), stated, source=f"data, for the {name} file {path}")


def _by_suffix(path: Path) -> str:
    owners = {suffix: name for name in names(Reader) for suffix in find(Reader, name).suffixes}
    suffix = path.suffix.lower()
    if suffix not in owners:
        raise UserError(
            f"{path}: the suffix {suffix!r} tells no file format. Allowed: {', '.join(sorted(owners))}. "
            f"For another suffix state the format, for example --set data.reader={names(Reader)[-1]}."
        )
    return owners[suffix]


def _from_memory(source: Any) -> Table:
    if isinstance(source, Table):
        return source
    if isinstance(source, Mapping):
        return from_columns(source, "the data given")
    if not isinstance(source, Iterable):
        raise UserError(f"Rows cannot be read from a {type(source).__name__}. {_ALLOWED}")
    rows = list(source)
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise UserError(f"The data given row {number}: a {type(row).__name__}, not a mapping. {_ALLOWED}")
    return from_records(rows, "the data given", list(range(1, len(rows) + 1)), unit="row")
