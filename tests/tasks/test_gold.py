"""Rows of taggers that do not hold together, or hold less than they seem to: each said with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maskwright.base.choice import resolve
from maskwright.base.errors import UserError
from maskwright.data.labels import Labels
from maskwright.data.read import read
from maskwright.data.tagged import words_in
from maskwright.tasks import Task
from maskwright.tasks.tagging import Tagging

NAMES = ("O", "B-person", "I-person", "B-place", "I-place")
TEXT = "Ada met Babbage."


def gold(given: Any, labels: Labels | None = None, **options: Any) -> tuple[list[Any], tuple[str, ...]]:
    """The spans of each row, and what was said."""
    made, table = resolve(Task, {"name": "tagging", **options}), read(given)
    assert isinstance(made, Tagging)
    names = labels or made.discover(table)
    examples = made.settled_on(names).examples(table, names)
    assert examples.targets is not None
    return [list(each.spans) for each in examples.targets], examples.said


@pytest.mark.parametrize(
    ("text", "label", "said"),
    [
        (
            TEXT,
            [{"start": 0, "end": 3, "label": None}],
            "row 1: the span from 0 to 3 has the label None; give its name",
        ),
        (TEXT, [[0, 3, None]], "the span from 0 to 3 has the label None"),
        (TEXT, [[0, 3, float("nan")]], "the span from 0 to 3 has the label None"),
        (TEXT, [{"start": 0, "end": 3, "label": " "}], "the span from 0 to 3 has the label ' '"),
        (["Ada", "", "met"], ["B-x", "O", "O"], "row 1: word 2 has no character"),
        (["a", "b"], ["O", ""], "row 1: the tag of word 2 is missing."),
        (["a", "b"], [float("nan"), "O"], "the tag of word 1 is missing."),
    ],
)
def test_what_does_not_hold_together(text: Any, label: Any, said: str) -> None:
    with pytest.raises(UserError) as caught:
        gold({"text": [text], "label": [label]})
    assert said in str(caught.value)


def test_words_with_white_space_are_counted() -> None:
    given = {"text": [["Bo", "met"], ["New York", "is", "\u00a0"]], "label": [["B-p", "O"], ["B-l", "O", "O"]]}
    spans, said = gold(given)
    assert spans[1] == [(0, 8, "l")]
    assert said[1] == (
        "2 words with white space inside (first at the data given row 2, word 1): each is read as one word with one "
        "tag, and in a text that comes without its words it is not found again."
    )


@pytest.mark.parametrize(
    "sign",
    [
        "e\u0301",  # an accent of its own
        "\u0928\u093f",  # Devanagari ni: a vowel sign
        "\u0e01\u0e35",  # Thai ki, and kam, whose vowel is a letter to Unicode
        "\u0e01\u0e33",
        "\u1112\u1161\u11ab",  # Hangul in parts, as some file systems write it
        "\u260e\ufe0e",  # a telephone in black and white
        "1\ufe0f\u20e3",  # a keycap
        "\U0001f44d\U0001f3fd",  # a thumb with a skin tone
        "\U0001f1e9\U0001f1ea",  # the flag of Germany
        "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",  # and that of Wales
        "\U0001f469\u200d\U0001f4bb",
    ],
)
def test_a_span_has_whole_characters(sign: str) -> None:
    text = f"a{sign}{sign}b"
    for at in range(2, 1 + len(sign)):
        with pytest.raises(UserError, match=f"the span from 0 to {at} cuts a character in two"):
            gold({"text": [text], "label": [[[0, at, "x"]]]})
        with pytest.raises(UserError, match=f"the span from {at} to {len(text)} cuts a character in two"):
            gold({"text": [text], "label": [[[at, len(text), "x"]]]})
    middle = 1 + len(sign)
    spans, _ = gold({"text": [text], "label": [[[1, middle, "x"], [middle, middle + len(sign), "x"]]]})
    assert spans == [[(1, middle, "x"), (middle, middle + len(sign), "x")]]


def test_a_word_may_end_with_a_joiner() -> None:
    """As Malayalam's last consonants were written before they had letters of their own."""
    text = "\u0d05\u0d35\u0d28\u0d4d\u200d, \u0d35\u0d28\u0d4d\u0d28\u0d41"
    spans, _ = gold({"text": [text], "label": [[[0, 5, "x"]]]})
    assert spans == [[(0, 5, "x")]]
    assert words_in(text, "signs").tolist() == [[0, 5], [5, 6], [7, 12]]
    with pytest.raises(UserError, match="from 0 to 4 cuts a character in two"):
        gold({"text": [text], "label": [[[0, 4, "x"]]]})


def test_only_a_token_with_more_words_than_letters_is_several_at_one_place() -> None:
    given = {"text": ["à b"], "words": [[[0, 1], [0, 1], [2, 3]]], "label": [["P", "D", "N"]]}
    assert gold(given, kind="words")[0] == [[]]
    for twice in ([[0, 2], [0, 2]], [[0, 2], [0, 2], [1, 2]]):
        with pytest.raises(UserError, match="do not lie in a text"):
            gold({"text": ["ab"], "words": [twice], "label": [["P", "D", "N"][: len(twice)]]}, kind="words")


def test_a_mark_that_stands_alone_is_a_character() -> None:
    """As a tweet's tokenizer leaves it."""
    spans, _ = gold({"text": ["so \ufe0f good"], "label": [[[3, 4, "x"]]]})
    assert spans == [[(3, 4, "x")]]


def test_of_mixed_schemes_what_breaks_the_one_that_is_told_is_counted() -> None:
    mixed = [["B-p", "E-p"], ["B-p", "L-p"], ["S-p", "O"]]
    spans, said = gold({"text": [["Ada", "L"], ["Bo", "M"], ["Cy", "N"]], "label": mixed})
    assert [len(row) for row in spans] == [1, 1, 1]
    assert said[0] == "the tags are in BILOU, as their marks tell."
    assert said[1].startswith("2 spans are not written as BILOU has it (first at the data given row 1, word 1);")
    both = [["O", "I-p", "O", "I-l"], ["B-p", "I-p", "O", "B-l"]]
    _, said = gold({"text": [["a", "b", "c", "d"]] * 2, "label": both})
    assert said[0] == "the tags are in IOB2, as their marks tell."
    assert said[1].startswith("2 spans are not written as IOB2 has it (first at the data given row 1, word 2);")


def test_a_word_of_a_file_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"

    def told(content: str, labels: Labels | None = None, **options: Any) -> str:
        path.write_text(content)
        with pytest.raises(UserError) as caught:
            gold(path, labels, **options)
        return str(caught.value)

    assert f"'PER' (1 word), the first at {path} line 5." in told("Ada B-p\nmet O\n\nBo B-p\nJo PER\n")
    assert told("Ada B-place\nmet O\n\nof O\nJo PER\n", Labels(NAMES)).startswith(f"{path} line 5: the tag 'PER' is")
    assert told("Ada O\nmet O\nBo B-plase\n", Labels(NAMES)).startswith(f"{path} line 3: There is no label 'plase'.")
    assert told("a VERB\nb VERB\nc VREB\n", Labels(("NOUN", "VERB"))).startswith(
        f"{path} line 3: There is no tag 'VREB'"
    )
    assert told("a 0\nb 3\n", names=("O", "B-p")).startswith(f"{path} line 2: There is no label '3'.")
    path.write_text("Ada B-p\nmet O\nBo I-p\n")
    _, said = gold(path)
    assert f"(first at {path} line 3)" in said[1]
    rows = tmp_path / "a.jsonl"
    rows.write_text('{"text": ["a", "b"], "label": ["O", "PER"]}\n')
    with pytest.raises(UserError, match=r"a.jsonl line 1, word 2: the tag 'PER' is neither"):
        gold(rows, Labels(NAMES))
