"""What pages of taggers, of answers and of choices say, against figures that were counted by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from maskwright.base.choice import resolve
from maskwright.base.ragged import objects
from maskwright.data.labels import Labels
from maskwright.data.read import read
from maskwright.data.table import Table as Rows
from maskwright.data.tags import names as tags_of
from maskwright.evaluation import answers, choices
from maskwright.evaluation._mistakes import AROUND, around, in_view, most, surest
from maskwright.evaluation.answers import answer_sections
from maskwright.evaluation.choices import choice_sections
from maskwright.evaluation.outcome import Outcome
from maskwright.evaluation.tags import tag_sections
from maskwright.runs.shapes import Place, Shape, Text
from maskwright.stats.intervals import wilson
from maskwright.tasks import Task
from maskwright.tasks._calibration import Calibration


def judged(
    name: str, columns: dict[str, list[Any]], scores: Sequence[np.ndarray], labels: Labels | None = None,
    calibration: Calibration | None = None, **options: Any,
) -> tuple[Outcome, Any, Rows]:  # fmt: skip
    """What one seed said of these rows; its task; the rows."""
    table, task = read(columns), resolve(Task, {"name": name, **options})
    outcome = Outcome(
        task=task, labels=labels, examples=task.examples(table, labels), source="rows", split="test", seeds=[0],
        scores=[objects(list(scores))], saved=0, why="the only seed",
        calibrations=[] if calibration is None else [calibration],
    )  # fmt: skip
    return outcome, task, table


def named(shapes: Sequence[Shape], title: str) -> Any:
    return next(shape for shape in shapes if shape.title == title)


def marked(text: str, places: Sequence[Place]) -> list[tuple[str, str, str]]:
    return [(text[place.start : place.end], place.kind, place.name) for place in places]


# Which mistakes are shown


def test_the_surest_and_the_most_of_those_that_are_wrong() -> None:
    assert surest(np.array([True, False, True, True]), np.array([0.5, 0.9, 0.7, 0.5])) == [2, 0, 3]
    assert most(np.array([0, 2, 5, 2])) == [2, 1, 3]
    assert len(most(np.ones(50))) == len(surest(np.ones(50, bool), np.ones(50))) == 10


def test_a_long_text_is_shown_around_its_mistakes() -> None:
    text = "".join(f"w{i:04} " for i in range(1000))
    places = [
        Place(60, 65, "right"),
        Place(3000, 3005, "true", "place"),
        Place(3100, 3105, "answer"),
        Place(5400, 5405),
    ]
    shown, moved = in_view(text, places)
    assert marked(shown, moved) == [("w0500", "true", "place"), (text[3100:3105], "answer", ""), ("w0900", "true", "")]
    assert shown.startswith(f" ... {text[3000 - AROUND : 3000]}")
    assert f"{text[3105 : 3105 + AROUND]} ... {text[5400 - AROUND : 5400]}" in shown
    assert shown.endswith(f"{text[5405 : 5405 + AROUND]} ... ")
    assert in_view(text[:2000], places[:1]) == (text[:2000], places[:1])
    assert around(text, []) == (f"{text[: 1 + AROUND]} ... ", [])
    end = Place(5995, 5999)
    assert around(text, [end])[0] == f" ... {text[5995 - AROUND :]}"


# Spans

LABELS = Labels(tags_of(["person", "place"], "IOB2"))


def tagger(rows: Sequence[tuple[str, str, str]]) -> tuple[Outcome, Any, Rows]:
    """Rows of words, their true tags and the tags that are answered, `p` for a person and `l` for a place."""
    full = {"O": "O", "B-p": "B-person", "I-p": "I-person", "B-l": "B-place", "I-l": "I-place"}
    words, true, said = ([row[i].split() for row in rows] for i in range(3))
    sure = 9 * np.eye(len(LABELS), dtype=np.float32)
    scores = [sure[[LABELS.names.index(full[tag]) for tag in row]] for row in said]
    columns = {"text": words, "label": [[full[tag] for tag in row] for row in true]}
    return judged("tagging", columns, scores, LABELS, kind="spans")


def test_spans_of_one_label_are_crossed_with_those_of_others() -> None:
    shapes = tag_sections(
        *tagger(
            [
                ("Ada met Bo Cy", "B-p O B-p I-p", "B-l O B-p I-p"),  # Ada for a place, Bo Cy right
                ("in New York City", "O B-l I-l I-l", "O O B-p I-p"),  # a part of it for a person
                ("Bo sang", "B-p O", "O B-l"),  # one missed, one invented
                ("Ada Bo Cy Jo", "B-p I-p I-p O", "B-p B-l I-l O"),  # two answers on one span: the longer one is its
            ]
        )
    )
    found = named(shapes, "Which label is taken for which")
    assert (found.rows, found.columns) == (("person", "place", "invented"), ("person", "place", "missed"))
    assert found.cells == ((1, 2, 1), (1, 0, 0), (1, 1, 0))
    assert found.note.startswith("Spans of the reported split, by the saved model. A true span is crossed with the")
    became = {row[0]: row[1:] for row in named(shapes, "What becomes of a span").rows}
    assert became == {"person": (1, 1, 1, 1, 0), "place": (0, 0, 1, 0, 1)}
    by = {row[0]: row[1:4] for row in named(shapes, "Label by label").rows}
    assert by == {"person": (4, 1 / 3, 1 / 4), "place": (1, 0.0, 0.0)}
    assert named(shapes, "Label by label").head[4:] == ("F1", "F1, conlleval", "F1, strict")
    others = {row[0]: [cell.value for cell in row[4:]] for row in named(shapes, "Label by label").rows}
    assert others["person"] == pytest.approx([2 / 7] * 3), "the answers fit each other, so that all read them alike"


def test_spans_that_nobody_answered_and_none_at_all_are_crossed_too() -> None:
    shapes = tag_sections(*tagger([("Ada met", "B-p O", "O O"), ("so so", "O O", "O O")]))
    found = named(shapes, "Which label is taken for which")
    assert (found.rows, found.columns, found.cells) == (("person", "invented"), ("person", "missed"), ((0, 1), (0, 0)))
    none = named(tag_sections(*tagger([("so so", "O O", "O O")])), "Which label is taken for which")
    assert (none.rows, none.cells) == (("invented",), ((0,),))


def test_the_worst_texts_of_a_tagger_show_their_mistakes_wherever_they_stand() -> None:
    far, apart = "so " * 1500, "O " * 1500
    rows = [
        ("Ada met Bo", "B-p O B-p", "B-p O O"),
        (f"Bo {far}Rome and Cy", f"B-p {apart}B-l O B-p", f"B-p {apart}O B-l O"),
    ]
    shapes = tag_sections(*tagger(rows))
    long, short = named(shapes, "Most spans wrong").texts
    assert isinstance(long, Text)
    assert len(long.text) < 400
    assert marked(long.text, long.places) == [
        ("Rome", "true", "place"),
        ("and", "answer", "place"),
        ("Cy", "true", "person"),
    ]
    assert long.values["missed"] == "Rome (place); Cy (person)"
    assert long.values["invented"] == "and (place)"
    assert short.text == "Ada met Bo"
    assert marked(short.text, short.places) == [("Ada", "right", "person"), ("Bo", "true", "person")]


# Answers

CONTEXT = "Ada Lovelace met Charles Babbage in London, where he showed her his machine."


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> list[Shape]:
    """Five questions, of which the last two have no answer. Having none has the score 0 in all; the best answers have 5
    (right), 4 (wrong), -1 (right, but not given), 3 (there is none) and -2 (not given)."""
    monkeypatch.setattr(answers, "LEAST", 1)
    true = [["Charles Babbage"], ["London"], ["his machine"], [], []]
    best = [("Charles Babbage", 5), ("Ada Lovelace", 4), ("his machine", -1), ("London", 3), ("Ada", -2)]
    scores = []
    for text, score in best:
        start = CONTEXT.index(text)
        scores.append(np.array([[-1, -1, 0], [start, start + len(text), score], [0, 1, -9]], np.float64))
    columns = {
        "question": ["Who met Ada?", "Where was it?", "What did he show?", "When was it?", "How many met?"],
        "context": [CONTEXT] * 5,
        "answers": true,
    }
    fitted = Calibration("eval", 9, thresholds=(0.5,))
    return answer_sections(*judged("answer", columns, scores, None, fitted, none="yes"))


def test_the_curve_of_having_no_answer(answering: list[Shape]) -> None:
    curve = named(answering, "When to give no answer")
    line, used = curve.lines
    at = dict(zip(line.x, line.y, strict=True))
    assert at[-5] == pytest.approx(3 / 5)  # the one that is surest, right, and the two without an answer
    assert at[2] == pytest.approx(2 / 5)  # always an answer: the two right ones
    assert line.y[-2] == pytest.approx(3 / 5)  # all but the last, which has none
    assert line.y[0] == pytest.approx(2 / 5)  # never an answer: the two without one
    assert "the threshold in use is 0.500" in curve.note
    assert (list(used.x), list(used.y)) == ([0.5], [pytest.approx(2 / 5)])


def test_kinds_and_lengths_of_answers(answering: list[Shape]) -> None:
    kinds = {row[0]: row[1:] for row in named(answering, "Kinds of questions").rows}
    right = {"with an answer": 1 / 3, "without one": 1 / 2, "who": 1, "where": 0, "what": 0, "when": 0, "how many": 1}
    assert {name: exact for name, (_, exact, _) in kinds.items()} == pytest.approx(right)
    assert {name: f1.value for name, (_, _, f1) in kinds.items()} == pytest.approx(right)
    assert [count for count, _, _ in kinds.values()][:2] == [3, 2]
    lengths = named(answering, "How long answers are")
    assert {one.name: list(one.counts) for one in lengths.series} == {"true": [1, 2], "answers": [1, 2]}
    assert list(lengths.edges) == [0.5, 1.5, 2.5]


def test_mistakes_of_answers_are_marked_in_their_context(answering: list[Shape]) -> None:
    found = named(answering, "Wrong, and sure of it")
    assert [(one.text, one.values["true"], one.values["answer"]) for one in found.texts] == [
        ("Where was it?", "London", "Ada Lovelace"),
        ("When was it?", "no answer", "London"),
        ("What did he show?", "his machine", "no answer"),
    ]
    assert [marked(one.second or "", one.second_places) for one in found.texts] == [
        [("London", "true", ""), ("Ada Lovelace", "answer", "")],
        [("London", "answer", "")],
        [("his machine", "true", "")],
    ]
    for text, best, said in zip(found.texts, (4, 3, -1), (1, 1, 0), strict=True):
        odds = np.exp([-0.5, best, -9])  # the threshold is taken off having none
        assert text.values["probability"] == pytest.approx(odds[said] / odds.sum())
    assert found.note.startswith("The surest 3 of 3 answers")


# Choices


def test_choices_say_what_each_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "LEAST", 1)
    columns = {
        "question": ["the film was", "a play", "a song"],
        "choices": [["dull", "lovely", "long"], ["awful", "good"], ["bad", "sad"]],
        "label": ["B", "A", "A"],
    }
    scores = [np.log([0.7, 0.2, 0.1]), np.log([0.9, 0.1]), np.log([0.4, 0.6])]
    shapes = choice_sections(*judged("choice", columns, scores))
    kinds = named(shapes, "Kinds of questions")
    assert {row[0]: row[1:] for row in kinds.rows} == {
        "2 choices": (2, 0.5, wilson(1, 2)),
        "3 choices": (1, pytest.approx(1 / 3), wilson(0, 1)),
        "the right one is number 1": (2, 0.5, wilson(1, 2)),
        "the right one is number 2": (1, pytest.approx(1 / 3), wilson(0, 1)),
    }
    assert "It answers with number 1 in 66.7% of them." in kinds.note
    found = named(shapes, "Wrong, and sure of it")
    assert [one.text for one in found.texts] == ["the film was", "a song"]
    values = dict(found.texts[0].values)
    assert (values.pop("where"), values.pop("probability")) == ("the data given row 1", pytest.approx(0.7))
    assert values == {
        "true": "lovely",
        "answer": "dull",
        "choice 1": "0.700: dull",
        "choice 2": "0.200: lovely",
        "choice 3": "0.100: long",
    }
