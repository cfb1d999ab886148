"""`read`: anything that holds rows, as a `Table`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from maskwright.base.choice import find, names, resolve
from maskwright.base.config import parse
from maskwright.base.errors import UserError
from maskwright.data.memory import Frame, from_memory
from maskwright.data.readers._file import is_folder
from maskwright.data.readers._reader import FOLDER, Reader
from maskwright.data.settings import Data
from maskwright.data.table import Table

Source = str | Path | Table | Mapping[str, Sequence[Any]] | Iterable[Mapping[str, Any]] | Frame


def read(
    source: Source,
    reader: Reader | str | Mapping[str, Any] | None = None,
    settings: Data | None = None,
    needs: Sequence[str] = (),
    whole: bool = False,
) -> Table:
    """The rows of a file, a folder of texts, a mapping of columns, an iterable of mappings, or a frame.

    A file's format comes from `reader` (a name such as "tsv", or a reader with its settings), else from
    `settings.reader`, else from the suffix, behind which `.gz` may stand. `needs` names the columns that the caller
    will ask for: each must be there, they help to tell a header from a row, and others need not be read, unless the
    table is to be `whole`. Frames are those of pandas, polars, pyarrow and datasets. Raises UserError for whatever does
    not hold together.
    """
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        chosen = reader_for(path, reader, settings or Data())
        table = _from_path(chosen, path, () if whole and chosen.sparing else needs)
        absent = [name for name in needs if name not in table.columns]
        if absent and whole and chosen.sparing:
            _from_path(chosen, path, absent)  # which says why it was left out
    else:
        table = from_memory(source)
    if not len(table):
        raise UserError(f"{table.source} holds no rows.")
    for name in needs:
        table.column(name)
    return table


def _from_path(reader: Reader, path: Path, needs: Sequence[str]) -> Table:
    try:
        return reader.read(path, needs)
    except MemoryError:
        pass  # its frames still hold the rows; only behind this block there is memory to say something with
    raise UserError(
        f"{path} does not fit into the memory that this process may use (its rows take several times the size of the "
        f"file). Give a part of its rows or fewer columns, raise the limit, or use a machine with more memory."
    )


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
    kind = find(Reader, name)
    thing = name if FOLDER in kind.suffixes else f"{name} file"
    return parse(kind, stated, source=f"data, for the {thing} {path}")


def _by_suffix(path: Path) -> str:
    owners = {suffix: name for name in names(Reader) for suffix in find(Reader, name).suffixes}
    suffix = FOLDER if is_folder(path) else PurePath(path.name.lower().removesuffix(".gz")).suffix
    if suffix not in owners:
        known = ", ".join(sorted(owners.keys() - {FOLDER}))
        raise UserError(
            f"{path}: the suffix {suffix!r} tells no file format. Allowed: {known}, those of text files also with .gz "
            f"behind, and a folder. For another suffix state the format, for example --set "
            f"data.reader={names(Reader)[-1]}."
        )
    return owners[suffix]
