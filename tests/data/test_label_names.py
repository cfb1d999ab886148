from __future__ import annotations

import pytest

from maskwright.base.errors import UserError
from maskwright.data.label_names import check_names, name_ids, read_names

NAMES = ("anger", "joy", "neutral")


def where(row: int) -> str:
    return f"train.tsv line {row + 1}"


@pytest.mark.parametrize(
    "content", ["anger\njoy\nneutral", "anger\njoy\nneutral\n\n", "\ufeffanger\r\n joy \r\nneutral\r\n"]
)
def test_a_file_of_names_is_read_by_line(file, content):
    assert read_names(file("labels.txt", content)) == NAMES


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", " holds no names; give two or more, one a line."),
        ("joy\n", " holds one name; give two or more, one a line."),
        ("anger\n\njoy", " line 2: the label 1 has no name. Fill it: ids count the lines, so none can be left out."),
        ("anger\njoy\n0\n", " line 3: the label 2 is called '0', which looks like an id. Give it another name."),
        ("anger\njoy\nanger ", " line 3: the labels 0 and 2 are both called 'anger'. Rename one."),
    ],
)
def test_a_file_that_names_nothing_is_told_with_its_line(file, content, told):
    path = file("labels.txt", content)
    with pytest.raises(UserError) as caught:
        read_names(path)
    assert str(caught.value) == f"{path}{told}"


def test_a_file_that_is_not_there(tmp_path):
    (tmp_path / "labels.txt").write_text("a\nb")
    with pytest.raises(UserError, match=r"There is no file '.*label\.txt'\. Did you mean '.*labels\.txt'\?"):
        read_names(tmp_path / "label.txt")


def test_names_are_as_good_from_a_list_as_from_a_file():
    assert check_names([" anger", "joy", "neutral"], "task.names") == NAMES
    with pytest.raises(UserError, match=r"task\.names line 2: the label 1 has no name"):
        check_names(["anger", ""], "task.names")


def test_an_id_gets_its_name_and_a_name_keeps_it():
    given = ["2", 0, " 1 ", "joy", " neutral"]
    assert name_ids(given, NAMES, where) == ["neutral", "anger", "joy", "joy", "neutral"]


@pytest.mark.parametrize("empty", [None, "", "  ", float("nan")])
def test_an_empty_label_is_left_to_others(empty):
    (found,) = name_ids([empty], NAMES, where)
    assert found is empty


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (3, "There is no label '3'. Allowed: anger, joy, neutral. An id is one of 0 to 2."),
        ("-1", "There is no label '-1'."),
        ("angr", "There is no label 'angr'. Did you mean 'anger'?"),
        (1.0, "There is no label '1.0'."),
        (True, "There is no label 'True'."),
        (["joy"], "There is no label \"['joy']\"."),
    ],
)
def test_what_is_neither_id_nor_name_is_told_with_its_line(given, told):
    with pytest.raises(UserError) as caught:
        name_ids(["joy", given], NAMES, where)
    assert str(caught.value).startswith("train.tsv line 2: " + told)
