from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.errors import UserError
from maskwright.data.labels import Labels


def where(row: int) -> str:
    return f"train.csv line {row + 2}"


@given(st.lists(st.sampled_from(["no", "yes", "maybe", "10", "9"]), min_size=2).filter(lambda v: len(set(v)) > 1))
def test_encoding_is_undone_by_names_and_order_does_not_depend_on_rows(values):
    labels = Labels.discover(values, where)
    codes = labels.encode(values, where)
    assert codes.dtype == np.int64
    assert [labels[i] for i in codes] == values
    assert labels == Labels.discover(reversed(values), where)
    assert len(labels) == len(set(values))


def test_order_is_numeric_only_when_all_are_integers():
    assert Labels.discover(["10", "9", "-1"], where).names == ("-1", "9", "10")
    assert Labels.discover(["10", "9", "x"], where).names == ("10", "9", "x")
    assert Labels.discover([10, 9, "9"], where).names == ("9", "10")


def test_types_of_json_are_named_as_in_the_file():
    labels = Labels.discover([True, False], where)
    assert labels.names == ("false", "true")
    assert labels.encode([True, "true", np.bool_(False)], where).tolist() == [1, 1, 0]
    assert Labels.discover([0, np.int64(1)], where).names == ("0", "1")


def test_one_class_only():
    with pytest.raises(UserError) as caught:
        Labels.discover(["1", "1", "1"], where)
    assert str(caught.value).startswith("All 3 rows have the label '1' (train.csv line 2 onwards); a classifier needs")
    with pytest.raises(UserError, match="no rows were given"):
        Labels.discover([], where)


@pytest.mark.parametrize("empty", ["", "  ", None, float("nan")])
def test_an_empty_label_names_its_line(empty):
    with pytest.raises(UserError, match=r"train\.csv line 4: the label is empty"):
        Labels.discover(["a", "b", empty], where)
    with pytest.raises(UserError, match=r"train\.csv line 3: the label is empty"):
        Labels(("a", "b")).encode(["a", empty], where)


def test_labels_that_differ_only_in_spaces():
    with pytest.raises(UserError, match=r"train\.csv line 4: the labels 'pos ' and 'pos' differ only in spaces"):
        Labels.discover(["pos", "neg", "pos "], where)


def test_a_label_that_is_no_name():
    with pytest.raises(UserError, match=r"line 3: the label is \['a'\], a list"):
        Labels.discover(["a", ["a"]], where)


def test_a_label_that_is_not_in_the_set():
    labels = Labels(("negative", "positive"))
    with pytest.raises(UserError) as caught:
        labels.encode(["positive", "positve", "negative", "positve"], where)
    assert str(caught.value) == (
        "train.csv line 3: There is no label 'positve'. Did you mean 'positive'? Allowed: negative, positive. "
        "It stands in 2 rows."
    )
    with pytest.raises(UserError, match=r"1 row\. 1 other label is not in the set either"):
        labels.encode(["x", "y", "y"], where)
    with pytest.raises(UserError, match="2 other labels are not in the set either"):
        labels.encode(["x", "y", "z"], where)
