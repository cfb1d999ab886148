"""CoNLL files: a word and its tags a line, a blank line behind each sentence (Tjong Kim Sang and De Meulder 2003).

A row is a sentence: `text`, its words with a space between them; `words`, where each stands in the text; `label`, the
tags of the last column, one a word; further columns between the first and the last by their numbers, `2`, `3` ...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from maskwright.base.errors import UserError
from maskwright.base.words import counted
from maskwright.data.readers._reader import Reader
from maskwright.data.readers._sentences import Block, Sentence, read_blocks, table
from maskwright.data.settings import Encoded
from maskwright.data.table import Table
from maskwright.data.tagged import joined

DOCUMENT = "-DOCSTART-"


class Conll(Reader, Encoded):
    """Two columns or more, parted by tabs where there are some, else by spaces."""

    suffixes: ClassVar[tuple[str, ...]] = (".conll", ".iob", ".iob2", ".bio", ".annotated")

    delimiter: str | None = Field(None, description="the character between cells; tab where there is one, else spaces")

    def read(self, path: str | Path, needs: Sequence[str] = ()) -> Table:
        blocks, notes = read_blocks(path, self.encoding)
        marks = sum(block.lines[0].startswith(DOCUMENT) for block in blocks)
        if marks:
            notes.append(f"{path}: {counted(marks, DOCUMENT + ' line')} marked documents and were left out.")
        return table(self._rows(blocks, str(path)), str(path), notes)

    def _rows(self, blocks: list[Block], source: str) -> Iterator[Sentence]:
        width = 0
        for start, lines in blocks:
            skip = int(lines[0].startswith(DOCUMENT))  # a blank line follows it, or none does
            words: list[list[str]] = []
            for number, line in enumerate(lines[skip:], start + skip):
                cells = self._cells(line)
                if not cells[0]:
                    raise UserError(f"{source} line {number}: there is no word in front of {line.strip()!r}.")
                width = width or len(cells)
                if len(cells) < 2:
                    raise UserError(
                        f"{source} line {number}: {line[:40]!r} is one cell; a word and its tag are needed, with a tab "
                        "or a space between them."
                    )
                if len(cells) != width:
                    raise UserError(f"{source} line {number}: {len(cells)} cells, but the lines before have {width}.")
                words.append(cells)
            if words:
                first = start + skip
                yield Sentence(first, range(first, first + len(words)), _cells(words))

    def _cells(self, line: str) -> list[str]:
        if self.delimiter is not None:
            return line.split(self.delimiter)
        if "\t" in line:
            return line.rstrip("\t").split("\t")
        return [cell for cell in line.split(" ") if cell]  # not at other white space: a word may be such a character


def _cells(words: list[list[str]]) -> dict[str, Any]:
    first, *middle, last = map(list, zip(*words, strict=True))
    text, bounds = joined(first)
    return {"text": text, "words": bounds, **{str(i): tags for i, tags in enumerate(middle, 2)}, "label": last}
