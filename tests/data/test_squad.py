"""SQuAD's JSON, and answers however a row says them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from maskwright.base.errors import UserError
from maskwright.data.answered import answered
from maskwright.data.read import read

CONTEXT = "Ada Lovelace met Babbage in London, and London was wet."


def squad(*questions: dict[str, Any]) -> str:
    return json.dumps(
        {"version": "v2.0", "data": [{"title": "Ada", "paragraphs": [{"context": CONTEXT, "qas": questions}]}]}
    )


def test_a_row_is_a_question(file):
    made = squad(
        {
            "id": "1",
            "question": "Who?",
            "answers": [{"text": "Ada Lovelace", "answer_start": 0}],
            "is_impossible": False,
        },
        {"id": "2", "question": "When?", "answers": [], "is_impossible": True, "plausible_answers": [{"text": "wet"}]},
    )
    table = read(file("a.json", made))
    assert table.columns == {
        "question": ["Who?", "When?"],
        "context": [CONTEXT, CONTEXT],
        "answers": [[{"text": "Ada Lovelace", "answer_start": 0}], []],
        "id": ["1", "2"],
        "title": ["Ada", "Ada"],
    }
    assert table.where(1).endswith("question 2 (2)")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1, 2]", "is JSON, but not in the form of SQuAD"),
        ("{", "is no JSON"),
        ('{"data": [{"title": "x"}]}', "article 1 has no list of paragraphs"),
        ('{"data": [{"paragraphs": [{"context": "c", "qas": [{"question": 3}]}]}]}', "is no text"),
        (
            '{"data": [{"paragraphs": [{"context": "\\ud83d", "qas": [{"question": "q", "id": "x"}]}]}]}',
            "article 1, question 'x': an escape \\ud800 to \\udfff stands without its partner",
        ),
    ],
)
def test_what_does_not_hold_together(file, fails, content, said):
    assert said in fails(file("a.json", content))


@pytest.mark.parametrize(
    "cell",
    [
        [{"text": "London", "start": 28}],
        [{"text": "London", "answer_start": 28}],
        {"text": ["London"], "answer_start": [28]},
        {"text": ["London"]},
        ["London"],
        "London",
        '[{"text": "London", "start": 28}]',
    ],
)
def test_however_a_row_says_it(cell: Any) -> None:
    found = answered(CONTEXT, cell)
    assert (found.answers, found.texts, found.moved) == (((28, 34),), ["London"], 0)


def test_an_answer_that_stands_elsewhere_is_found_and_counted() -> None:
    found = answered(CONTEXT, [{"text": "London", "start": 38}])
    assert (found.answers, found.moved) == (((40, 46),), 1)


def test_the_first_place_that_is_a_word_of_its_own_is_taken() -> None:
    assert answered("Adair met Ada", "Ada").answers == ((10, 13),)
    assert answered("Adair met Ada", [{"text": "Ada", "start": 0}]).answers == ((0, 3),)
    assert answered("Adair", "Ada").answers == ((0, 3),)  # better than none
    assert answered("रामायण में राम", "राम").answers == ((11, 14),)
    assert answered("cafe\u0301 is not a cafe", "cafe").answers == ((15, 19),)
    assert answered("x = [] is empty", "[]").answers == ()
    assert answered("x = [] is empty", ["[]"]).answers == ((4, 6),)


@pytest.mark.parametrize("cell", ["", [], {"text": [], "answer_start": []}, " "])
def test_none(cell: Any) -> None:
    assert answered(CONTEXT, cell).answers == ()


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (["Paris"], "the answer 'Paris' does not stand in the context."),
        (None, "there are no answers. A question that has none has an empty list of them."),
        ([""], "an answer is empty."),
        (3, "the answers are 3; give a list"),
        ([{"text": "London", "start": -1}], "starts at -1"),
        ([{"start": 1}], "has no text"),
        ('["London', "begin like JSON and are none"),
        ({"text": ["London"], "answer_start": []}, "1 texts of answers and 0 starts"),
    ],
)
def test_what_is_no_answer(cell: Any, said: str) -> None:
    with pytest.raises(UserError) as caught:
        answered(CONTEXT, cell)
    assert said in str(caught.value)


@pytest.mark.realdata
def test_real_sets(data: Path) -> None:
    for name, count in (
        ("squad2_dev_cs224n/dev-v2.0.json", 6078),
        ("xquad/xquad.en.json", 1190),
        ("xquad/xquad.zh.json", 1190),
    ):
        table = read(data / name)
        assert len(table) == count
        found = [answered(*row) for row in zip(table.columns["context"], table.columns["answers"], strict=True)]
        assert sum(one.moved for one in found) == 0
        if count == 6078:
            assert sum(not one.answers for one in found) == 3168


def test_white_space_around_an_answer_is_no_part_of_it() -> None:
    found = answered("She lives in Paris ", [{"text": " Paris ", "start": 12}])
    assert (found.texts, found.moved) == (["Paris"], 0)
    assert answered("See [citation needed] here", "[citation needed]").texts == ["[citation needed]"]


def test_what_does_not_fit_together_is_told(file):
    ada = {"text": "Ada", "answer_start": 0}
    made = squad(
        {"id": "1", "question": "Who?", "answers": [ada], "is_impossible": True},
        {"id": "1", "question": "When?", "answers": []},
    )
    one, two = read(file("a.json", made)).notes
    assert "is_impossible says otherwise than the answers of 1 question (first question 1)" in one
    place = file("a.json", made)
    assert (
        two == f"{place}: 1 id stands at several questions: '1' at {place} question 1 (1) and {place} question 2 (1)."
    )
