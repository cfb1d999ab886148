"""Frames of other libraries: the real ones where they are installed, and stand-ins with the same interface."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from maskwright.base.errors import UserError
from maskwright.data.labels import Labels
from maskwright.data.read import read


def refused(source: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(source)
    return str(caught.value)


# Stand-ins


class NAType:
    """As pandas.NA: comparing it gives itself, and it is neither true nor false."""

    def __eq__(self, other: object) -> Any:
        return self

    __ne__ = __eq__
    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


class NaTType:
    """As pandas.NaT: it differs from itself."""

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = object.__hash__


NA, NaT = NAType(), NaTType()


class Series:
    """A column of pandas or polars: iterating gives numpy's numbers (pandas) or nested series (polars)."""

    def __init__(self, cells: list[Any]) -> None:
        self._cells = cells

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, row: int) -> Any:
        return self._cells[row]

    def __iter__(self) -> Iterator[Any]:
        return (np.asarray(cell) for cell in self._cells)

    def to_list(self) -> list[Any]:
        return list(self._cells)


class DataFrame:
    """A frame of pandas: `columns` may hold anything twice, iterating gives the names."""

    def __init__(self, names: list[Any], cells: list[list[Any]]) -> None:
        self.columns = tuple(names)
        self._columns = [Series(column) for column in cells]

    def __len__(self) -> int:
        return len(self._columns[0]) if self._columns else 0

    def __iter__(self) -> Iterator[Any]:
        return iter(self.columns)

    def __getitem__(self, name: Any) -> Series:
        return self._columns[self.columns.index(name)]


class LazyFrame:
    """As polars': it has columns and no rows."""

    columns = ("text", "label")

    def collect(self) -> DataFrame:
        return DataFrame(["text"], [["a"]])


class ClassLabel:
    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.num_classes = len(names)


class List:
    def __init__(self, feature: Any) -> None:
        self.feature = feature


class Value:
    dtype = "string"


class Dataset:
    """As datasets': columns by name and by position, rows when it is iterated."""

    def __init__(self, columns: dict[str, list[Any]], features: dict[str, Any]) -> None:
        self._columns, self.features = columns, features

    @property
    def column_names(self) -> list[str]:
        return list(self._columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __getitem__(self, key: str | int) -> Any:
        return self._columns[key] if isinstance(key, str) else {n: c[key] for n, c in self._columns.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[row] for row in range(len(self)))


class IterableDataset:
    """As datasets': a stream of rows, with features and no length."""

    def __init__(self, held: Dataset) -> None:
        self._held, self.features, self.column_names = held, held.features, held.column_names

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._held)


class DatasetDict(dict[str, Dataset]):
    @property
    def column_names(self) -> dict[str, list[str]]:
        return {name: held.column_names for name, held in self.items()}


FEATURES = {"text": Value(), "label": ClassLabel(["negative", "positive"])}
REVIEWS = {"text": ["good", "bad", "fine"], "label": [1, 0, 1]}


# Cells


def test_all_that_means_missing_is_none():
    table = read(DataFrame(["text", "label"], [["a", NA, NaT, None], [1.0, math.nan, np.float32("nan"), Decimal(1)]]))
    assert table.columns == {"text": ["a", None, None, None], "label": [1.0, None, None, Decimal(1)]}


@pytest.mark.parametrize("missing", [NA, NaT, None, math.nan])
def test_a_missing_label_is_an_empty_one(missing):
    table = read(DataFrame(["text", "label"], [["a", "b"], ["good", missing]]))
    with pytest.raises(UserError, match="the data given row 2: the label is empty"):
        Labels.discover(table.column("label"), table.where)


def test_cells_of_numpy_become_plain_values():
    cells = [np.int64(1), np.float64(0.5), np.bool_(True), np.str_("a"), np.array([1, 2])]
    for given in ({"x": cells}, [{"x": cell} for cell in cells], DataFrame(["x"], [cells])):
        found = read(given).column("x")
        assert found == [1, 0.5, True, "a", [1, 2]]
        assert [type(cell) for cell in found] == [int, float, bool, str, list]


# Frames


def test_a_frame_of_columns():
    table = read(DataFrame(["text", 1], [["a", "b"], [0, 1]]), needs=("text", "1"))
    assert table.columns == {"text": ["a", "b"], "1": [0, 1]}
    assert table.where(1) == "the data given row 2"
    assert table.notes == []


def test_columns_of_one_name():
    assert refused(DataFrame(["text", "text"], [["a"], ["b"]])) == (
        "the data given: there is more than one column 'text'. Rename or remove it."
    )
    assert "more than one column '1'" in refused(DataFrame([1, "1"], [["a"], ["b"]]))
    assert "more than one column '1'" in refused({1: ["a"], "1": ["b"]})


def test_frames_without_rows():
    assert refused(DataFrame(["text"], [[]])) == "the data given holds no rows."
    message = refused(LazyFrame())
    assert message.startswith("Rows cannot be read from a LazyFrame. Allowed: a path, a mapping of names to columns, ")
    assert message.endswith("rows that are mappings, or a frame of pandas, polars, pyarrow or datasets.")


@pytest.mark.parametrize("wrap", [lambda d: d, IterableDataset])
def test_class_labels_are_their_names(wrap):
    table = read(wrap(Dataset(REVIEWS, FEATURES)), needs=("text", "label"))
    assert table.columns == {"text": REVIEWS["text"], "label": ["positive", "negative", "positive"]}
    assert table.notes == [
        "the data given: 'label' is a ClassLabel: the numbers 0 to 1 were replaced by their names (negative, positive)."
    ]


def test_class_labels_that_are_kept_back_or_wrong():
    table = read(Dataset({"text": ["a", "b", "c"], "label": [-1, 0, None]}, FEATURES))
    assert table.column("label") == [None, "negative", None]
    assert table.notes[0].endswith(" In 1 of 3 rows it is -1, which is no label, and is null there.")
    assert refused(Dataset({"text": ["a", "b"], "label": [0, 2]}, FEATURES)) == (
        "the data given row 2: 'label' is 2, but its ClassLabel has the numbers 0 to 1."
    )


def test_lists_of_class_labels_and_many_names():
    features = {"labels": List(ClassLabel([f"c{i}" for i in range(28)]))}
    table = read(Dataset({"labels": [[27, 0], [], None]}, features))
    assert table.column("labels") == [["c27", "c0"], [], None]
    assert "the numbers 0 to 27 were replaced by their names (c0, c1, c2, c3, c4, ...)." in table.notes[0]


@pytest.mark.parametrize("kind", [DatasetDict, dict])
def test_a_set_of_splits_is_not_a_table(kind):
    splits = kind({name: Dataset(REVIEWS, FEATURES) for name in ("train", "test")})
    assert refused(splits) == (
        "the data given is a set of tables (train, test), not one table. Give one of them, for example data['train']."
    )
    assert refused({"dev": DataFrame(["text"], [["a"]])}).endswith("for example data['dev'].")


# The real ones


@pytest.mark.parametrize("make", [pa.table, pa.RecordBatch.from_pydict])
def test_pyarrow(make):
    columns = {"text": ["a", None], "label": [1, 0], "score": [0.5, math.nan], "labels": [["x"], []]}
    assert read(make(columns)).columns == {**columns, "text": ["a", None], "score": [0.5, None]}
    twice = pa.table([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    assert "more than one column 'text'" in refused(twice)
    assert read({"text": pa.array(["a"]), "label": pa.chunked_array([[1]])}).columns == {"text": ["a"], "label": [1]}


def test_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "text": ["a", "b", None],
            "count": pandas.array([1, None, 3], dtype="Int64"),
            "score": [0.5, np.nan, 1.0],
            "kind": pandas.Categorical(["x", "y", None]),
            "day": [pandas.Timestamp("2020-01-02"), pandas.NaT, pandas.NaT],
        },
        index=[7, 8, 9],
    )
    table = read(frame)
    assert table.columns == {
        "text": ["a", "b", None],
        "count": [1, None, 3],
        "score": [0.5, None, 1.0],
        "kind": ["x", "y", None],
        "day": [pandas.Timestamp("2020-01-02"), None, None],
    }
    assert [type(cell) for cell in table.column("score")] == [float, type(None), float]
    frame.columns = ["text", "text", "score", "kind", "day"]
    assert "more than one column 'text'" in refused(frame)


def test_polars():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"text": ["a", None], "label": [1, 0], "labels": [["x"], []]})
    assert read(frame).columns == {"text": ["a", None], "label": [1, 0], "labels": [["x"], []]}
    assert "Rows cannot be read from a LazyFrame." in refused(frame.lazy())


def test_datasets():
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    held = datasets.Dataset.from_dict(REVIEWS, features=features)
    for source in (held, held.to_iterable_dataset()):
        assert read(source).columns == {"text": REVIEWS["text"], "label": ["yes", "no", "yes"]}
    assert "is a set of tables (train), not one table" in refused(datasets.DatasetDict({"train": held}))


def test_mappings_are_left_alone() -> None:
    """A mapping with a column that is called `columns` or `features` is a mapping all the same."""
    given: Mapping[str, list[Any]] = {"columns": ["a"], "features": [{"label": 1}], "text": ["b"]}
    assert read(given).columns == dict(given)
