"""One data set of a benchmark: where its rows lie, what is learnt from them, and what of it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from maskwright.base.errors import UserError
from maskwright.base.files import sha256
from maskwright.base.words import counted
from maskwright.data.read import read, reader_for
from maskwright.data.settings import Data
from maskwright.data.table import Table, from_records

Further = Callable[[Table, Sequence[Mapping[str, Any]]], Sequence[float]]
CUT = "cut from dev"  #: what is reported on where rows of a dev set were cut into train and test


class LeftOut(str):
    """A note on a table that so many `rows` of its source were left out; the page of a benchmark repeats it."""

    rows: int

    def __new__(cls, text: str, rows: int) -> LeftOut:
        made = super().__new__(cls, text)
        made.rows = rows
        return made


@dataclass(frozen=True)
class Rows:
    """Files that are read one after the other as one side. files: patterns in the folder of the data, each of which
    names one file; columns: ours -> the file's; reading: settings of the reader; ragged: whether the files are known to
    have records without all of their cells, which are left out and counted."""

    files: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    reading: Mapping[str, Any] = field(default_factory=dict)
    ragged: bool = False

    def paths(self, folder: Path) -> list[Path] | None:
        """The files; None where one is not there."""
        found = [sorted(folder.glob(pattern)) for pattern in self.files]
        return [path for paths in found for path in paths] if all(found) else None

    def table(self, folder: Path) -> Table:
        paths = self.paths(folder)
        assert paths is not None
        get, needs = _even if self.ragged else read, list(self.columns.values())
        tables = [get(path, settings=Data(**self.reading), needs=needs) for path in paths]
        return joined([_renamed(table, self.columns) for table in tables])


@dataclass(frozen=True)
class Way:
    """One layout that a case may lie in. said: what a person calls it; test: rows that are reported on; eval: rows that
    choose, by default a tenth of the training rows; also: further rows that each seed is judged on; submit: rows
    without labels, for a submission; submit_too: further such rows, by the name of their file; shares: of the rows of
    `train` those that choose and are reported on, where there are no others; group: the column by which rows are kept
    together where some are split off; cut: whether the training rows are of what is a dev set elsewhere; reported:
    which rows the test rows are, as `Published.rows` names them, where that is not what the benchmark says; task:
    fields of the task; settings: how it is trained, where that is otherwise than in other layouts; prepare: the tables
    made into others; note: what a reader must know of this layout."""

    said: str
    train: Rows
    test: Rows | None = None
    eval: Rows | None = None
    also: Mapping[str, Rows] = field(default_factory=dict)
    submit: Rows | None = None
    submit_too: Mapping[str, Rows] = field(default_factory=dict)
    shares: tuple[float, float] | None = None
    group: str | None = None
    cut: bool = False
    reported: str | None = None
    task: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[dict[str, Table]], dict[str, Table]] | None = None
    note: str = ""

    def found(self, folder: Path) -> bool:
        needed = [self.train, *(rows for rows in (self.test, self.eval) if rows is not None)]
        return all(rows.paths(folder) for rows in needed)

    def sides(self, folder: Path) -> dict[str, Rows]:
        """The labelled sides that are there, and those of `also`."""
        sides = {"train": self.train, "eval": self.eval, "test": self.test, **self.also}
        return {name: rows for name, rows in sides.items() if rows is not None and rows.paths(folder)}

    def sent(self, folder: Path) -> dict[str, Rows]:
        """The unlabelled rows that are there, by the name of their file, "" for the one that the benchmark names."""
        sides = {**({} if self.submit is None else {"": self.submit}), **self.submit_too}
        return {name: rows for name, rows in sides.items() if rows.paths(folder)}

    def tables(self, folder: Path) -> dict[str, Table]:
        """The labelled sides, and those of `also`."""
        out = {name: rows.table(folder) for name, rows in self.sides(folder).items()}
        return out if self.prepare is None else self.prepare(out)

    def rows_reported(self, usual: str) -> str:
        """Which rows are reported on, as `Published.rows` names them; `usual`: what the benchmark says."""
        return CUT if self.cut or self.shares is not None else self.reported or usual


@dataclass(frozen=True)
class Published:
    """A figure that was printed, in points. rows: what it was measured on, such as "test server" or "dev"; side: which
    rows of `Way.also` it is of, where it is of such."""

    system: str
    metric: str
    points: float
    rows: str
    source: str
    side: str = ""


@dataclass(frozen=True)
class Case:
    """name: of its folder; task: fields of the task; metrics: the official ones, the first decides its place in a mean;
    further: official metrics that the task does not tell, each from the rows and their answers to a number from 0 to 1
    for every unit that is counted, whose mean it is; settings: how it is trained; seen: names of encoders that were
    trained on these rows before (`_seen`); note: what a reader must know of its rows, in any layout."""

    name: str
    title: str
    task: Mapping[str, Any]
    metrics: tuple[str, ...]
    ways: tuple[Way, ...]
    further: Mapping[str, Further] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    published: tuple[Published, ...] = ()
    seen: tuple[str, ...] = ()
    note: str = ""

    def way(self, folder: Path) -> Way | None:
        """The first layout whose files are there."""
        return next((way for way in self.ways if way.found(folder)), None)

    def notes(self, way: Way, tables: Mapping[str, Table]) -> list[str]:
        """What a reader must know of its rows in one layout, and what was left out of each side."""
        found = [(side, note) for side, table in tables.items() for note in table.notes]
        left = [f"{side}: {note}" for side, note in found if isinstance(note, LeftOut)]
        return [note for note in (way.note, self.note, *left) if note]

    def wanted(self) -> str:
        """What to put where, in a sentence."""
        told = (f"{way.said} ({', '.join(way.train.files)})" for way in self.ways)
        return f"{self.title} was not found. Looked for: {'; '.join(told)}."


def digests(folder: Path, sides: Mapping[str, Rows]) -> dict[str, str]:
    """The SHA-256 of each file of some sides, by its path in the folder of the data."""
    paths = [path for rows in sides.values() for path in rows.paths(folder) or ()]
    return {path.relative_to(folder).as_posix(): sha256(path) for path in paths}


def joined(tables: Sequence[Table]) -> Table:
    """Tables of the same columns, one behind the other."""
    if len(tables) == 1:
        return tables[0]
    names = list(tables[0].columns)
    strange = next((table for table in tables if list(table.columns) != names), None)
    if strange is not None:
        raise UserError(
            f"{strange.source} has other columns than {tables[0].source}; they are one side of a benchmark."
        )
    places = [table.where(row) for table in tables for row in range(len(table))]
    return Table(
        {name: [cell for table in tables for cell in table.columns[name]] for name in names},
        ", ".join(table.source for table in tables),
        list(range(1, len(places) + 1)),
        [note for table in tables for note in table.notes],
        "row",
        places,
    )


def _even(path: Path, settings: Data, needs: Sequence[str]) -> Table:
    """The rows of a file that can be read; the others are left out and counted."""
    found = reader_for(path, None, settings).rows(path, needs)
    rows = list(found)
    whole, bad = [row for row in rows if not row.error], [row for row in rows if row.error]
    table = from_records([row.cells for row in whole], found.source, [row.line for row in whole])
    if not bad:
        return replace(table, notes=found.notes)
    told = f"{len(bad):,} of {counted(len(rows), 'record')} of {path.name} left out"
    why = f"since they lack cells or have too many (the first at line {bad[0].line})"
    lost = LeftOut(f"{told}, {why}.", len(bad))
    return replace(table, notes=[*found.notes, lost])


def _renamed(table: Table, columns: Mapping[str, str]) -> Table:
    if not columns:
        return table
    found = {ours: table.column(theirs) for ours, theirs in columns.items()}
    return Table(found, table.source, table.lines, table.notes, table.unit, table.places)
