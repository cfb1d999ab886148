from __future__ import annotations

import pytest

from maskwright.data.read import read
from maskwright.data.settings import Data


def test_header_only(file, fails):
    path = file("a.csv", "text,label\n")
    assert fails(path, needs=("text",)) == f"{path} has a header (text, label) and no rows."
    assert "If its one line is a row, state --set data.header=false." in fails(path)
    assert len(read(path, settings=Data(header=False))) == 1


def test_no_header_when_columns_are_asked_for_by_number(file):
    path = file("train.tsv", "a fine film\t1\na dull film\t0\n")
    table = read(path, needs=("1", "2"))
    assert table.columns == {"1": ["a fine film", "a dull film"], "2": ["1", "0"]}
    assert table.lines == [1, 2]
    assert table.notes == [f"{path}: tab-separated, no header (columns are named 1, 2), quoting off."]


def test_a_number_that_is_also_a_cell_of_the_first_row_makes_no_header(file):
    assert len(read(file("a.tsv", "1\tgood\n0\tbad\n"), needs=("1", "2"))) == 2


def test_a_header_of_numbers(file):
    table = read(file("a.csv", "0,1\ngood,1\nbad,0\n"), needs=("0", "1"))
    assert table.columns == {"0": ["good", "bad"], "1": ["1", "0"]}
    assert "was guessed" in table.notes[1]


def test_numbers_for_a_file_that_has_a_header(file, fails):
    path = file("a.csv", "text,label\n" + "good,pos\nbad,neg\n" * 8)
    message = fails(path, needs=("1", "2"))
    assert "a.csv line 1 reads like a header (text, label), but columns are asked for by number (1, 2)" in message
    assert "--set data.header=false" in message
    assert len(read(path, settings=Data(header=False), needs=("1", "2"))) == 17


def test_names_that_are_all_there_make_a_header_whatever_else_stands_in_it(file):
    long = "x" * 80
    table = read(file("a.csv", f"text,7,{long}\na,b,c\n"), needs=("text",))
    assert list(table.columns) == ["text", "7", long]
    assert len(table.notes) == 1


def test_one_name_that_is_there_makes_the_other_an_error_with_the_nearest(file, fails):
    message = fails(file("a.csv", "sentence,label\na,b\n"), needs=("sentense", "label"))
    assert "There is no column 'sentense'. Did you mean 'sentence'? Allowed: label, sentence." in message


@pytest.mark.parametrize(
    ("rows", "has_header"),
    [
        (["text,label", "good,1", "bad,0"], True),
        (["good,1", "bad,0", "worse,0"], False),  # a number
        (["x,", "y,b"], False),  # an empty cell
        (["a,a", "b,c"], False),  # twice the same
        (["a" * 64 + ",pos", "b,neg"], False),  # too long for a name
        (["so good,pos", *["fine,pos", "bad,neg"] * 5], False),  # its cell is one of the column's few values
        (["text,label", *["fine,pos", "bad,neg"] * 5], True),
        ([",text", "0,good", "1,bad"], True),  # an index column without a name
    ],
)
def test_the_guess_and_its_note(file, rows, has_header):
    table = read(file("a.csv", "\n".join(rows) + "\n"))
    assert len(table) == len(rows) - has_header
    assert [n for n in table.notes if "guessed" in n and "--set data.header=true or --set data.header=false" in n]
    stated = read(file("a.csv", "\n".join(rows) + "\n"), settings=Data(header=has_header))
    assert stated.columns == table.columns
    assert not [n for n in stated.notes if "guessed" in n]


def test_an_index_column_without_a_name_is_named_by_its_number(file):
    assert list(read(file("a.csv", ",text\n0,a\n"), needs=("text",)).columns) == ["1", "text"]


def test_a_name_that_stands_twice(file, fails):
    assert "line 1: the header names 'text' more than once." in fails(
        file("a.csv", "text,text\na,b\n"), needs=("text",)
    )


def test_a_header_that_comes_again_is_noted(file):
    path = file("a.csv", "text,label\na,1\ntext,label\nb,0\n")
    table = read(path, needs=("text",))
    assert table.column("text") == ["a", "text", "b"]
    assert table.notes[1] == f"{path}: line 3 repeats the header; it was read as a row (1 in all)."


def test_names_for_a_file_without_a_header(file, fails):
    stated = Data(columns=("text", "label"))
    table = read(file("a.csv", "good,1\nbad,0\n"), settings=stated, needs=("label",))
    assert table.columns == {"text": ["good", "bad"], "label": ["1", "0"]}
    assert len(read(file("b.csv", "text,label\ngood,1\n"), settings=stated)) == 1  # they stand in line 1 after all
    assert "line 1: 3 cells, but data.columns has 2 names (text, label)." in fails(
        file("c.csv", "a,b,c\n"), settings=stated
    )
    assert "State one of the two." in fails(
        file("d.csv", "a,b\n"), settings=Data(columns=("text", "label"), header=True)
    )
