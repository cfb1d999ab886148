"""CSV as in RFC 4180: `"` encloses cells. Semicolons and tabs under this suffix are recognised and noted."""

from __future__ import annotations

from typing import ClassVar

from maskwright.data.readers._delimited import DelimitedReader


class Csv(DelimitedReader):
    suffixes: ClassVar[tuple[str, ...]] = (".csv",)
    delimiters: ClassVar[tuple[str, ...]] = (",", ";", "\t")
    quoted: ClassVar[bool | None] = True
