"""Rows that stand in text an encoder was trained on: its figures on them say less than they seem to.

As in the contamination checks of large models, a row was seen when 70 % of its runs of 8 words occur anywhere in the
corpus (Chowdhery et al. 2022, PaLM, section 8). A text of fewer words was seen when a whole line of the corpus says
just that, so that "very good" is not found in every book. Words are compared without case and signs. The two texts of
a pair count together.

The runs of the rows are held in memory; the corpus is read once, some thousands of lines at a time.
"""

from __future__ import annotations

import gzip
import re
import unicodedata
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.base.choice import find, names
from maskwright.base.errors import UserError
from maskwright.base.words import counted
from maskwright.data._finding import NAMED, Finding, Side
from maskwright.data._same import part_of
from maskwright.data.read import read
from maskwright.data.readers._reader import Reader

RUN = 8  #: words
SEEN = 0.7  #: of a row's runs

_WORD = re.compile(r"\w+")
_BLOCK = 1 << 18  # words looked up at once
_BASE = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio's bits, odd


@dataclass(frozen=True)
class _Wanted:
    """What is looked for: I items of all rows, among them G different runs and S different short texts.

    words: a number from 1 for each word of the rows. runs (G,) uint64, sorted; short: short texts, numbered from G.
    items (I,) and rows (I,): which item stands in which row, all splits counted through. places (G+S, 2): the file
    and the line where an item was first seen, or -1.
    """

    words: dict[str, int]
    runs: np.ndarray
    short: dict[str, int]
    items: np.ndarray
    rows: np.ndarray
    places: np.ndarray


def in_corpus(sides: Sequence[Side], files: Sequence[str | Path]) -> list[Finding]:
    """The rows of each split that stand in these files: UTF-8 text (also .gz), or files of rows, each cell a text.

    Raises UserError for a file that is not there or cannot be read.
    """
    wanted = _wanted(sides)
    read_words = sum(_search(Path(file).expanduser(), number, wanted) for number, file in enumerate(files))
    found = wanted.places[wanted.items, 1] >= 0
    total = sum(map(len, sides))
    shares = np.bincount(wanted.rows, found, total) / np.maximum(np.bincount(wanted.rows, minlength=total), 1)
    out, start = [], 0
    for side in sides:
        own = shares[start : start + len(side)]
        rows = np.flatnonzero(own >= SEEN)
        values = {
            **side.listed(rows),
            "partly": int(((own > 0) & (own < SEEN)).sum()),
            "corpus": [str(file) for file in files],
            "corpus_words": read_words,
        }
        if len(rows):
            verb = "stands" if len(rows) == 1 else "stand"
            places = [_place(wanted, found, start + int(row)) for row in rows[:NAMED]]
            where = tuple(
                f"{side.where(int(row))}, in {files[file]} line {line}"
                for row, (file, line) in zip(rows[:NAMED], places, strict=True)
            )
            sentence = f"{part_of(rows, side)} {verb} in the declared corpus."
            severity = "fact" if side.is_for_training else "warning"
            out.append(Finding("in corpus", severity, sentence, len(rows), where, values))
        else:
            sentence = f"No {side.name} row stands in the declared corpus of {counted(read_words, 'word')}."
            out.append(Finding("in corpus", "fact", sentence, values=values))
        start += len(side)
    return out


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold())


def _wanted(sides: Sequence[Side]) -> _Wanted:
    words: dict[str, int] = {}
    short: dict[str, int] = {}
    ids, owners, short_items, short_rows = array("Q"), array("q"), array("q"), array("q")
    texts = (
        (row, text)
        for start, side in zip(np.cumsum([0, *map(len, sides)]).tolist(), sides, strict=False)
        for column in (side.texts, side.pairs or ())
        for row, text in enumerate(column, start)
    )
    for row, text in texts:
        found = _words(text)
        if len(found) >= RUN:
            ids.extend(words.setdefault(word, len(words) + 1) for word in found)
            ids.append(0)
            owners.extend([row] * (len(found) + 1))
        elif found:
            short_items.append(short.setdefault(" ".join(found), len(short)))
            short_rows.append(row)
    hashes, at = _runs(np.array(ids, np.uint64))
    runs, items = np.unique(hashes, return_inverse=True)
    return _Wanted(
        words,
        runs,
        {text: len(runs) + number for text, number in short.items()},
        np.concatenate([items.reshape(-1), np.array(short_items, np.int64) + len(runs)]),
        np.concatenate([np.array(owners, np.int64)[at], np.array(short_rows, np.int64)]),
        np.full((len(runs) + len(short), 2), -1, np.int64),
    )


def _runs(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A hash of each run of 8 numbers without a 0 among them, and where it starts. ids: (n,) uint64."""
    count = len(ids) - RUN + 1
    if count <= 0:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    rolled = np.zeros(count, np.uint64)
    for i in range(RUN):
        rolled = rolled * _BASE + ids[i : i + count]
    zeros = np.concatenate([[0], np.cumsum(ids == 0)])
    at = np.flatnonzero(zeros[RUN:] == zeros[:count])
    return rolled[at], at


def _search(path: Path, file: int, wanted: _Wanted) -> int:
    """Note in `wanted.places` what stands in this file; returns how many words it has."""
    apart = _is_table(path)
    number = wanted.words.get
    ids, lines = array("Q"), array("q")
    count = 0
    for line, text in _cells(path) if apart else _lines(path):
        found = _words(text)
        count += len(found)
        if len(found) < RUN:
            item = wanted.short.get(" ".join(found), -1)
            if item >= 0 and wanted.places[item, 1] < 0:
                wanted.places[item] = file, line
        ids.extend(number(word, 0) for word in found)  # 0: a word that no row has
        lines.extend([line] * len(found))
        if apart:  # a run does not go on from one cell to the next, but from one line of prose it does
            ids.append(0)
            lines.append(line)
        if len(ids) >= _BLOCK:
            _note(np.array(ids, np.uint64), np.array(lines, np.int64), file, wanted)
            ids, lines = ids[1 - RUN :], lines[1 - RUN :]
    _note(np.array(ids, np.uint64), np.array(lines, np.int64), file, wanted)
    return count


def _note(ids: np.ndarray, lines: np.ndarray, file: int, wanted: _Wanted) -> None:
    hashes, at = _runs(ids)
    if not len(wanted.runs) or not len(hashes):
        return
    items = np.minimum(np.searchsorted(wanted.runs, hashes), len(wanted.runs) - 1)
    hit = np.flatnonzero((wanted.runs[items] == hashes) & (wanted.places[items, 1] < 0))[::-1]
    wanted.places[items[hit], 0] = file
    wanted.places[items[hit], 1] = lines[at[hit]]  # of a run that comes twice the first line is written last, and stays


def _place(wanted: _Wanted, found: np.ndarray, row: int) -> tuple[int, int]:
    """The first file and line that hold something of a row."""
    places = wanted.places[wanted.items[(wanted.rows == row) & found]]
    file, line = min(map(tuple, places.tolist()))
    return file, line


def _is_table(path: Path) -> bool:
    owned = {suffix for name in names(Reader) for suffix in find(Reader, name).suffixes}
    return path.suffix.lower() in owned - {".txt"}


def _cells(path: Path) -> Iterator[tuple[int, str]]:
    table = read(path)
    for cells in table.columns.values():
        yield from ((table.lines[row], cell) for row, cell in enumerate(cells) if isinstance(cell, str))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    line = 0
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else open(path, "rb") as file:
            for line, raw in enumerate(file, 1):
                yield line, raw.decode("utf-8-sig" if line == 1 else "utf-8")
    except FileNotFoundError:
        raise UserError(f"There is no file {str(path)!r}; the corpus is one or more files of text.") from None
    except IsADirectoryError:
        raise UserError(f"{str(path)!r} is a folder; name the files of the corpus one by one.") from None
    except UnicodeDecodeError as problem:
        raise UserError(
            f"{path} line {line}: byte 0x{raw[problem.start]:02x} is not UTF-8 ({problem.reason}). Write the corpus "
            "as UTF-8."
        ) from None
    except (OSError, EOFError, zlib.error) as problem:
        raise UserError(f"{str(path)!r} cannot be read after line {line}: {problem}.") from None
