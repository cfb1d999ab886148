"""A judgement as shapes: bounded for any number of classes, and telling for several labels a row and for scores."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from maskwright.data.labels import Labels
from maskwright.data.table import Table as Rows
from maskwright.data.table import from_columns
from maskwright.evaluation import classes
from maskwright.evaluation.outcome import Outcome
from maskwright.evaluation.sections import sections
from maskwright.evaluation.summary import summary
from maskwright.runs.shapes import Curve, Matrix, Shape, Table, Texts
from maskwright.stats.calibration import expected_error, softmax
from maskwright.stats.intervals import Interval, class_f1, wilson
from maskwright.tasks import Examples, Task
from maskwright.tasks._calibration import Calibration
from maskwright.tasks.classification import Classification
from maskwright.tasks.multi_label import MultiLabel
from maskwright.tasks.regression import Regression
from maskwright.text.encodings import Encodings


def judged(
    task: Task,
    targets: np.ndarray,
    scores: np.ndarray,
    names: tuple[str, ...] | None,
    columns: dict[str, list[Any]] | None = None,
    calibration: Calibration | None = None,
) -> tuple[Outcome, list[Shape]]:
    """The outcome of one seed whose rows are texts of two pieces, and its sections."""
    rows = len(targets)
    examples = Examples([f"text {i}" for i in range(rows)], None, targets)
    outcome = Outcome(
        task=task,
        labels=None if names is None else Labels(names),
        examples=examples,
        source="rows",
        split="test",
        seeds=[0],
        scores=[scores],
        saved=0,
        why="the only seed",
        calibrations=[calibration] if calibration else [],
    )
    encodings = Encodings(
        ids=np.zeros(2 * rows, np.int32),
        segments=np.zeros(2 * rows, np.uint8),
        offsets=np.arange(0, 2 * rows + 1, 2),
        full_lengths=np.full(rows, 2),
        unknown=0,
    )
    table: Rows = from_columns({"text": examples.texts, "label": ["?"] * rows, **(columns or {})}, "rows")
    told = summary(outcome, examples, None, beside=False)
    return outcome, sections(outcome, told["sureness"], {"train": encodings, "test": encodings}, table, 128)


def named(shapes: list[Shape], title: str) -> Any:
    return next(shape for shape in shapes if shape.title == title)


def one_hot(said: np.ndarray, classes: int, sure: float = 3.0) -> np.ndarray:
    out = np.zeros((len(said), classes), np.float32)
    out[np.arange(len(said)), said] = sure
    return out


# One class a row


@pytest.mark.parametrize("count", [20_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_many_classes_take_little_memory(count: int) -> None:
    """A matrix of all by all would be 3.2 or 80 GB, and shapes of it more. Watching memory takes most of the time."""
    last = count - 1
    names = tuple(f"class {i}" for i in range(count))
    tracemalloc.start()
    _, shapes = judged(Classification(), np.array([7, last]), one_hot(np.array([7, 3]), count), names)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2000 * count
    matrix, table = named(shapes, "What is taken for what"), named(shapes, "Class by class")
    assert len(matrix.rows) == classes.CROSSED
    assert {"class 3", "class 7", f"class {last}"} <= set(matrix.rows)
    assert sum(map(sum, matrix.cells)) == 2
    assert len(table.rows) == classes.LISTED
    assert [row[0] for row in table.rows[:3]] == ["class 7", "class 3", f"class {last}"]
    assert f"the 1,000 of {count:,} classes with the most rows" in table.note
    assert f"of which {count - 3:,} stand in no row and no answer" in table.note
    assert len(str([shape.plain() for shape in shapes])) < 1e6


def test_the_most_confused_of_many_classes_are_crossed_and_the_others_named() -> None:
    names = [f"c{i}" for i in range(50)]
    targets = np.repeat(np.arange(50), 4)
    said = targets.copy()
    said[targets == 48] = 49  # four mistakes, and one between others
    said[0] = 1
    matrix = classes.confusion(targets, said, names)
    assert {"c0", "c1", "c48", "c49"} <= set(matrix.rows)
    assert list(matrix.rows) == sorted(matrix.rows, key=lambda name: int(name[1:])), "in the order of the labels"
    at = {name: i for i, name in enumerate(matrix.rows)}
    assert matrix.cells[at["c48"]][at["c49"]] == 4
    assert "the 40 of 50 classes with the most mistakes; 160 of 200 rows" in matrix.note
    assert "The others, with how often each is true or predicted: c38 (8)" in matrix.note
    assert matrix.note.count("(8)") == 10


def test_a_few_classes_are_crossed_whole() -> None:
    matrix = classes.confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2]), ["a", "b", "c"])
    assert matrix == Matrix(
        "What is taken for what", ["a", "b", "c"], ["a", "b", "c"], [[1, 1, 0], [0, 1, 0], [0, 0, 1]],
        "Rows of the reported split, by the saved model.", "true", "predicted",
    )  # fmt: skip


def test_f1_of_a_class_has_an_interval_that_holds_it() -> None:
    table = classes.class_table(np.array([0] * 8 + [1] * 4), np.array([0] * 6 + [1] * 6), ["a", "b", "never"])
    (_, rows, precision, recall, f1), (_, _, _, sure, _), (_, none, *undefined) = table.rows
    assert (rows, none, undefined) == (8, 0, [None, None, None])
    assert isinstance(f1, Interval)
    assert f1.value == pytest.approx(2 * 6 / (8 + 6))
    assert f1.low < f1.value < f1.high
    assert (precision, recall) == (wilson(6, 6), wilson(6, 8))
    assert sure == wilson(4, 4)


def test_intervals_of_f1_hold_the_true_one_as_often_as_they_promise() -> None:
    """One class of 30 % that is found in 80 % and given to 10 % of the rest: its true F1 is known."""
    random, held, draws = np.random.default_rng(0), 0, 2000
    true, given, hit = 0.3, 0.3 * 0.8 + 0.7 * 0.1, 0.3 * 0.8
    wanted = 2 * hit / (true + given)
    for _ in range(draws):
        is_so = random.random(150) < true
        said = random.random(150) < np.where(is_so, 0.8, 0.1)
        found = class_f1(int(is_so.sum()), int(said.sum()), int((is_so & said).sum()))
        assert found is not None
        held += wanted in found
    assert 0.93 < held / draws < 0.97


def test_what_a_reliability_curve_and_sets_rest_on_is_said() -> None:
    random = np.random.default_rng(1)
    targets = random.integers(0, 3, 90)
    scores = random.normal(size=(90, 3)).astype(np.float32) + one_hot(targets, 3)
    fitted = Classification().calibrate(scores, targets, "eval")
    _, shapes = judged(Classification(), targets, scores, ("a", "b", "c"), calibration=fitted)
    curve = named(shapes, "Does it know how sure it is?")
    assert isinstance(curve, Curve)
    assert [line.name for line in curve.lines] == ["before calibration", "after calibration"]
    assert all(sum(line.sizes or ()) == 90 for line in curve.lines)
    assert "Each dot is a bin of 6 probabilities" in curve.note
    scored = named(shapes, "How good its probabilities are")
    assert scored.head == ("", "before calibration", "after calibration")
    by = {row[0]: row[1:] for row in scored.rows}
    parts = [by[f"of it {part}"][1] for part in ("reliability", "resolution", "uncertainty", "within")]
    assert parts[0] - parts[1] + parts[2] + parts[3] == pytest.approx(by["Brier score"][1].value)
    assert by["off by, on average (ECE)"][0] == pytest.approx(expected_error(softmax(scores), targets))
    sets = named(shapes, "Sets that hold the true label")
    held = [row[1] for row in sets.rows]
    assert all(isinstance(share, Interval) and share.low < share.high for share in held)
    assert "`" not in sets.note


def test_too_few_rows_for_parts_are_said() -> None:
    targets = np.array([0, 1] * 10)
    _, shapes = judged(Classification(), targets, one_hot(targets, 2), ("a", "b"))
    fails = named(shapes, "Where it fails")
    assert fails.rows == ()
    assert fails.note == "There are too few rows for parts: a part and the rest need 20 each."


# Several labels a row


def test_several_labels_are_judged_label_by_label_by_slices_and_by_their_worst_rows() -> None:
    random = np.random.default_rng(2)
    targets = (random.random((200, 3)) < 0.4).astype(np.float32)
    said = targets.copy()
    kind = ["easy"] * 100 + ["hard"] * 100
    said[100:160, 0] = 1 - said[100:160, 0]
    said[7] = 1 - said[7]  # all three wrong
    scores = np.where(said > 0, 2.0, -2.0).astype(np.float32)
    fitted = Calibration("eval", 50, temperature=1.0, thresholds=(0.3, 0.5, 0.7))
    columns = {"kind": kind, "joy": [0] * 200}
    task = MultiLabel(labels=("joy", "fear", "anger"))
    _, shapes = judged(task, targets, scores, ("joy", "fear", "anger"), columns, fitted)
    assert [shape.title for shape in shapes] == [
        "Label by label", "Does it know how sure it is?", "How good its probabilities are", "Where it fails",
        "Most labels wrong", "How long the texts are",
    ]  # fmt: skip

    table, curve, fails, texts = shapes[0], shapes[1], shapes[3], shapes[4]
    assert isinstance(curve, Curve)
    assert all(sum(line.sizes or ()) == 600 for line in curve.lines), "each label of each row"
    assert isinstance(table, Table)
    assert table.head == ("label", "rows", "precision", "recall", "F1", "given from")
    assert [row[0] for row in table.rows] == ["joy", "fear", "anger"]
    hits = int((targets[:, 1].astype(bool) & said[:, 1].astype(bool)).sum())
    assert table.rows[1][2:4] == (wilson(hits, int(said[:, 1].sum())), wilson(hits, int(targets[:, 1].sum())))
    assert all(isinstance(row[4], Interval) for row in table.rows)
    assert [row[5] for row in table.rows] == [0.3, 0.5, 0.7]

    assert isinstance(fails, Table)
    assert fails.head[2] == "exact match"
    assert fails.rows[0][0] == "kind = hard"
    assert fails.rows[0][-1] == "worse"
    assert not any("joy" in str(row[0]) for row in fails.rows), "a column of labels is no part"

    assert isinstance(texts, Texts)
    assert len(texts.texts) == 10
    assert texts.texts[0].text == "text 7"
    assert texts.texts[0].values["wrong labels"] == 3
    truth = ", ".join(name for name, yes in zip(("joy", "fear", "anger"), targets[7], strict=True) if yes) or "none"
    assert texts.texts[0].values["true"] == truth
    assert "The worst 10 of 61 rows with a wrong label." in texts.note


def test_labels_that_are_all_right_leave_no_mistakes() -> None:
    targets = np.eye(2, dtype=np.float32)[[0, 1] * 20]
    _, shapes = judged(MultiLabel(), targets, 4 * targets - 2, ("a", "b"))
    assert named(shapes, "Most labels wrong").texts == ()
    assert [row[4].value for row in named(shapes, "Label by label").rows] == [1.0, 1.0]
    assert all(row[4].low < 1 for row in named(shapes, "Label by label").rows)


# A score for each row


def test_a_regression_says_where_it_fails() -> None:
    random = np.random.default_rng(3)
    targets = random.uniform(0, 5, 200).astype(np.float32)
    spread = np.where(np.arange(200) < 60, 1.0, 0.2)
    scores = (targets + spread * random.normal(size=200)).astype(np.float32)[:, None]
    columns = {"kind": ["far"] * 60 + ["near"] * 140, "score": targets.tolist()}
    _, shapes = judged(Regression(label="score"), targets, scores, None, columns)
    fails = named(shapes, "Where it fails")
    assert fails.head[2] == "mean absolute error"
    assert (fails.rows[0][0], fails.rows[0][-1]) == ("kind = far", "worse")
    assert fails.rows[0][2].low > fails.rows[0][3]
    assert [row[-1] for row in fails.rows[1:]] == [""] * (len(fails.rows) - 1)
    assert "Mann and Whitney" in fails.note
