"""Tab-separated cells. Many published sets hold bare quotes, others quote as CSV does: the file itself tells which."""

from __future__ import annotations

from typing import ClassVar

from maskwright.data.readers._delimited import DelimitedReader


class Tsv(DelimitedReader):
    suffixes: ClassVar[tuple[str, ...]] = (".tsv", ".tab")
    delimiters: ClassVar[tuple[str, ...]] = ("\t",)
    quoted: ClassVar[bool | None] = None
