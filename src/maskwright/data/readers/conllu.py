"""CoNLL-U, the format of Universal Dependencies (https://universaldependencies.org/format.html).

A row is a sentence: `text`; `words`, where each syntactic word stands in it; and one tag a word in the columns `lemma`,
`upos`, `xpos`, `feats`, `head`, `deprel`, `deps` and `misc`. `_`, which means nothing, stays as it is. Empty nodes
(`8.1`) are no words of the text and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, islice, pairwise
from pathlib import Path
from typing import Any, ClassVar

from maskwright.base.errors import UserError
from maskwright.base.words import counted
from maskwright.data.readers._reader import Reader
from maskwright.data.readers._sentences import Block, Sentence, read_blocks, table
from maskwright.data.settings import Encoded
from maskwright.data.table import Table
from maskwright.data.tagged import joined

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
TEXT = "# text = "


class Conllu(Reader, Encoded):
    """Ten columns parted by tabs, comments in front of each sentence."""

    suffixes: ClassVar[tuple[str, ...]] = (".conllu",)

    def read(self, path: str | Path, needs: Sequence[str] = ()) -> Table:
        blocks, notes = read_blocks(path, self.encoding)
        strange: list[int] = []
        found = table(_rows(blocks, str(path), strange), str(path), notes)
        if strange:
            found.notes.append(
                f"{path}: {counted(len(strange), 'sentence')} (first at line {strange[0]}) whose words do not stand in "
                "its comment `# text` one behind the other; the words with spaces between them were taken."
            )
        return found


def _rows(blocks: list[Block], source: str, strange: list[int]) -> Iterator[Sentence]:
    for start, lines in blocks:
        written, tokens, words, places = None, list[tuple[str, int]](), list[list[str]](), list[int]()
        inside = 0  # the last word of a token of several words
        for number, line in enumerate(lines, start):
            if line.startswith("#"):
                written = line.removeprefix(TEXT) if line.startswith(TEXT) else written
                continue
            cells = line.split("\t")
            if len(cells) != len(COLUMNS):
                raise UserError(
                    f"{source} line {number}: {len(cells)} cells parted by tabs; CoNLL-U has {len(COLUMNS)}."
                )
            if "." in cells[0]:
                continue
            if "-" in cells[0]:
                first, inside = _range(cells[0], f"{source} line {number}")
                tokens.append((cells[1], inside - first + 1))
                continue
            words.append(cells)
            places.append(number)
            if len(words) > inside:
                tokens.append((cells[1], 1))
        if words:
            yield Sentence(start, places, _cells(written, tokens, words, start, strange))


def _range(cell: str, where: str) -> tuple[int, int]:
    first, _, last = cell.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise UserError(f"{where}: {cell!r} is no range of words such as 1-2.")
    return int(first), int(last)


def _cells(
    written: str | None, tokens: list[tuple[str, int]], words: list[list[str]], line: int, strange: list[int]
) -> dict[str, Any]:
    """tokens: each with how many words it stands for."""
    forms = [form for form, _ in tokens]
    text, bounds = joined(forms)
    placed = None if written is None else _placed(forms, written)
    if placed is not None:
        text, bounds = str(written), placed
    elif written is not None:
        strange.append(line)
    parts = iter(cells[1] for cells in words)
    places = [
        place
        for (_, count), (first, _), form in zip(tokens, bounds, forms, strict=True)
        for place in _shared(form, list(islice(parts, count)), first)
    ]
    columns = list(zip(*words, strict=True))
    cells = {name: list(column) for name, column in zip(COLUMNS, columns, strict=True) if name not in ("id", "form")}
    return {"text": text, "words": places, **cells}


def _placed(forms: Sequence[str], text: str) -> list[list[int]] | None:
    """Where the forms stand in the text, one behind the other with nothing but white space between them; None where
    they do not."""
    bounds, at = [], 0
    for form in forms:
        found = text.find(form, at)
        if found < 0 or text[at:found].strip():
            return None
        at = found + len(form)
        bounds.append([found, at])
    return None if text[at:].strip() else bounds


def _shared(form: str, words: Sequence[str], first: int) -> list[list[int]]:
    """The characters of a token, which begins at `first`, shared among its words: as they are spelt where they make it
    up (`cannot`), else as evenly as can be: German `zum` is `zu` and `dem`, and nothing says which letter is whose."""
    size, count = len(form), len(words)
    if size < count:
        return [[first, first + size] for _ in words]
    spelt = "".join(words) == form
    ends = accumulate(map(len, words)) if spelt else (round(i * size / count) for i in range(1, count + 1))
    cuts = [first, *(first + end for end in ends)]
    return [[a, b] for a, b in pairwise(cuts)]
