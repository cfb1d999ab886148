"""What CSV and TSV share: a header, then one record an answer, nested parts as columns of their own."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from maskwright.data.writers._writer import Answer, Fields, Writer, as_text, flat


class DelimitedWriter(Writer):
    """As in RFC 4180: lines end in a carriage return and a line feed; a cell without a value is empty."""

    delimiter: ClassVar[str]

    def head(self, fields: Fields) -> bytes:
        return self._lines([list(fields)])

    def block(self, answers: Sequence[Answer], fields: Fields) -> bytes:
        return self._lines(self._cells(flat(answer, fields), fields) for answer in answers)

    def _cells(self, cells: dict[str, Any], fields: Fields) -> list[Any]:
        assert cells.keys() <= fields.keys(), f"no column for {sorted(cells.keys() - fields.keys())}"
        row = [cells.get(name) for name in fields]
        return [cell if cell is None or type(cell) in (int, float) else as_text(cell) for cell in row]

    def _lines(self, rows: Iterable[Sequence[Any]]) -> bytes:
        out = io.StringIO()
        csv.writer(out, delimiter=self.delimiter).writerows(rows)
        return out.getvalue().encode()
