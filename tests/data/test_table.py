from __future__ import annotations

import numpy as np
import pytest

from maskwright.base.errors import UserError
from maskwright.data.read import read
from maskwright.data.table import Table, plain


def test_select_keeps_lines_and_order():
    table = Table({"text": ["a", "b", "c"], "label": ["0", "1", "0"]}, "train.csv", [2, 4, 9], ["noted."])
    part = table.select(np.array([2, 0]))
    assert part.columns == {"text": ["c", "a"], "label": ["0", "0"]}
    assert [part.where(i) for i in range(len(part))] == ["train.csv line 9", "train.csv line 2"]
    assert part.where(0, 1) == "train.csv line 9, word 2"
    assert (part.notes, part.source, len(table)) == (["noted."], "train.csv", 3)
    assert len(table.select([])) == 0


def test_a_column_that_is_not_there_is_told_with_what_was_assumed():
    table = Table({"sentence": ["a"], "label": ["0"]}, "train.csv", [2], ["train.csv: comma-separated."])
    with pytest.raises(UserError) as caught:
        table.column("sentense")
    assert str(caught.value) == (
        "train.csv: There is no column 'sentense'. Did you mean 'sentence'? Allowed: label, sentence. "
        "train.csv: comma-separated."
    )


def test_rows_that_are_refused_are_named_together():
    table = Table({"text": list("abcdefgh")}, "train.csv", list(range(2, 10)), [])

    def upper(cell: str) -> str:
        if cell in "bdh":
            raise UserError(f"{cell!r} is none.")
        return cell.upper()

    assert table.select([0, 2]).each(upper, ["a", "c"]) == ["A", "C"]
    for rows, told in (
        ([0, 1], "train.csv line 3: 'b' is none."),
        (range(4), "train.csv line 3: 'b' is none. 1 more row is refused too: train.csv line 5."),
        (range(8), "train.csv line 3: 'b' is none. 2 more rows are refused too: train.csv line 5, train.csv line 9."),
    ):
        with pytest.raises(UserError) as caught:
            (some := table.select(rows)).each(upper, some.column("text"))
        assert str(caught.value) == told


def test_a_table_is_read_as_it_is():
    table = Table({"text": ["a"]}, "train.csv", [2], [])
    assert read(table) is table
    with pytest.raises(UserError, match="There is no column 'label'"):
        read(table, needs=("label",))


def test_columns_in_memory():
    table = read({"text": ("a", "b"), "score": np.array([0.5, 1.0])})
    assert table.columns == {"text": ["a", "b"], "score": [0.5, 1.0]}
    assert type(table.column("score")[0]) is float
    assert table.where(1) == "the data given row 2"


def test_rows_in_memory():
    table = read(row for row in [{"text": "a", "label": 1}, {"text": "b"}])
    assert table.columns == {"text": ["a", "b"], "label": [1, None]}
    assert table.notes == ["the data given: 'label' is missing in 1 of 2 rows (first at row 2) and is null there."]
    assert table.select([1]).where(0) == "the data given row 2"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"text": ["a", "b"], "label": [1]}, "the data given: all columns must have one length, but text has 2, label"),
        ({"text": "ab"}, "the data given: column 'text' is a str; give a list with one cell a row."),
        ({"text": 3}, "column 'text' is a int"),
        ([], "the data given holds no rows."),
        ({}, "the data given holds no rows."),
        ({"text": []}, "the data given holds no rows."),
        ([{"text": "a"}, "b"], "The data given row 2: a str, not a mapping. Allowed: a path, a mapping of names"),
        (7, "Rows cannot be read from a int. Allowed: a path"),
    ],
)
def test_what_holds_no_rows_is_refused(given, told):
    with pytest.raises(UserError) as caught:
        read(given)
    assert told in str(caught.value)


def test_cells_of_frames_are_plain_all_the_way_down():
    """As pandas holds the answers of SQuAD's Parquet files: arrays inside of mappings."""
    cell = {"text": np.array(["Ada"], object), "answer_start": np.array([3], np.int32)}
    found = plain([cell, np.float64("nan"), "x"])
    assert found == [{"text": ["Ada"], "answer_start": [3]}, None, "x"]
    assert type(found[0]["answer_start"][0]) is int
