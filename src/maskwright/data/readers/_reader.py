"""The contract of a reader: a file in, a `Table` out, or its rows one by one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from maskwright.base.choice import Part
from maskwright.data.rows import Row, Rows
from maskwright.data.table import Table

FOLDER = "/"  #: the suffix of a folder


class Reader(Part):
    """Reads one file format. A file that does not hold together raises UserError with its line."""

    suffixes: ClassVar[tuple[str, ...]] = ()  # with the dot, lower case; FOLDER for what reads folders
    sparing: ClassVar[bool] = False  # whether it reads no other columns than those that are asked for

    @abstractmethod
    def read(self, path: str | Path, needs: Sequence[str] = ()) -> Table:
        """The table in `path`.

        `needs`: columns that the caller will ask for. They help to tell a header from a row, and a format that can
        leave out the others may do so.
        """

    def rows(self, path: str | Path, needs: Sequence[str] = ()) -> Rows:
        """The rows in `path` (`-`: standard input) one by one; a row that cannot be read is an error in its place.

        This reads the whole table. A format that can be read in constant memory does better in a method of its own.
        """
        table = self.read(path, needs)
        found = (
            Row(line, dict(zip(table.columns, cells, strict=True)))
            for line, *cells in zip(table.lines, *table.columns.values(), strict=True)
        )
        return Rows(table.source, found, tuple(table.columns), table.notes)
