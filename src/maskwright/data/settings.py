"""How files of rows are read. Each field stands once: readers inherit what concerns them, a run file holds `Data`."""

from __future__ import annotations

import codecs

from pydantic import Field, field_validator

from maskwright.base.config import Config
from maskwright.base.errors import UserError


class Encoded(Config):
    """What any text file needs."""

    encoding: str = Field("utf-8", description="encoding of the file; UTF-16 is recognised by its byte order mark")

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            codecs.lookup(value)
        except LookupError:
            raise UserError(f"There is no encoding {value!r}. Common ones: utf-8, utf-16, latin-1, cp1252.") from None
        return value


class Delimited(Encoded):
    """What a file of delimited cells needs. What is left None is detected, and noted on the table."""

    header: bool | None = Field(None, description="whether line 1 names the columns; detected when not stated")
    quoting: bool | None = Field(None, description='whether " encloses cells; CSV: yes, TSV: detected')
    delimiter: str | None = Field(None, description="the character between cells; CSV: detected, TSV: tab")
    columns: tuple[str, ...] | None = Field(None, description="names for the columns of a file without a header")

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        value = {"\\t": "\t", "tab": "\t"}.get(value, value) if value is not None else None
        if value is not None and (len(value) != 1 or value in '"\r\n'):
            raise UserError(f"delimiter = {value!r}: give one character (tab for a tab), not a quote or a line end.")
        return value

    @field_validator("columns")
    @classmethod
    def _distinct(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and (not value or not all(value) or len(set(value)) < len(value)):
            raise UserError(f"columns = {list(value)}: give at least one name, none empty, none twice.")
        return value


class Data(Delimited):
    """The `data` table of a run."""

    reader: str | None = Field(None, description="the reader, a file format such as csv; by the suffix if not stated")
