"""One data set of a benchmark: where its rows lie, what is learnt from them, and what of it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskwright.base.errors import UserError
from maskwright.data.read import read
from maskwright.data.settings import Data
from maskwright.data.table import Table

Further = Callable[[Table, Sequence[Mapping[str, Any]]], Sequence[float]]


@dataclass(frozen=True)
class Rows:
    """Files that are read one after the other as one side. files: patterns in the folder of the data, each of which
    names one file; columns: ours -> the file's; reading: settings of the reader."""

    files: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    reading: Mapping[str, Any] = field(default_factory=dict)

    def paths(self, folder: Path) -> list[Path] | None:
        """The files; None where one is not there."""
        found = [sorted(folder.glob(pattern)) for pattern in self.files]
        return [path for paths in found for path in paths] if all(found) else None

    def table(self, folder: Path) -> Table:
        paths = self.paths(folder)
        assert paths is not None
        tables = [read(path, settings=Data(**self.reading), needs=list(self.columns.values())) for path in paths]
        return joined([_renamed(table, self.columns) for table in tables])


@dataclass(frozen=True)
class Way:
    """One layout that a case may lie in. said: what a person calls it; test: rows that are reported on; eval: rows that
    choose, by default a tenth of the training rows; also: further rows that the saved model is judged on; submit: rows
    without labels, for a submission; submit_too: further such rows, by the name of their file; shares: of the rows of
    `train` those that choose and are reported on, where there are no others; group: the column by which rows are kept
    together where some are split off; cut: whether the training rows are of what is a dev set elsewhere; task: fields
    of the task; prepare: the tables made into others."""

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
    task: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[dict[str, Table]], dict[str, Table]] | None = None

    def found(self, folder: Path) -> bool:
        needed = [self.train, *(rows for rows in (self.test, self.eval) if rows is not None)]
        return all(rows.paths(folder) for rows in needed)

    def tables(self, folder: Path) -> dict[str, Table]:
        """The labelled sides, and those of `also`."""
        sides = {"train": self.train, "eval": self.eval, "test": self.test, **self.also}
        out = {name: rows.table(folder) for name, rows in sides.items() if rows is not None and rows.paths(folder)}
        return out if self.prepare is None else self.prepare(out)


@dataclass(frozen=True)
class Published:
    """A figure that was printed, in points. rows: what it was measured on, such as "test server" or "dev"."""

    system: str
    metric: str
    points: float
    rows: str
    source: str


@dataclass(frozen=True)
class Case:
    """name: of its folder; task: fields of the task; metrics: the official ones, the first decides its place in a mean;
    further: official metrics that the task does not tell, each from the rows and their answers to a number from 0 to 1
    for every unit that is counted, whose mean it is; settings: how it is trained; seen: names of encoders that were
    trained on these rows before."""

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

    def wanted(self) -> str:
        """What to put where, in a sentence."""
        told = (f"{way.said} ({', '.join(way.train.files)})" for way in self.ways)
        return f"{self.title} was not found. Looked for: {'; '.join(told)}."


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


def _renamed(table: Table, columns: Mapping[str, str]) -> Table:
    if not columns:
        return table
    found = {ours: table.column(theirs) for ours, theirs in columns.items()}
    return Table(found, table.source, table.lines, table.notes, table.unit, table.places)
