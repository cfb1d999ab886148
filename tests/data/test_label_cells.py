from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.errors import UserError
from maskwright.data.label_cells import indicator_lists, label_lists

WORDS = st.lists(st.sampled_from(["anger", "joy", "fear", "no one", "über", "27"]), unique=True, max_size=4)


def where(row: int) -> str:
    return f"train.csv line {row + 2}"


def refused(cells, separator: str = ",") -> str:
    with pytest.raises(UserError) as caught:
        label_lists(cells, separator, where)
    return str(caught.value)


@given(rows=st.lists(WORDS, min_size=1), separator=st.sampled_from([",", ";", "|", " / ", "\t"]))
def test_a_list_and_a_text_of_the_same_labels_are_the_same(rows, separator):
    assert label_lists(rows, separator, where) == rows
    assert label_lists([separator.join(row) for row in rows], separator, where) == rows
    assert label_lists([f" {separator} ".join(row) for row in rows], separator.strip() or separator, where) == rows


@pytest.mark.parametrize("empty", [None, "", "  ", [], (), np.array([]), float("nan"), np.float32("nan")])
def test_an_empty_cell_is_no_label(empty):
    assert label_lists([empty], ",", where) == [[]]
    assert label_lists([["joy"], empty], ",", where) == [["joy"], []]


def test_whole_numbers_are_labels_as_they_stand():
    assert label_lists([27, np.int64(3), "4,27"], ",", where) == [["27"], ["3"], ["4", "27"]]
    listed = [[27], [4, np.int32(0)], np.array([1, 2]), (5,)]
    assert label_lists(listed, ",", where) == [["27"], ["4", "0"], ["1", "2"], ["5"]]


def test_a_separator_in_a_list_is_part_of_the_name():
    assert label_lists([["joy, great"]], ",", where) == [["joy, great"]]


@pytest.mark.parametrize("cell", ["joy", 3, "joy,anger"])
def test_lists_in_some_rows_and_not_in_others(cell):
    message = refused([None, ["joy"], cell])
    kind = type(cell).__name__
    assert message == (
        f"train.csv line 4: the labels are {cell!r}, a {kind}, but those of train.csv line 3 are a list. Write all "
        "rows one way."
    )


def test_names_and_numbers_in_one_list():
    assert refused([["joy", "anger"], ["joy", 3]]) == (
        "train.csv line 3: the labels ['joy', 3] mix names and numbers. Write all of them one way."
    )


@pytest.mark.parametrize(
    ("cell", "value"),
    [(0.5, 0.5), ([0.5], 0.5), ([1.0, 0.0], 1.0), (True, True), ([False], False), ([["joy"]], ["joy"]), ({}, {})],
)
def test_a_label_that_is_no_name(cell, value):
    message = refused(["joy", cell] if not isinstance(cell, list) else [["joy"], cell])
    kind = type(value).__name__
    assert message.startswith(f"train.csv line 3: the label {value!r} is a {kind}. A label is a text or a whole number")
    assert "give columns of 0 and 1 and name them in task.labels" in message


@pytest.mark.parametrize("value", ["", " ", None, float("nan")])
def test_an_empty_label_in_a_list(value):
    assert refused([["joy", value]]).startswith("train.csv line 2: one of the labels is empty.")


@pytest.mark.parametrize("cell", ["joy,,anger", "joy,", ",joy", ","])
def test_a_separator_too_many(cell):
    assert refused(["joy", cell]) == (
        f"train.csv line 3: one of the labels in {cell!r} is empty. Remove the ',' that is too many."
    )


@pytest.mark.parametrize("cell", ["['joy', 'anger']", '["joy"]', "[]", "[4, 27]", " ['joy']"])
def test_a_list_that_was_written_as_a_text(cell):
    message = refused([cell])
    assert message.startswith(f"train.csv line 2: the labels are {cell!r}, a list that was written as a text.")
    assert "Write the labels alone with ',' between them" in message


def test_brackets_alone_are_no_list():
    assert label_lists(["[other],joy", "[other]"], ",", where) == [["[other]", "joy"], ["[other]"]]


def test_a_label_that_stands_twice():
    assert refused(["joy", "joy, anger,joy"]) == (
        "train.csv line 3: the label 'joy' stands twice in 'joy, anger,joy'. Name each label once."
    )
    assert refused([[0, 1, 0]]) == (
        "train.csv line 2: the label '0' stands twice in [0, 1, 0]. Name each label once. For a 0 or 1 a label, give "
        "columns of them and name these in task.labels."
    )


YES = [1, "1", True, "true", "TRUE", " 1 ", 1.0, np.int64(1), np.bool_(True), np.float32(1)]
NO = [0, "0", False, "false", "False", "0 ", 0.0, np.int64(0), np.bool_(False), np.float32(0)]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1), st.integers(0, 9), st.integers(0, 9))
def test_indicators_in_all_their_spellings(rows, yes, no):
    columns = {name: [YES[yes] if row[i] else NO[no] for row in rows] for i, name in enumerate(("joy", "fear"))}
    wanted = [[name for name, said in zip(columns, row, strict=True) if said] for row in rows]
    assert indicator_lists(columns, where) == wanted


@pytest.mark.parametrize("cell", [2, -1, 0.7, "yes", "", None, "1.5", [1], "joy", float("nan"), {"a": 1}])
def test_a_cell_that_is_no_indicator(cell):
    with pytest.raises(UserError) as caught:
        indicator_lists({"joy": [1, 0, 1], "fear": [0, cell, 1]}, where)
    assert str(caught.value) == (
        f"train.csv line 3: the indicator 'fear' holds {cell!r}. Allowed: 0, 1, false, true. A column that holds the "
        "labels themselves is named by task.label, not in task.labels."
    )
