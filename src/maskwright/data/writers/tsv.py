"""Tab-separated cells, quoted as in CSV."""

from __future__ import annotations

from typing import ClassVar

from maskwright.data.writers._delimited import DelimitedWriter


class Tsv(DelimitedWriter):
    suffixes: ClassVar[tuple[str, ...]] = (".tsv", ".tab")
    delimiter: ClassVar[str] = "\t"
