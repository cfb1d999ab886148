"""`Table`: rows of named columns that remember the file and the line they came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from maskwright.base.errors import UserError, unknown
from maskwright.base.words import counted

NAMED = 5  #: further rows that an error names
Made = TypeVar("Made")
_AS_LIST = ("to_pylist", "to_list", "tolist")  # of pyarrow; of pandas and polars; of numpy
_MISSING = ("NAType", "NaTType")  # pandas' NA and NaT, known by name because pandas is not imported


class NoColumn(UserError):
    """A column that is needed is not there: names the nearest one, all of them, and what was assumed."""

    def __init__(self, source: str, column: str, columns: Iterable[str], notes: Iterable[str] = ()) -> None:
        super().__init__(" ".join([f"{source}: {unknown('column', column, columns)}", *notes]))
        self.column, self.columns = column, tuple(columns)


@dataclass(frozen=True)
class Table:
    """Columns by name, all of one length. Cells of CSV and TSV files are texts; JSONL and Parquet keep their types."""

    columns: dict[str, list[Any]]
    source: str  # what a person calls it: the path
    lines: list[int]  # where each row begins in the source, counted from 1
    notes: list[str] = field(default_factory=list)  # what was detected and assumed, one sentence each
    unit: str = "line"  # what `lines` count: lines of a file, or rows of something that has no lines
    places: list[str] | None = None  # where each row stands, if that is a file of its own
    inner: list[Sequence[int]] | None = None  # the lines of each row's words, in files of one word a line

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str) -> list[Any]:
        """The cells of one column. Raises `NoColumn`, a UserError."""
        if name not in self.columns:
            raise NoColumn(self.source, name, self.columns, self.notes)
        return self.columns[name]

    def select(self, rows: Iterable[int]) -> Table:
        """The rows at these indices, in this order."""
        picked = [int(r) for r in rows]
        columns = {name: [cells[r] for r in picked] for name, cells in self.columns.items()}
        places = None if self.places is None else [self.places[r] for r in picked]
        inner = None if self.inner is None else [self.inner[r] for r in picked]
        return Table(columns, self.source, [self.lines[r] for r in picked], self.notes, self.unit, places, inner)

    def where(self, row: int, word: int | None = None) -> str:
        """A row as a person finds it again: `train.csv line 17`, or the path of its own file; or one of its words, from
        0: `train.conll line 18`, where it has a line of its own, else `train.csv line 17, word 2`."""
        if word is not None and self.inner is not None:
            return f"{self.source} {self.unit} {self.inner[row][word]}"
        found = f"{self.source} {self.unit} {self.lines[row]}" if self.places is None else self.places[row]
        return found if word is None else f"{found}, word {word + 1}"

    def each(self, make: Callable[..., Made], *cells: Iterable[Any]) -> list[Made]:
        """What `make` says of each row's cells. Raises UserError where it raises one: with what it says of the first
        such row, and where the others stand, so that all can be mended at once."""
        out, refused = [], dict[int, UserError]()
        for row, own in enumerate(zip(*cells, strict=True)):
            try:
                out.append(make(*own))
            except UserError as problem:
                refused[row] = problem
        if refused:
            (row, problem), *rest = refused.items()
            raise UserError(f"{self.where(row)}: {problem}{self._too([other for other, _ in rest])}")
        return out

    def _too(self, rows: Sequence[int]) -> str:
        if not rows:
            return ""
        places = ", ".join(self.where(row) for row in rows[:NAMED])
        more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
        return f" {counted(len(rows), 'more row')} {'is' if len(rows) == 1 else 'are'} refused too: {places}{more}."


def from_records(records: Sequence[Mapping[str, Any]], source: str, lines: list[int], unit: str = "line") -> Table:
    """A table from one mapping a row. A key that some rows lack becomes None there, which is noted with its count."""
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = {name: [record.get(name) for record in records] for name in names}
    notes = []
    for name in names:
        missing = [i for i, record in enumerate(records) if name not in record]
        if missing:
            notes.append(
                f"{source}: {name!r} is missing in {len(missing)} of {len(records)} rows (first at {unit} "
                f"{lines[missing[0]]}) and is null there."
            )
    return Table(columns, source, lines, notes, unit)


def from_columns(given: Mapping[str, Sequence[Any]], source: str) -> Table:
    """A table from one sequence a column, as a dict, or what else maps names to equally long sequences."""
    columns: dict[str, list[Any]] = {}
    for name, cells in given.items():
        if isinstance(cells, str | bytes) or not hasattr(cells, "__len__") or not hasattr(cells, "__getitem__"):
            raise UserError(f"{source}: column {name!r} is a {type(cells).__name__}; give a list with one cell a row.")
        own = next((method for method in _AS_LIST if hasattr(cells, method)), None)
        columns[name] = list(getattr(cells, own)()) if own else list(cells)
    lengths = {name: len(cells) for name, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise UserError(f"{source}: all columns must have one length, but {told}.")
    count = next(iter(lengths.values()), 0)
    return Table(columns, source, list(range(1, count + 1)), unit="row")


def plain(cell: Any) -> Any:
    """A cell as a plain value of Python: numpy's numbers and arrays unpacked, inside of lists and mappings too, None
    for all that means "missing".

    That is NaN, NaT and NA: no text, label or score is one of them, and `str` would make the word "nan" of it.
    """
    if type(cell) is str:
        return cell
    if hasattr(cell, "tolist"):
        cell = cell.tolist()
    if isinstance(cell, list):
        return [plain(inner) for inner in cell]
    if isinstance(cell, dict):
        return {name: plain(inner) for name, inner in cell.items()}
    missing = type(cell).__name__ in _MISSING or (isinstance(cell, float) and cell != cell)
    return None if missing else cell
