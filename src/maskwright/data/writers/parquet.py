"""Parquet. A file of this format is whole only with its end, so it grows as a stream of Arrow record batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from maskwright.base.growing import GrowingFile
from maskwright.data.writers._writer import Answer, Fields, Writer, as_text, flat

ROW_GROUP = 2**25  #: bytes of Arrow batches that become one row group
_TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}


class Parquet(Writer):
    """Numbers and dates keep the types that an input in Parquet gave them; whatever else is carried along is text."""

    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq")

    def head(self, fields: Fields) -> bytes:
        return _bytes(_schema(fields).serialize())

    def block(self, answers: Sequence[Answer], fields: Fields) -> bytes:
        schema, rows = _schema(fields), [flat(answer, fields) for answer in answers]
        unknown = {name for row in rows for name in row} - set(schema.names)
        assert not unknown, f"no column for {sorted(unknown)}"
        columns = [_column([row.get(field.name) for row in rows], field.type) for field in schema]
        return _bytes(pa.record_batch(columns, schema=schema).serialize())

    def finish(self, file: GrowingFile) -> None:
        file.finish(_convert)


def _schema(fields: Fields) -> Any:
    return pa.schema([(name, _type(kind)) for name, kind in fields.items()])


def _type(kind: Any) -> Any:
    """The Arrow type of a column: text for what is neither number nor date nor truth."""
    if not isinstance(kind, pa.DataType):
        return _TYPES.get(kind, pa.string())
    return kind if pa.types.is_primitive(kind) or pa.types.is_decimal(kind) else pa.string()


def _column(cells: list[Any], kind: Any) -> Any:
    if kind == pa.string():
        cells = [cell if cell is None else as_text(cell) for cell in cells]
    return pa.array(cells, kind)


def _bytes(buffer: Any) -> bytes:
    content: bytes = buffer.to_pybytes()
    return content


def _convert(part: Path, new: Path) -> None:
    """From the stream of batches to row groups, in constant memory."""
    with (
        pa.OSFile(str(part)) as file,
        pa.ipc.open_stream(file) as stream,
        pq.ParquetWriter(new, stream.schema) as writer,
    ):
        group: list[Any] = []
        for batch in stream:
            group.append(batch)
            if sum(held.nbytes for held in group) >= ROW_GROUP:
                writer.write_table(pa.Table.from_batches(group))
                group = []
        if group:
            writer.write_table(pa.Table.from_batches(group))
