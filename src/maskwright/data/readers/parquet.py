"""Parquet: columns keep their types, and only those that are asked for are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from maskwright.base.errors import UserError
from maskwright.data.readers._file import open_file
from maskwright.data.readers._reader import Reader
from maskwright.data.table import NoColumn, Table, plain


class Parquet(Reader):
    """Cells are texts, numbers, booleans, dates, lists of such, as the labels of a row with several are, either by
    name, as the answers of a question are, or lists of what has names, as spans are."""

    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq")
    sparing: ClassVar[bool] = True

    def read(self, path: str | Path, needs: Sequence[str] = ()) -> Table:
        import pyarrow as arrow  # only who has such a file waits for it
        from pyarrow import parquet

        source = str(path)
        with open_file(Path(path)) as file:
            if not file.read(1):
                raise UserError(f"{source} is empty; a file of rows is needed.")
            try:
                content = parquet.ParquetFile(file)
                schema = content.schema_arrow
                names = _chosen(schema, needs, source)
                found = content.read(columns=names)
                count = content.metadata.num_rows
            except MemoryError:  # Arrow's own is an ArrowException too
                raise
            except (arrow.ArrowException, OSError) as problem:
                first = str(problem).partition("\n")[0].rstrip(".")
                raise UserError(
                    f"{source} cannot be read as Parquet: {first}. It may be cut short or of another format."
                ) from None
        columns = {name: _cells(found.column(name), name, source) for name in names}
        return Table(columns, source, list(range(1, count + 1)), _notes(schema, names, source), "row")


def _chosen(schema: Any, needs: Sequence[str], source: str) -> list[str]:
    """The columns to read: those asked for, or else all that can be. Raises UserError for one that cannot."""
    counts = Counter(schema.names)
    for name in needs:
        if name not in counts:
            raise NoColumn(source, name, counts)
        if counts[name] > 1:
            raise UserError(f"{source}: there is more than one column {name!r}. Rename or remove it.")
        if not _is_simple(kind := schema.field(name).type):
            raise UserError(
                f"{source}: the column {name!r} is of the type {kind}. Needed are texts, numbers or the like, lists "
                f"of them, either by name, or lists of what has names; write it as such."
            )
    can = [name for name, count in counts.items() if count == 1 and _is_simple(schema.field(name).type)]
    return list(dict.fromkeys(needs)) or can


def _is_simple(kind: Any) -> bool:
    from pyarrow import types

    if _is_list(kind) and types.is_struct(kind.value_type):
        kind = kind.value_type
    if types.is_struct(kind):
        return all(_is_flat(kind.field(i).type) for i in range(kind.num_fields))
    return _is_flat(kind)


def _is_flat(kind: Any) -> bool:
    from pyarrow import types

    if _is_list(kind) or types.is_dictionary(kind):
        kind = kind.value_type
    binary = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
    return not types.is_nested(kind) and not any(is_one(kind) for is_one in binary)


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _cells(column: Any, name: str, source: str) -> list[Any]:
    try:
        return [plain(cell) for cell in column.to_pylist()]
    except ValueError as problem:  # times to the nanosecond, where pandas is not there to hold them
        raise UserError(f"{source}: the column {name!r} has no plain values ({problem}). Write it as text.") from None


def _notes(schema: Any, names: list[str], source: str) -> list[str]:
    listed = ", ".join(f"{name} ({schema.field(name).type})" for name in names)
    left = len(schema.names) - len(names)
    more = f"; {left} other {'column was' if left == 1 else 'columns were'} not read" if left else ""
    return [f"{source}: Parquet, {listed}{more}."]
