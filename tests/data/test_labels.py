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


# Texts of the world


@pytest.mark.parametrize(
    "names",
    [
        ("👍", "👎", "👨‍👩‍👧"),
        ("سلبي", "إيجابي"),
        ("שלילי", "חיובי"),
        ("ดี", "ไม่ดี"),
        ("bon", "mauvais", "e\u0301tonnant"),
        ("a b", "a  b"),
        ("\u200fx", "y"),
    ],
)
def test_labels_in_any_script_are_kept_as_they_are(names):
    labels = Labels.discover(names, where)
    assert set(labels.names) == set(names)
    assert [labels[i] for i in labels.encode(names, where)] == list(names)


def test_two_spellings_of_one_text():
    composed, apart = "caf\u00e9", "cafe\u0301"
    told = (
        "the labels 'cafe\\u0301' and 'caf\\xe9' are one text, cafe\u0301, in two spellings of Unicode: a letter and "
        "its mark are one character or two. Write both the same way, for example in the form NFC."
    )
    with pytest.raises(UserError) as caught:
        Labels.discover(["bar", composed, apart], where)
    assert str(caught.value) == f"train.csv line 4: {told}"
    with pytest.raises(UserError) as caught:
        Labels.discover(["bar", composed], where).encode(["bar", apart], where)
    assert str(caught.value) == f"train.csv line 3: {told}"


def test_numbers_and_truths_as_texts_and_as_themselves():
    labels = Labels.discover(["1", 0, "0", 1], where)
    assert labels.names == ("0", "1")
    assert labels.encode([1, "0"], where).tolist() == [1, 0]
    assert Labels.discover([True, "false"], where).names == ("false", "true")


# Columns that hold no classes


def test_a_column_of_texts_or_amounts_is_no_set_of_classes():
    with pytest.raises(UserError) as caught:
        Labels.discover([f"text {i}" for i in range(100_000)], where)
    assert str(caught.value) == (
        "train.csv line 2 onwards: 100,000 different labels stand in 100,000 rows, 100,000 of them in one row only "
        "('text 0', 'text 1', 'text 2', ...). A classifier needs classes that come again: check which column holds "
        "the label; for numbers use --task regression."
    )
    with pytest.raises(UserError, match="61 of them in one row only"):
        Labels.discover([*(str(i / 7) for i in range(61)), *["0.5"] * 59], where)


@pytest.mark.parametrize(
    ("classes", "rows_each"), [(150, 100), (150, 2), (20, 1), (2, 1), (21, 2)], ids=lambda n: str(n)
)
def test_many_classes_and_few_rows_are_no_hindrance(classes, rows_each):
    assert len(Labels.discover([f"intent {i}" for i in range(classes)] * rows_each, where)) == classes


def test_rare_classes_beside_common_ones_are_no_hindrance():
    assert len(Labels.discover([*(f"rare {i}" for i in range(100)), *["common"] * 100], where)) == 101


# What is allowed and doubtful


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (
            ("NEG", "Pos", "neg", "pos"),
            "The labels 'NEG' and 'neg', and 'Pos' and 'pos' differ only in upper and lower case; they are separate "
            "classes.",
        ),
        (tuple("ABCDEabcde"), "'C' and 'c' differ only in upper and lower case (and 2 more such pairs); they are"),
        (("1", "1.0", "2"), "The labels '1' and '1.0' differ only in how the number is written; they are"),
        (("01", "1"), "The labels '01' and '1' differ only in how the number is written"),
        (("a b", "a\u00a0b"), "The labels 'a b' and 'a\\xa0b' differ only in spaces or characters that cannot"),
        (("go", "g\u200bo"), "The labels 'go' and 'g\\u200bo' differ only in spaces or characters that cannot be seen"),
        (("❤", "❤\ufe0f"), "The labels '\\u2764' and '\\u2764\\ufe0f' differ only in spaces or characters"),
        (("02", "1", "2"), "The labels '02' and '2' differ only in how the number is written"),
        (("Pos", "neg", "pos "), "The labels 'Pos' and 'pos ' differ only in upper and lower case and in spaces; they"),
        (("False", "True", "true"), "The labels 'True' and 'true' differ only in upper and lower case"),
        (("nan", "neg"), "The label 'nan' looks like a missing value; it is a class here. Remove such rows if it is"),
        (("1", "2", "NaN"), "The label 'NaN' looks like a missing value"),
        (("N/A", "None", "null", "x"), "The labels 'N/A', 'None', 'null' look like a missing value"),
        (("0.5", "1", "2.0"), "All 3 labels are numbers, some with fractions (0.5): if they are amounts and not"),
    ],
)
def test_labels_that_are_nearly_one_are_allowed_and_doubtful(names, told):
    notes = Labels.discover(names * 2, where).doubtful()
    assert len(notes) == 1
    assert told in notes[0]


def test_each_doubtful_label_is_told_once_and_with_its_rows():
    labels = Labels(("NEG", "Pos", "neg", "pos "))
    assert labels.doubtful([3, 1200, 40, 1]) == [
        "The labels 'NEG' (3 rows) and 'neg' (40 rows) differ only in upper and lower case; they are separate classes.",
        "The labels 'Pos' (1,200 rows) and 'pos ' (1 row) differ only in upper and lower case and in spaces; they are "
        "separate classes.",
    ]


@pytest.mark.parametrize("names", [("neg", "pos"), ("0", "1"), ("1.0", "2.0"), ("a", "0.5"), ("👍", "👎"), ("a", "á")])
def test_plain_labels_are_not_doubtful(names):
    assert Labels.discover(names, where).doubtful() == []
