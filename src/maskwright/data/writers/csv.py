"""Comma-separated cells."""

from __future__ import annotations

from typing import ClassVar

from maskwright.data.writers._delimited import DelimitedWriter


class Csv(DelimitedWriter):
    suffixes: ClassVar[tuple[str, ...]] = (".csv",)
    delimiter: ClassVar[str] = ","
