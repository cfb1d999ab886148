from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from maskwright.base.errors import UserError
from maskwright.data.read import read
from maskwright.data.settings import Data

ROWS = {"text": ["good", "bad", "fine"], "label": [1, 0, 1]}


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., Path]:
    def write(columns: Any, name: str = "rows.parquet") -> Path:
        path = tmp_path / name
        parquet.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path)
        return path

    return write


@pytest.mark.parametrize("name", ["rows.parquet", "rows.pq", "ROWS.PARQUET"])
def test_rows_count_from_one(store, name):
    path = store(ROWS, name)
    table = read(path, needs=("text", "label"))
    assert table.columns == ROWS
    assert table.where(2) == f"{path} row 3"
    assert table.notes == [f"{path}: Parquet, text (string), label (int64)."]


def test_other_columns_are_read_for_a_whole_table(store):
    path = store(ROWS)
    assert list(read(path, needs=("label",)).columns) == ["label"]
    assert read(path, needs=("label",), whole=True).columns == ROWS
    with pytest.raises(UserError, match="topic"):
        read(path, needs=("topic",), whole=True)


cells = st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=9)


@given(
    st.lists(st.tuples(cells, st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.booleans()), min_size=1),
    st.sampled_from([1, 3, 1000]),
)
def test_cells_keep_their_types(tmp_path_factory, rows, group):
    path = tmp_path_factory.mktemp("parquet") / "rows.parquet"
    kinds = [pa.string(), pa.int64(), pa.bool_()]
    arrays = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
    parquet.write_table(pa.table(arrays, names=["text", "number", "truth"]), path, row_group_size=group)
    table = read(path)
    assert list(zip(*table.columns.values(), strict=True)) == rows
    assert [[type(cell) for cell in column] for column in table.columns.values()] == [
        [type(row[i]) for row in rows] for i in range(3)
    ]


def test_missing_numbers_are_none_and_categories_are_their_values(store):
    table = read(
        store(
            {
                "score": pa.array([0.5, float("nan"), None]),
                "label": pa.array(["a", "b", None]).dictionary_encode(),
                "small": pa.array([1, 2, None], pa.uint8()),
                "labels": pa.array([["a", "b"], [], None]),
                "day": pa.array([datetime.date(2020, 1, 2), None, None]),
            }
        )
    )
    assert table.columns == {
        "score": [0.5, None, None],
        "label": ["a", "b", None],
        "small": [1, 2, None],
        "labels": [["a", "b"], [], None],
        "day": [datetime.date(2020, 1, 2), None, None],
    }


NESTED = {
    "struct": pa.array([{"a": {"b": 1}}] * 3),
    "hidden": pa.array([{"a": 1, "b": b"x"}] * 3),
    "bytes": pa.array([b"x"] * 3),
    "fixed": pa.array([b"xy"] * 3, pa.binary(2)),
    "deep": pa.array([[["a"]]] * 3),
    "map": pa.array([[("a", 1)]] * 3, pa.map_(pa.string(), pa.int64())),
}


@pytest.mark.parametrize("name", NESTED)
def test_a_column_that_holds_no_plain_values(store, fails, name):
    path = store({**ROWS, name: NESTED[name]})
    message = fails(path, needs=("text", name))
    assert message.startswith(f"{path}: the column {name!r} is of the type ")
    assert message.endswith(
        "Needed are texts, numbers or the like, lists of them, either by name, or lists of what has names; write it as "
        "such."
    )
    table = read(path)  # nobody asks for it
    assert table.columns == ROWS
    assert table.notes == [f"{path}: Parquet, text (string), label (int64); 1 other column was not read."]


def test_values_by_name_are_mappings(store):
    """As the library datasets writes the answers of SQuAD, and where a row of SuperGLUE is from."""
    answers = [{"text": ["good", "so good"], "answer_start": [3, 0]}, {"text": [], "answer_start": []}, None]
    path = store({**ROWS, "answers": pa.array(answers), "idx": pa.array([{"row": 1, "part": 2}] * 3)})
    table = read(path)
    assert table.columns == {**ROWS, "answers": answers, "idx": [{"row": 1, "part": 2}] * 3}
    assert read(path, needs=("answers",)).column("answers") == answers


def test_lists_of_what_has_names(store):
    """As spans and answers are written."""
    spans = [[{"start": 0, "end": 2, "label": "x"}], [], None]
    assert read(store({**ROWS, "spans": pa.array(spans)}), needs=("spans",)).column("spans") == spans


def test_a_whole_table_without_what_is_needed_says_why(store, fails):
    path = store({**ROWS, "deep": NESTED["deep"]})
    assert "the column 'deep' is of the type " in fails(path, needs=("text", "deep"), whole=True)


def test_only_what_is_asked_for_is_read_and_the_rest_is_counted(store, fails):
    path = store({**ROWS, "id": [7, 8, 9], "a.b": [1, 2, 3]})
    table = read(path, needs=("label", "text", "label"))
    assert table.columns == {"label": ROWS["label"], "text": ROWS["text"]}
    assert table.notes == [f"{path}: Parquet, label (int64), text (string); 2 other columns were not read."]
    assert read(path, needs=("a.b",)).columns == {"a.b": [1, 2, 3]}
    assert fails(path, needs=("text", "lable")) == (
        f"{path}: There is no column 'lable'. Did you mean 'label'? Allowed: a.b, id, label, text."
    )


def test_a_name_that_stands_twice(store, fails):
    path = store(pa.table([pa.array(["a"]), pa.array(["b"]), pa.array([1])], names=["text", "text", "label"]))
    assert fails(path, needs=("text",)) == f"{path}: there is more than one column 'text'. Rename or remove it."
    assert read(path, needs=("label",)).column("label") == [1]


def test_times_too_fine_for_python_name_their_column(store, fails):
    path = store({"text": ["a"], "at": pa.array([1_000_000_001], pa.timestamp("ns"))})
    assert read(path, needs=("text",)).column("text") == ["a"]
    try:
        import pandas  # noqa: F401  (it has a type of its own for them)
    except ImportError:
        message = fails(path, needs=("at",))
        assert message.startswith(f"{path}: the column 'at' has no plain values (")
        assert message.endswith("Write it as text.")


def test_files_that_are_not_or_not_whole(store, file, fails):
    whole = store({"text": ["good", "bad"] * 500}).read_bytes()
    for name, content in {
        "cut": whole[: len(whole) // 2], "text": b"text,label\na,1\n", "tiny": b"PAR1", "head": whole[:-4] + b"PAR2",
        "inside": whole[:4] + b"\xff" * 40 + whole[44:],
    }.items():  # fmt: skip
        path = file(f"{name}.parquet", content)
        message = fails(path)
        assert message.startswith(f"{path} cannot be read as Parquet: "), name
        assert message.endswith(" It may be cut short or of another format."), name
        assert "\n" not in message


def test_no_rows(store, fails):
    path = store({"text": pa.array([], pa.string())})
    assert fails(path) == f"{path} holds no rows."


def test_it_has_no_use_for_settings_of_text(store, fails):
    assert "There is no setting 'encoding'." in fails(store(ROWS), settings=Data(encoding="latin-1"))
