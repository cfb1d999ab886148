"""Minimal pairs: two sentences that differ in one thing, of which one is good."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from maskwright.base.errors import UserError
from maskwright.base.words import counted
from maskwright.data.read import read
from maskwright.data.readers._file import is_folder, listing, open_file
from maskwright.data.readers.jsonl import Jsonl
from maskwright.data.table import Table

GOOD, BAD = ("sentence_good", "good"), ("sentence_bad", "bad")  #: what the two columns may be called
FIELD, TERM, PARADIGM = "field", "linguistics_term", "UID"  #: BLiMP's names for its categories
ROWS = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".pq")
ALLOWED = f"{', '.join(ROWS)}, text also with .gz behind, a .zip of .jsonl files, or a folder of such files"


@dataclass(frozen=True)
class Pair:
    """paradigm: what is tested by it, whose pairs are alike; field and term: the categories that this belongs to;
    where: how a person finds it."""

    good: str
    bad: str
    paradigm: str
    where: str
    field: str | None = None
    term: str | None = None


def read_pairs(path: str | Path, limit: int | None = None) -> tuple[list[Pair], list[str]]:
    """The pairs of a file, of a zip of JSONL files, or of all such files of a folder and those in it, sorted by name;
    and notes on what was assumed.

    A file has two columns of sentences, `sentence_good` and `sentence_bad` (or `good` and `bad`), as BLiMP's have
    (Warstadt et al. 2020, section 3). Its columns `UID`, `field` and `linguistics_term` tell paradigm and categories;
    without UID a file is one paradigm, called as the file is. limit: the first so many pairs of each paradigm.

    Raises UserError, with file and line, for a row that is no pair.
    """
    if limit is not None and limit < 1:
        raise UserError(f"limit = {limit}: give at least 1 pair of each paradigm.")
    taken, kinds = Counter[str](), dict[str, Pair]()
    found, notes = list[Pair](), list[str]()
    for name, table in _tables(Path(path).expanduser()):
        notes += table.notes
        for pair in _pairs(table, name):
            taken[pair.paradigm] += 1
            first = kinds.setdefault(pair.paradigm, pair)
            if (pair.field, pair.term) != (first.field, first.term):
                raise UserError(
                    f"{pair.where}: the paradigm {pair.paradigm!r} is of {pair.field}, {pair.term} here, and of "
                    f"{first.field}, {first.term} at {first.where}. All pairs of a paradigm are of one category."
                )
            if limit is None or taken[pair.paradigm] <= limit:
                found.append(pair)
    same = [pair.where for pair in found if pair.good == pair.bad]
    if same:
        notes.append(f"The two sentences of {counted(len(same), 'pair')} are the same, first at {same[0]}: ties.")
    return found, notes


def _tables(path: Path) -> Iterator[tuple[str, Table]]:
    """Each file's name without its suffixes, and its rows."""
    if is_folder(path):
        files = list(_files(path))
        if not files:
            raise UserError(f"{path} holds no pairs. Needed: {ALLOWED}.")
        for file in files:
            yield from _tables(file)
    elif path.suffix.lower() == ".zip":
        yield from _members(path)
    else:
        yield _stem(path.name), read(path)


def _files(folder: Path) -> Iterator[Path]:
    inner, files, _ = listing(folder)
    yield from (f for f in files if PurePath(f.name.lower().removesuffix(".gz")).suffix in (*ROWS, ".zip"))
    for each in inner:
        if each.name != "__MACOSX":
            yield from _files(each)


def _members(path: Path) -> Iterator[tuple[str, Table]]:
    try:
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            names = sorted(n for n in archive.namelist() if n.lower().endswith(".jsonl") and _shown(n))
            if not names:
                raise UserError(f"{path} holds no .jsonl file. Needed: {ALLOWED}.")
            for name in names:
                yield _stem(name), Jsonl().table(archive.read(name), f"{path}/{name}")
    except (zipfile.BadZipFile, EOFError, zlib.error) as problem:
        raise UserError(f"{path} is not a zip file, or a damaged one ({problem}). Copy it again.") from None
    except (RuntimeError, NotImplementedError) as problem:  # a password, or a packing that Python lacks
        raise UserError(f"{path} cannot be unpacked: {problem}. Unpack it and give the folder.") from None


def _shown(name: str) -> bool:
    return not any(part.startswith(".") or part == "__MACOSX" for part in PurePath(name).parts)


def _stem(name: str) -> str:
    return PurePath(PurePath(name).name.removesuffix(".gz")).stem


def _pairs(table: Table, name: str) -> Iterator[Pair]:
    good, bad = (_column(table, names) for names in (GOOD, BAD))
    given = {key: table.columns.get(key) for key in (PARADIGM, FIELD, TERM)}
    for row in range(len(table)):
        where = table.where(row)
        said = {key: None if cells is None else _category(cells[row], key, where) for key, cells in given.items()}
        yield Pair(
            _sentence(table.columns[good][row], good, where),
            _sentence(table.columns[bad][row], bad, where),
            said[PARADIGM] or name,
            where,
            said[FIELD] and said[FIELD].replace("/", "_"),  # BLiMP writes syntax_semantics in both ways
            said[TERM],
        )


def _column(table: Table, names: tuple[str, ...]) -> str:
    found = next((name for name in names if name in table.columns), None)
    if found is None:
        raise UserError(
            f"{table.source} has no column {' or '.join(map(repr, names))}; it has: {', '.join(table.columns)}. A file "
            f"of pairs names its columns {' and '.join(GOOD[:1] + BAD[:1])}, or {' and '.join(GOOD[1:] + BAD[1:])}."
        )
    return found


def _sentence(cell: object, column: str, where: str) -> str:
    if not isinstance(cell, str) or not cell.strip():
        raise UserError(f"{where}: {column} is {cell!r}, not a sentence. Fill the cell, or remove the row.")
    return cell


def _category(cell: object, column: str, where: str) -> str:
    if not isinstance(cell, str) or not cell.strip():
        raise UserError(f"{where}: {column} is {cell!r}, not a name. Fill the cell, or remove the column.")
    return cell
