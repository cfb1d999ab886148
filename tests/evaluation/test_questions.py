"""Answers to questions beside each other: told by their ids, by their columns or by the truth, and not by chance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from maskwright.base.errors import UserError
from maskwright.evaluation.compare import compare

# What is an answer to a question

GOLDS = [["Ada"], ["Ada", "Babbage"], [], ["a loom"]] * 5
GOOD, BAD = ["Ada", "Babbage", "", "the loom"] * 5, ["Ada", "", "Ada", "loom of"] * 5
ENTRIES = [[{"text": text, "answer_start": 0} for text in golds] for golds in GOLDS]


@pytest.mark.parametrize(
    ("a", "b", "options"),
    [
        ({"answer": GOOD, "target": GOLDS}, {"prediction": BAD}, {}),
        ({"prediction": GOOD}, {"prediction": BAD}, {"data": {"answers": GOLDS}, "label": "answers"}),
        ({"prediction": GOOD, "target": ENTRIES}, {"prediction": BAD}, {}),
        ({"prediction": GOOD}, {"prediction": BAD}, {"data": {"gold": ENTRIES}, "label": "gold"}),
    ],
)
def test_something_says_that_texts_are_answers(a: dict[str, Any], b: dict[str, Any], options: dict[str, Any]) -> None:
    found = compare(a, b, **options)
    assert list(found.verdicts) == ["f1", "exact_match", "f1_answerable", "no_answer"]
    assert found.verdicts["exact_match"].difference.value == 0.75
    assert found.verdicts["f1"].difference.value == pytest.approx((0 + 1 + 1 + 1 / 3) / 4)


@pytest.mark.parametrize(
    "cells",
    [
        ["Ada", "Babbage", "", "a loom"],  # as a table holds them
        ['["Ada"]', '[{"text": "Babbage"}]', "[]", '{"text": ["a loom"], "answer_start": [3]}'],
        [{"text": "Ada", "answer_start": 0}, {"text": ["Babbage"]}, [], ["a loom"]],
    ],
)
def test_the_truth_is_written_as_it_may_be_for_training(cells: list[Any], tmp_path: Path) -> None:
    """And what the systems say is a text, whatever it looks like."""
    for name, said in (("one", ["ada", "Babbage", "", "[1]"]), ("two", ["the Ada", "Lovelace", "x", "loom"])):
        (tmp_path / f"{name}.json").write_text(json.dumps(dict(zip("abcd", said, strict=True))))
    data = {"id": list("abcd"), "answers": cells}
    found = compare(str(tmp_path / "one.json"), str(tmp_path / "two.json"), data, "answers")
    assert list(found.verdicts) == ["f1", "exact_match", "f1_answerable", "no_answer"]
    assert found.verdicts["exact_match"].difference.value == pytest.approx((0 + 1 + 1 - 1) / 4)


# Spans beside the truth as tagging takes it


@pytest.mark.parametrize(
    "label",
    [
        [["B-p", "I-p", "O", "B-l"], ["O", "O", "B-p"]],
        [[[0, 12, "p"], [16, 22, "l"]], [[11, 15, "p"]]],
        [[{"start": 0, "end": 13, "label": "p"}, {"start": 16, "end": 22, "label": "l"}], '[[11, 14, "p"]]'],
    ],
)
def test_spans_are_compared_with_any_truth_that_training_takes(label: list[Any]) -> None:
    texts = ["Ada Lovelace in London", "here comes Bob "]
    gold = {"text": texts, "label": label}
    right = [
        [{"start": 0, "end": 12, "label": "p"}, {"start": 16, "end": 22, "label": "l"}],
        [{"start": 11, "end": 14, "label": "p"}],
    ]
    found = compare({"spans": right, "text": texts}, {"spans": [right[0], []], "text": texts}, gold, "label")
    assert found.verdicts["f1"].difference.value == pytest.approx(1 - 0.8)


def test_white_space_counts_on_neither_side_and_spans_may_overlap() -> None:
    gold = {
        "text": ["Ada met Bob", "a\u0301b"],
        "label": [
            [{"start": 0, "end": 4, "label": "x"}, {"start": 0, "end": 11, "label": "y"}],
            [{"start": 0, "end": 1, "label": "x"}],
        ],
    }
    exact = [[{"start": 0, "end": 3, "label": "x"}, gold["label"][0][1]], gold["label"][1]]
    found = compare({"spans": gold["label"]}, {"spans": exact}, gold, "label")
    assert found.verdicts["f1"].difference.value == 0
    other = {"sentence": gold["text"], "words": [[[0, 3]], []], "label": gold["label"]}
    assert compare({"spans": exact}, {"spans": exact}, other, "label").verdicts["f1"].difference.value == 0


def test_an_answer_that_is_no_list_is_named() -> None:
    gold = {"text": ["Ada met", "Bob"], "label": [["B-x", "O"], ["B-x"]]}
    said = [None, [{"start": 0, "end": 3, "label": "x"}]]
    with pytest.raises(UserError, match=r"row 1: 'None' is no list"):
        compare({"prediction": said}, {"prediction": [[], []]}, gold, "label")


def test_letters_of_choices_are_classes() -> None:
    true = ["A", "B", "C", "A"] * 5
    found = compare({"answer": true, "target": true}, {"answer": ["the"] * 20}, None)
    assert found.verdicts["accuracy"].difference.value == 1
    assert found.mcnemar is not None


def test_a_column_of_the_truth_that_is_not_there() -> None:
    with pytest.raises(UserError, match=r"no column 'label'.* Name the right one by --label NAME\."):
        compare({"prediction": ["a"]}, {"prediction": ["a"]}, {"answers": ["a"]})


def test_tags_of_words_stay_tags_where_the_answers_have_one_for_each() -> None:
    texts = ["Ada met Bob", "he saw"]
    tags = (["N", "V", "N"], ["P", "V"])
    said = [[{"start": i, "end": i + 1, "label": tag} for i, tag in enumerate(row)] for row in tags]
    gold = {"text": texts, "label": [["N", "V", "N"], ["P", "N"]]}
    found = compare({"words": said, "text": texts}, {"words": [said[0][:1] * 3, said[1]], "text": texts}, gold, "label")
    assert found.verdicts["accuracy"].difference.value == pytest.approx((4 - 3) / 5)


def test_sets_of_labels_that_one_side_writes_as_texts_are_no_answers_to_questions(tmp_path: Path) -> None:
    """JSON lines with lists, and answers of both systems in tables, their labels by comma."""
    true = [["joy", "love"], ["joy"], [], ["fear", "joy"]] * 5
    said = [["love", "joy"], ["love"], [], ["fear"]] * 5
    gold = tmp_path / "gold.jsonl"
    gold.write_text("".join(json.dumps({"text": str(i), "emotions": row}) + "\n" for i, row in enumerate(true)))
    for name, rows in (("a", true), ("b", said)):
        lines = [f'{i},"{",".join(row)}"\n' for i, row in enumerate(rows)]
        (tmp_path / f"{name}.csv").write_text("text,prediction\n" + "".join(lines))
    found = compare(str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), data=str(gold), label="emotions")
    assert set(found.verdicts) >= {"f1_macro", "hamming_loss"}
    assert found.verdicts["exact_match"].difference.value == 0.5
    assert found.notes == []


# Answers by id


def questions(folder: Path, ids: tuple[str, ...] = ("a", "b", "c")) -> Path:
    asked = [
        {"id": name, "question": f"Who {name}?", "answers": [{"text": "Ada", "answer_start": 0}] if name != "c" else []}
        for name in ids
    ]
    path = folder / "dev.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "Ada was here.", "qas": asked}]}]}))
    return path


def test_answers_by_id_as_squads_server_takes_them(tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_text(json.dumps({"c": "", "b": "the Ada", "a": "Ada"}))
    two.write_text(json.dumps({"a": "here", "b": "Ada was", "c": "was"}))
    found = compare(str(one), str(two), data=str(questions(tmp_path)), label="answers")
    assert found.rows == 3
    assert not found.notes, "that rows and answers belong together is known by their ids"
    assert found.verdicts["exact_match"].difference.value == pytest.approx(1.0)
    assert found.verdicts["f1"].difference.value == pytest.approx((1 + 1 / 3 + 1) / 3)


@pytest.mark.parametrize(
    ("answers", "ids", "said"),
    [
        ({"a": "Ada"}, ("a", "b", "c"), r"no answer for 2 rows of .*dev.json; the first is 'b' \(.*question 2 \(b\)\)"),
        ({"a": "", "b": "", "c": "", "d": ""}, ("a", "b", "c"), "answers 1 id that .* does not have, such as 'd'"),
        ({"a": "", "b": ""}, ("a", "b", "a"), r"question 3 \(a\) has the id 'a' of another row"),
    ],
)
def test_answers_by_id_that_do_not_fit(tmp_path: Path, answers: dict[str, str], ids: Any, said: str) -> None:
    (tmp_path / "one.json").write_text(json.dumps(answers))
    with pytest.raises(UserError, match=said):
        compare(str(tmp_path / "one.json"), str(tmp_path / "one.json"), str(questions(tmp_path, ids)), "answers")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": "x", "a": "y"}', "answers the id 'a' more than once"),
        ('{"a": null}', "the answer of 'a' is no text"),
        ('\ufeff{"a": 3}', "the answer of 'a' is no text"),
    ],
)
def test_a_file_of_answers_by_id_that_does_not_hold_together(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "one.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        compare(str(tmp_path / "one.json"), str(tmp_path / "one.json"), str(questions(tmp_path)), "answers")


def test_answers_by_id_need_the_rows_with_their_ids(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps({"a": "Ada"}))
    with pytest.raises(UserError, match="answers by id, so the rows with their ids are needed"):
        compare(str(tmp_path / "one.json"), {"prediction": ["Ada"], "target": [["Ada"]]})


@pytest.mark.parametrize("gold", [True, False])
def test_rows_that_have_ids_are_put_together_by_them(tmp_path: Path, gold: bool) -> None:
    """In whatever order; the truth in a file of its own or beside the answers of one side."""
    ids, true = ["a", "b", "c"], ["x", "y", "x"]
    first = {"id": ids, "prediction": true, **({} if gold else {"target": true})}
    second = {"id": ["c", "a", "b"], "prediction": ["x", "x", "x"]}
    data = {"id": ["b", "c", "a"], "label": ["y", "x", "x"]} if gold else None
    found = compare(first, second, data, "label")
    assert found.verdicts["accuracy"].difference.value == pytest.approx(1 / 3)
    assert not found.notes
    with pytest.raises(UserError, match=r"no answer for 1 row of .*; the first is 'b'"):
        compare(first, {"id": ["c", "a", "d"], "prediction": ["x", "x", "x"]}, data, "label")
    numbered = {"id": [1, 2, 3], "prediction": ["x", "y", "y"]}
    assert any("could not be checked" in note for note in compare(first, numbered, data and {**data, "id": ids}).notes)
