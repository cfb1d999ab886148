"""The shapes of facts: what a task says of a run without knowing how it is drawn, and a page draws knowing no task.

A shape is frozen and holds plain values. Its parts may be given as objects or as mappings (`Line("a", x, y)` or
`{"name": "a", "x": x, "y": y}`) and arrays as anything that can be iterated. It goes to JSON and back:
`read(shape.plain()) == shape`. JSON has no NaN, so a number that is not finite is None, and None is read "undefined".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from itertools import pairwise
from typing import Any, TypeVar

from maskwright.base.errors import UserError, unknown
from maskwright.stats.intervals import Interval

Cell = str | int | float | Interval | None
Number = int | float | None
T = TypeVar("T")

KINDS = ("line", "steps", "points")  #: how a curve is drawn
PLACES = ("right", "true", "answer")  #: where truth and answer agree, where only one of them is


@dataclass(frozen=True)
class Shape:
    """What all have: a title, and a way to JSON. In JSON `shape` is the class's name in lower case."""

    title: str

    def plain(self) -> dict[str, Any]:
        return {"shape": type(self).__name__.lower(), **_plain(self)}


@dataclass(frozen=True)
class Sentences(Shape):
    sentences: Sequence[str]

    def __post_init__(self) -> None:
        _keep(self, sentences=_strings(self.sentences))


@dataclass(frozen=True)
class Table(Shape):
    """Rows of cells under a head; the first cell of a row names it."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def __post_init__(self) -> None:
        _keep(self, head=_strings(self.head), rows=tuple(tuple(map(cell, row)) for row in self.rows))
        for i, row in enumerate(self.rows, 1):
            _same(f"Row {i} of the table {self.title!r}", "cells", len(row), len(self.head))


@dataclass(frozen=True)
class Line:
    """Points (x, y) in the order in which they are joined; y may be None where it is undefined."""

    name: str
    x: Sequence[Number]
    y: Sequence[Number]
    low: Sequence[Number] | None = None  #: a band around y
    high: Sequence[Number] | None = None
    kind: str | None = None  #: where it differs from the curve's
    sizes: Sequence[Number] | None = None  #: how many rows stand behind each point

    def __post_init__(self) -> None:
        for name in ("x", "y", "low", "high", "sizes"):
            given = getattr(self, name)
            if given is not None:
                _keep(self, **{name: _numbers(given)})
                _same(f"The line {self.name!r}", name, len(getattr(self, name)), len(self.x))
        if (self.low is None) != (self.high is None):
            raise UserError(f"The line {self.name!r} has one bound; a band needs low and high.")
        if self.kind is not None:
            _one_of("kind of line", self.kind, KINDS)


@dataclass(frozen=True)
class Curve(Shape):
    """Lines over two axes. x, y: the axes' names, with units."""

    x: str
    y: str
    lines: Sequence[Line]
    note: str = ""
    diagonal: bool = False  #: draw y = x, where both say the same, over axes that are alike
    kind: str = "line"

    def __post_init__(self) -> None:
        _keep(self, lines=tuple(_part(Line, line) for line in self.lines))
        _one_of("kind of line", self.kind, KINDS)


@dataclass(frozen=True)
class Matrix(Shape):
    """Counts: cells[i][j] is how often row i met column j. For confusion rows are the truth, columns the answers."""

    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Sequence[Number]]
    note: str = ""
    row_name: str = "true label"
    column_name: str = "answer"

    def __post_init__(self) -> None:
        _keep(self, rows=_strings(self.rows), columns=_strings(self.columns), cells=tuple(map(_numbers, self.cells)))
        _same(f"The matrix {self.title!r}", "rows of cells", len(self.cells), len(self.rows))
        for name, row in zip(self.rows, self.cells, strict=True):
            _same(f"The row {name!r} of the matrix {self.title!r}", "cells", len(row), len(self.columns))


@dataclass(frozen=True)
class Series:
    """Counts between the edges of a histogram, one less than there are edges."""

    name: str
    counts: Sequence[Number]

    def __post_init__(self) -> None:
        _keep(self, counts=_numbers(self.counts))


@dataclass(frozen=True)
class Mark:
    """A vertical line with a name, such as the length at which texts are cut."""

    x: float
    name: str


@dataclass(frozen=True)
class Histogram(Shape):
    """Series of counts over rising edges. x: the axis's name, with units."""

    edges: Sequence[float]
    series: Sequence[Series]
    note: str = ""
    x: str = ""
    mark: Mark | None = None

    def __post_init__(self) -> None:
        named = self.series
        if isinstance(named, Mapping):
            named = [Series(name, counts) for name, counts in named.items()]
        _keep(self, edges=_numbers(self.edges), series=tuple(_part(Series, one) for one in named))
        if self.mark is not None:
            _keep(self, mark=_part(Mark, self.mark))
        if any(a is None or b is None or a >= b for a, b in pairwise(self.edges)):
            raise UserError(f"The edges of the histogram {self.title!r} do not rise; give them in order.")
        for one in self.series:
            _same(f"The series {one.name!r} of {self.title!r}", "counts", len(one.counts), len(self.edges) - 1)


@dataclass(frozen=True)
class Place:
    """Characters of a text from `start` to before `end`. name: what stands there, such as the label of a span."""

    start: int
    end: int
    kind: str = "true"
    name: str = ""

    def __post_init__(self) -> None:
        _one_of("kind of place", self.kind, PLACES)
        if not 0 <= self.start < self.end:
            raise UserError(f"A place goes from a character to a later one; this one from {self.start} to {self.end}.")


@dataclass(frozen=True)
class Text:
    """A text, the second one of a pair, and what is to be said of them: where, true label, answer, probability; and
    places of either that are marked."""

    text: str
    second: str | None = None
    values: Mapping[str, Cell] = field(default_factory=dict)
    places: Sequence[Place] = ()
    second_places: Sequence[Place] = ()

    def __post_init__(self) -> None:
        _keep(self, values={str(name): cell(value) for name, value in self.values.items()})
        for name, text in (("places", self.text), ("second_places", self.second or "")):
            found = tuple(_part(Place, place) for place in getattr(self, name))
            _keep(self, **{name: found})
            beyond = next((place.end for place in found if place.end > len(text)), None)
            if beyond is not None:
                raise UserError(f"A place ends at character {beyond} of a text of {len(text)}.")


@dataclass(frozen=True)
class Texts(Shape):
    texts: Sequence[Text]
    note: str = ""

    def __post_init__(self) -> None:
        _keep(self, texts=tuple(_part(Text, text) for text in self.texts))


def read(plain: Any) -> Shape:
    """The shape that `plain()` wrote. Raises UserError for one that does not exist, or does not fit together."""
    kinds = {kind.__name__.lower(): kind for kind in Shape.__subclasses__()}
    given = plain.get("shape") if isinstance(plain, Mapping) else None
    if not isinstance(given, str):
        named = ", ".join(sorted(kinds))
        raise UserError(f"A fact is a table that names its shape; this one does not. Allowed: {named}.")
    if given not in kinds:
        raise UserError(unknown("shape", given, kinds))
    return _part(kinds[given], {name: value for name, value in plain.items() if name != "shape"})


def cell(value: Any) -> Cell:
    """A value as a cell may hold it: an interval from its JSON, a number of numpy as one of Python, NaN as None."""
    if isinstance(value, Interval | Mapping):
        return interval(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, str | int):
        return value
    if hasattr(value, "item"):
        return cell(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    raise UserError(f"A cell holds a text, a number, an interval or nothing; this one holds {_kind(value)}.")


def interval(value: Interval | Mapping[str, Any]) -> Interval:
    """An interval from its JSON, which may say more (a figure lists its seeds too); what is undefined is NaN."""
    given = value.plain() if isinstance(value, Interval) else value
    if "value" not in given:
        raise UserError(f"An interval has value, low and high; this one has {', '.join(map(str, given)) or 'nothing'}.")
    number, low, high = (_finite(given.get(name)) for name in ("value", "low", "high"))
    level, over = _number(given.get("level")), given.get("over")
    return Interval(
        number, low, high, 0.95 if level is None else float(level), "examples" if over is None else str(over)
    )


def _finite(value: Any) -> float:
    number = _number(value)
    return math.nan if number is None else number


def _number(value: Any) -> Number:
    found = cell(value)
    if found is None or isinstance(found, int | float):
        return found
    raise UserError(f"A number is needed where {_kind(value)} was given.")


def _numbers(values: Iterable[Any]) -> tuple[Number, ...]:
    return tuple(map(_number, _iterated(values)))


def _strings(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(map(str, _iterated(values)))


def _iterated(values: Any) -> Iterable[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UserError(f"A list is needed where {_kind(values)} was given.")
    return values


def _part(kind: type[T], given: Any) -> T:
    """A shape, or a part of one: itself, or made from a mapping with its fields."""
    if isinstance(given, kind):
        return given
    if not isinstance(given, Mapping):
        raise UserError(f"A {kind.__name__.lower()} is a table of its fields; {_kind(given)} was given.")
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            raise UserError(unknown(f"field of a {kind.__name__.lower()}", str(name), known))
    missing = [n for n, f in known.items() if n not in given and f.default is MISSING and f.default_factory is MISSING]
    if missing:
        raise UserError(f"A {kind.__name__.lower()} lacks {', '.join(missing)}.")
    return kind(**given)


def _plain(value: Any) -> Any:
    if isinstance(value, Interval):
        return value.plain()
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple) else value


def _keep(part: Any, **values: Any) -> None:
    """Set fields of a frozen part, while it is being made."""
    for name, value in values.items():
        object.__setattr__(part, name, value)


def _same(what: str, unit: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise UserError(f"{what} has {found} {unit} where there must be {wanted}.")


def _one_of(what: str, given: Any, allowed: Sequence[str]) -> None:
    if given not in allowed:
        raise UserError(unknown(what, str(given), allowed))


def _kind(value: Any) -> str:
    """What was given, without printing a megabyte of it."""
    return f"{str(value)[:40]!r} (a {type(value).__name__})"
