"""Facts go to JSON and come back equal, and what does not fit together is said."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.errors import UserError
from maskwright.runs import shapes
from maskwright.runs.shapes import (
    Curve,
    Histogram,
    Line,
    Mark,
    Matrix,
    Place,
    Sentences,
    Series,
    Shape,
    Table,
    Text,
    Texts,
)
from maskwright.stats.intervals import Interval

EXAMPLES: list[Shape] = [
    Sentences("In short", ["One.", "Two."]),
    Table("Each class", ["label", "F1"], [["pos", Interval(0.8, 0.7, 0.9)], ["neg", None], ["both", 3]], "A note."),
    Curve("Loss", "step", "loss", [Line("a", [1, 2], [0.5, None], [0.4, None], [0.6, None], "steps")], diagonal=True),
    Matrix("Confusion", ["a", "b"], ["a", "b", "none"], [[1, 2, 3], [4, 5, 6]]),
    Histogram("Lengths", [0, 5, 10], [Series("train", [3, 4])], "A note.", "pieces", Mark(8, "cut")),
    Texts(
        "Wrong",
        [Text("a", "b", {"where": "x:1", "probability": 0.5}), Text("c", places=[Place(0, 1, "answer", "PER")])],
    ),
]


def refused(*args: Any, **values: Any) -> str:
    with pytest.raises(UserError) as caught:
        shapes.read({"title": "T", **dict(*args), **values})
    return str(caught.value)


def test_there_is_an_example_of_every_shape() -> None:
    assert {type(example) for example in EXAMPLES} == set(Shape.__subclasses__())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_a_shape_comes_back_from_json_as_it_was(example: Shape) -> None:
    plain = example.plain()
    assert plain["shape"] == type(example).__name__.lower()
    assert shapes.read(json.loads(json.dumps(plain, allow_nan=False))) == example


cells = st.one_of(
    st.text(max_size=5),
    st.integers(-(10**9), 10**9),
    st.floats(),
    st.none(),
    st.builds(Interval, st.floats(), st.floats(), st.floats()),
)


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(cells, min_size=n, max_size=n), max_size=5)))
def test_a_table_of_anything_is_json_without_nan(rows: list[list[Any]]) -> None:
    table = Table("T", ["x"] * (len(rows[0]) if rows else 1), rows)
    assert shapes.read(json.loads(json.dumps(table.plain(), allow_nan=False))) == table


def test_parts_may_be_tables_and_arrays() -> None:
    line: Any = {"name": "a", "x": np.arange(2), "y": np.array([0.5, np.nan])}
    curve = Curve("T", "x", "y", [line])
    assert curve.lines == (Line("a", (0, 1), (0.5, None)),)
    assert type(curve.lines[0].x[0]) is int
    counts = Histogram("T", np.array([0.0, 1.0]), {"train": np.array([3])})  # type: ignore[arg-type]
    assert counts.series == (Series("train", (3,)),)
    matrix = Matrix("T", np.array(["a", "b"]), [1, 2], np.eye(2, dtype=int))  # type: ignore[arg-type]
    assert (matrix.rows, matrix.columns, matrix.cells) == (("a", "b"), ("1", "2"), ((1, 0), (0, 1)))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), "yes"),
        (False, "no"),
        (math.inf, None),
        (math.nan, None),
        ({"value": 0.5, "low": None, "high": 1, "seeds": [1]}, Interval(0.5, math.nan, 1)),
    ],
)
def test_a_cell_keeps_plain_values(given: Any, kept: Any) -> None:
    assert shapes.cell(given) == kept
    assert type(shapes.cell(given)) is type(kept)


def test_an_interval_keeps_its_level_and_what_varies() -> None:
    found = shapes.interval({"value": 0.5, "low": 0.4, "high": 0.6, "level": 0.9, "over": "seeds", "seeds": [0.5]})
    assert found == Interval(0.5, 0.4, 0.6, 0.9, "seeds")


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ({"shape": "tabel"}, "There is no shape 'tabel'. Did you mean 'table'? Allowed: curve, histogram, matrix, "),
        ({}, "A fact is a table that names its shape; this one does not. Allowed: curve, "),
        ({"shape": ["table"]}, "A fact is a table that names its shape; this one does not."),
        ({"shape": "table", "head": []}, "A table lacks rows."),
        ({"shape": "table", "head": ["a"], "row": []}, "There is no field of a table 'row'. Did you mean 'rows'?"),
        ({"shape": "table", "head": ["a"], "rows": [[1], [1, 2]]}, "Row 2 of the table 'T' has 2 cells where there m"),
        ({"shape": "table", "head": ["a"], "rows": [[[1]]]}, "A cell holds a text, a number, an interval or nothing;"),
        ({"shape": "table", "head": ["a"], "rows": [[{"low": 1}]]}, "An interval has value, low and high; this one ha"),
        ({"shape": "sentences", "sentences": "One."}, "A list is needed where 'One.' (a str) was given."),
        ({"shape": "curve", "x": "", "y": "", "lines": [3]}, "A line is a table of its fields; '3' (a int) was given."),
        (
            {"shape": "curve", "x": "", "y": "", "lines": [{"name": "a", "x": [1], "y": [1, 2]}]},
            "The line 'a' has 2 y where there must be 1.",
        ),
        (
            {"shape": "curve", "x": "", "y": "", "lines": [{"name": "a", "x": [1], "y": [1], "low": [0]}]},
            "The line 'a' has one bound; a band needs low and high.",
        ),
        (
            {"shape": "curve", "x": "", "y": "", "lines": [{"name": "a", "x": [1], "y": ["b"]}]},
            "A number is needed where 'b' (a str) was given.",
        ),
        ({"shape": "curve", "x": "", "y": "", "lines": [], "kind": "stairs"}, "There is no kind of line 'stairs'."),
        (
            {"shape": "matrix", "rows": ["a"], "columns": ["a"], "cells": [[1, 2]]},
            "The row 'a' of the matrix 'T' has 2 cells where there must be 1.",
        ),
        (
            {"shape": "matrix", "rows": ["a"], "columns": ["a"], "cells": []},
            "The matrix 'T' has 0 rows of cells where there must be 1.",
        ),
        (
            {"shape": "histogram", "edges": [0, 2, 1], "series": []},
            "The edges of the histogram 'T' do not rise; give them in order.",
        ),
        (
            {"shape": "histogram", "edges": [0, 1, 2], "series": {"a": [1]}},
            "The series 'a' of 'T' has 1 counts where there must be 2.",
        ),
    ],
)
def test_what_does_not_fit_is_said(plain: dict[str, Any], said: str) -> None:
    assert refused(plain).startswith(said)


def test_what_is_no_table_at_all_is_said() -> None:
    with pytest.raises(UserError, match="A fact is a table that names its shape; this one does not"):
        shapes.read([1])


def test_a_megabyte_is_not_printed_into_a_message() -> None:
    assert len(refused(shape="curve", x="", y="", lines=["m" * 1_000_000])) < 200


def test_a_place_lies_inside_its_text_and_is_of_a_kind() -> None:
    def said(**place: Any) -> str:
        return refused(shape="texts", texts=[{"text": "abc", "places": [{"start": 0, "end": 1, **place}]}])

    assert "ends at character 4 of a text of 3" in said(end=4)
    assert "from 0 to 0" in said(end=0)
    assert "from -1 to 1" in said(start=-1)
    assert "kind of place" in said(kind="wrong")
