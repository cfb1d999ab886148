"""Questions with choices, however a file says them."""

from __future__ import annotations

from typing import Any

import pytest

from maskwright.base.errors import UserError
from maskwright.data.choices import Choices, choices, counted_from, right

FOUR = Choices(("red", "blue", "green", "7"))
NAMED = Choices(("red", "blue", "green"), ("1", "2", "A"))


@pytest.mark.parametrize(
    ("cells", "columns", "found"),
    [
        ([["a", "b"]], ["choices"], (("a", "b"), None)),
        ([{"text": ["a", "b"], "label": ["A", "B"]}], ["choices"], (("a", "b"), ("A", "B"))),
        (['["a", "b"]'], ["choices"], (("a", "b"), None)),
        (['{"text": ["a", "b"], "label": ["1", "2"]}'], ["choices"], (("a", "b"), ("1", "2"))),
        (["a", "b", "c", ""], ["A", "B", "C", "D"], (("a", "b", "c"), None)),
        (["a", 5, None, None], ["A", "B", "C", "D"], (("a", "5"), None)),
    ],
)
def test_choices_of_a_row(cells: list[Any], columns: list[str], found: tuple[Any, Any]) -> None:
    assert tuple(choices(cells, columns)) == found


@pytest.mark.parametrize(
    ("cells", "columns", "said"),
    [
        ([["a"]], ["choices"], "there is 1 choice in 'choices'"),
        (["a", "", "c"], ["A", "B", "C"], "the choice in the column 'B' is ''"),
        (["a", ""], ["A", "B"], "it takes two or more"),
        (["plain text"], ["choices"], "give a list of texts"),
        (["[1, "], ["choices"], "begin like JSON"),
        ([{"text": ["a", "b"], "label": ["A"]}], ["choices"], "2 choices and 1 names"),
        ([{"text": ["a", "b"], "label": ["A", "A"]}], ["choices"], "give each choice one of its own"),
    ],
)
def test_what_are_no_choices(cells: list[Any], columns: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        choices(cells, columns)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("label", "given", "first", "place"),
    [
        ("B", FOUR, "auto", 1), ("b", FOUR, 0, 1), ("2", FOUR, 1, 1), (2, FOUR, 0, 2), (2.0, FOUR, 1, 1),
        ("green", FOUR, 1, 2), (" blue ", FOUR, 1, 1), ("7", FOUR, "text", 3), ("A", NAMED, 1, 2), ("2", NAMED, 0, 1),
    ],
)  # fmt: skip
def test_the_right_one(label: Any, given: Choices, first: Any, place: int) -> None:
    assert right(label, given, first) == place


@pytest.mark.parametrize(
    ("label", "said"), [("E", "a letter up to D"), ("5", "names none"), ("yellow", "'yellow'"), ("", "is empty")]
)
def test_what_names_no_choice(label: Any, said: str) -> None:
    with pytest.raises(UserError) as caught:
        right(label, FOUR, 1)
    assert said in str(caught.value)
    with pytest.raises(UserError, match="one of 1, 2, A"):
        right("red", NAMED._replace(texts=("x", "y", "z")), 1)


def test_where_counting_begins() -> None:
    assert counted_from(["A", "1", "B"], [FOUR] * 3) == 1
    assert counted_from(["0", "3", "1"], [FOUR] * 3) == 0
    assert counted_from([4, 1], [FOUR] * 2) == 1
    assert counted_from(["red"], [FOUR]) == 1
    mixed = [Choices(("2", "3", "4")), Choices(("yes", "no")), Choices(("2", "3", "4"))]
    assert counted_from(["3", "yes", "4"], mixed) == "text"  # "yes" can be nothing else, so 3 is no place
    sums = Choices(("3", "4", "12"))
    assert counted_from(["12", "4"], [sums] * 2) == "text"
    with pytest.raises(UserError, match=r"numbers from 1 to 2, .*task\.first=0, 1\."):
        counted_from(["1", "2"], [FOUR] * 2)
    with pytest.raises(UserError, match="or text, since the choices are numbers too"):
        counted_from(["3"], [sums])


def test_choices_that_are_letters_are_named_by_their_text() -> None:
    blood = Choices(("A", "O", "B", "AB"))
    assert counted_from(["B", "O", "AB"], [blood] * 3) == "text"
    assert right("B", blood, "text") == 2
    assert counted_from(["B", "D"], [blood] * 2) == 1  # a D is no blood group, so letters are places
    assert right("O", blood, 1) == 1  # no place has this letter
