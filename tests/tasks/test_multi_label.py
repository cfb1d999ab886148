"""Several labels a row: every way to write them, the loss, the threshold, the names of ids, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from maskwright.base.choice import dump, resolve
from maskwright.base.errors import UserError
from maskwright.data.labels import Labels
from maskwright.data.read import read
from maskwright.tasks import Task
from maskwright.tasks.classification import Classification
from maskwright.tasks.multi_label import MultiLabel

LISTS = [["joy", "anger"], [], ["joy"], ["anger", "fear"]]
WANTED = [[1, 0, 1], [0, 0, 0], [0, 0, 1], [1, 1, 0]]  # anger, fear, joy
WAYS: dict[str, tuple[dict[str, Any], dict[str, list[Any]]]] = {
    "lists": ({}, {"label": LISTS}),
    "texts": ({}, {"label": [", ".join(row) for row in LISTS]}),
    "separator": ({"separator": ";"}, {"label": [";".join(row) or None for row in LISTS]}),
    "indicators": (
        {"labels": ("anger", "fear", "joy")},
        {name: [str(int(name in row)) for row in LISTS] for name in ("joy", "anger", "fear")},
    ),
    "ids": ({"names": ("anger", "fear", "joy")}, {"label": ["2,0", "", "2", "0,1"]}),
}


def table(**columns: list[Any]) -> Any:
    rows = len(next(iter(columns.values())))
    return read({"text": ["a film"] * rows, **columns})


def refused(task: Task, **columns: list[Any]) -> str:
    """What the task says of rows that it cannot train on."""
    given = table(**columns)
    with pytest.raises(UserError) as caught:
        task.targets(given, task.discover(given))
    return str(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_labels_are_the_same_however_they_are_written(way: str) -> None:
    settings, columns = WAYS[way]
    task = MultiLabel(**settings)
    given = table(**columns)
    labels = task.discover(given)
    assert labels.names == ("anger", "fear", "joy")
    targets = task.targets(given, labels)
    assert targets.dtype == np.float32
    assert targets.tolist() == WANTED


@pytest.mark.parametrize("way", WAYS)
def test_it_survives_json_whole(way: str) -> None:
    task = MultiLabel(**WAYS[way][0], threshold=0.3)
    assert resolve(Task, json.loads(json.dumps(dump(task)))) == task


def test_indicator_columns_stand_in_the_place_of_the_label() -> None:
    task = MultiLabel(labels=("joy", "fear"), pair="other")
    assert task.columns() == ("text", "other", "joy", "fear")
    assert task.columns(with_label=False) == ("text", "other")
    assert MultiLabel(labels="joy, fear").labels == ("joy", "fear"), "as an option on the command line"
    assert MultiLabel(labels=[3, 4]).labels == ("3", "4"), "columns of a file without a header"
    assert MultiLabel(labels="none", names="none") == MultiLabel()


def test_indicators_may_stand_in_another_order_than_the_models_labels() -> None:
    given = table(joy=[1, 0], fear=[0, 1])
    assert MultiLabel(labels=("fear", "joy")).targets(given, Labels(("joy", "fear"))).tolist() == [[1, 0], [0, 1]]


def test_the_loss_is_the_mean_over_labels_summed_over_rows() -> None:
    scores, targets = torch.randn(5, 4), (torch.rand(5, 4) < 0.4).float()
    p = scores.double().sigmoid()
    by_hand = -(targets * p.log() + (1 - targets) * (1 - p).log()).mean(1).sum()
    assert float(MultiLabel().loss(scores, targets)) == pytest.approx(float(by_hand), rel=1e-5)
    expected = F.binary_cross_entropy_with_logits(scores, targets)  # the mean over rows and labels
    assert float(MultiLabel().loss(scores, targets) / 5) == pytest.approx(float(expected), rel=1e-6)


def test_a_new_head_starts_from_the_odds_of_the_labels() -> None:
    targets = np.array([[1, 0, 1], [0, 0, 1], [0, 0, 1], [1, 0, 1]], dtype=np.float32)
    prior = MultiLabel().prior(targets)
    assert prior.dtype == np.float32
    assert prior.tolist() == pytest.approx([0, np.log(1 / 9), np.log(9)]), "never and always stay finite"


def test_the_labels_that_reach_the_threshold_are_predicted_the_likeliest_first() -> None:
    labels = Labels(("anger", "fear", "joy"))
    scores = np.array([[0.0, -3.0, 2.0], [-1.0, -2.0, -0.5]], dtype=np.float32)
    first, second = MultiLabel().decode(scores, labels)
    assert first["labels"] == ["joy", "anger"], "a probability of 0.5 reaches 0.5"
    assert list(first["probabilities"]) == ["joy", "anger", "fear"]
    assert first["probabilities"]["joy"] == pytest.approx(1 / (1 + np.exp(-2)))
    assert second["labels"] == []
    assert list(second["probabilities"]) == ["joy", "anger", "fear"]
    assert MultiLabel(threshold=0.3).decode(scores, labels)[1]["labels"] == ["joy"]


def test_the_metrics_are_those_of_the_predictions() -> None:
    labels = Labels(("anger", "fear", "joy"))
    targets = np.array(WANTED, dtype=np.float32)
    scores = np.random.default_rng(0).normal(size=targets.shape).astype(np.float32)
    for threshold in (0.3, 0.5, 0.7):
        task = MultiLabel(threshold=threshold)
        said = [[name in answer["labels"] for name in labels.names] for answer in task.decode(scores, labels)]
        found = task.metrics(scores, targets)
        assert found["exact_match"] == np.mean([s == w for s, w in zip(said, WANTED, strict=True)])
        assert found["hamming_loss"] == pytest.approx(np.mean(np.array(said) != np.array(WANTED)))
    assert MultiLabel().metrics(2 * targets - 1, targets)["f1_macro"] == 1.0


def test_calibrated_it_says_what_its_settled_scores_say() -> None:
    random = np.random.default_rng(0)
    scores = (4 * random.normal(size=(500, 3)) - 2).astype(np.float32)
    targets = (random.random(scores.shape) < 1 / (1 + np.exp(-scores / 2))).astype(np.float32)
    task = MultiLabel()
    fitted = task.calibrate(scores, targets, "eval")
    assert fitted.temperature == pytest.approx(2, rel=0.15)
    assert fitted.thresholds is not None
    answers = task.decode(scores, Labels(("a", "b", "c")), fitted)
    sure = 1 / (1 + np.exp(-scores.astype(np.float64) / fitted.temperature))
    assert [answer["probabilities"]["b"] for answer in answers] == pytest.approx(sure[:, 1])
    said = np.array([[name in answer["labels"] for name in "abc"] for answer in answers])
    np.testing.assert_array_equal(said, sure >= np.array(fitted.thresholds))
    settled = task.settled(scores, fitted, "f1_macro")
    np.testing.assert_array_equal(said, task.probabilities(settled) >= 0.5)
    stated = MultiLabel(threshold=0.3)
    kept = stated.calibrate(scores, targets, "eval")
    assert (kept.temperature, kept.thresholds) == (fitted.temperature, None)
    settled = stated.settled(scores, kept, "f1_macro")
    assert stated.metrics(settled, targets) == stated.metrics(scores, targets, kept)


def test_what_is_worth_knowing_of_the_rows_is_told() -> None:
    task, given = MultiLabel(), table(label=["joy,anger", "", None, "fear"])
    labels = task.discover(given)
    assert task.notes(task.examples(given, labels), labels) == ["2 of 4 rows have no label."]
    held = table(label=["joy", "anger"])
    assert task.notes(task.examples(held, labels), labels) == [
        "No row has more than one label (a cell that is a text is cut at ',').",
        "1 of 3 labels stand in no row (fear); the F1 of such a label is 0 and lowers f1_macro.",
    ]
    single = Classification()
    rows = table(label=["joy", "fear"])
    assert single.notes(single.examples(rows, single.discover(rows)), single.discover(rows)) == []


def test_rows_without_any_label_can_be_judged() -> None:
    task, labels = MultiLabel(), Labels(("fear", "joy"))
    targets = task.targets(table(label=["", ""]), labels)
    assert targets.tolist() == [[0, 0], [0, 0]]
    found = task.metrics(np.array([[-1, -1], [-1, 2]], dtype=np.float32), targets)
    assert (found["f1_macro"], found["f1_weighted"], found["exact_match"], found["hamming_loss"]) == (0, 0, 0.5, 0.25)
    assert np.isnan(found["mean_average_precision"])


# --- names of ids, for both tasks that have a label set


@pytest.fixture
def names(tmp_path: Path) -> Path:
    file = tmp_path / "labels.txt"
    file.write_text("zeal\njoy\nanger\nsurprise")
    return file


def test_names_are_read_once_and_then_belong_to_the_task(names: Path) -> None:
    task = resolve(Task, {"name": "multi-label", "names": str(names)})
    names.unlink()
    assert task.names == ("zeal", "joy", "anger", "surprise")
    assert resolve(Task, json.loads(json.dumps(dump(task)))) == task


def test_the_label_set_is_in_the_order_of_the_ids(names: Path) -> None:
    several, one = MultiLabel(names=names), Classification(names=names)
    assert several.discover(table(label=["2,0", "1"])).names == ("zeal", "joy", "anger")
    given = table(label=["2", 0, "anger"])
    labels = one.discover(given)
    assert labels.names == ("zeal", "anger"), "what does not occur is no class"
    assert one.targets(given, labels).tolist() == [1, 0, 1]
    assert one.describe(labels)["id2label"] == {"0": "zeal", "1": "anger"}


@pytest.mark.parametrize("task", [MultiLabel, Classification])
def test_an_id_without_a_name_is_told_with_its_line(names: Path, task: Any) -> None:
    assert refused(task(names=names), label=["0", "1", "4"]) == (
        "the data given row 3: There is no label '4'. Allowed: anger, joy, surprise, zeal. An id is one of 0 to 3."
    )


@pytest.mark.parametrize("task", [MultiLabel, Classification])
def test_a_label_that_training_has_not_seen_is_told_by_its_name(names: Path, task: Any) -> None:
    labels = task(names=names).discover(table(label=["0", "1"]))
    with pytest.raises(UserError) as caught:
        task(names=names).targets(table(label=["1", "3"]), labels)
    assert str(caught.value) == (
        "the data given row 2: There is no label 'surprise'. Allowed: joy, zeal. It stands in 1 row."
    )


def test_names_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no file '.*absent\.txt'"):
        resolve(Task, {"name": "multi-label", "names": str(tmp_path / "absent.txt")})
    with pytest.raises(UserError, match=r"task\.names line 2: the labels 0 and 1 are both called 'joy'"):
        resolve(Task, {"name": "classification", "names": ["joy", "joy"]})


# --- what cannot be learnt or read


def test_no_row_has_a_label() -> None:
    assert refused(MultiLabel(label="tags"), tags=["", None, []]) == (
        "the data given: none of 3 rows has a label in the column 'tags'. Name the right place."
    )
    assert refused(MultiLabel(labels=("joy", "fear")), joy=[0, 0], fear=[0, 0]) == (
        "the data given: none of 2 rows has a label in the columns joy, fear. Name the right place."
    )


def test_fewer_than_two_labels_in_all() -> None:
    assert refused(MultiLabel(), label=["joy", "", "joy"]) == (
        "the data given: the only label in 3 rows is 'joy' (2 times); it takes two or more. A yes or no about each "
        "text is --task classification; a cell with several labels is cut at task.separator (',')."
    )


def test_a_label_that_never_occurs_in_train() -> None:
    assert refused(MultiLabel(labels=("joy", "fear", "pride")), joy=[1, 0], fear=[0, 0], pride=["0", "false"]) == (
        "the data given: no row to train on has a 1 in 'fear', 'pride'. What never occurs cannot be learnt: leave it "
        "out of task.labels, or add rows that have it."
    )
    labels = MultiLabel().discover(table(label=["joy,fear", "joy"]))
    with pytest.raises(UserError) as caught:
        MultiLabel().targets(table(label=["joy", "", "fear,pride", "pride"]), labels)
    assert str(caught.value) == (
        "the data given row 3: There is no label 'pride'. Allowed: fear, joy. It stands in 2 rows."
    )


def test_a_cell_that_is_a_number_in_a_column_or_a_list_of_names() -> None:
    assert refused(MultiLabel(), label=[["joy"], 3, ["fear"]]).startswith(
        "the data given row 2: the labels are 3, a int, but those of the data given row 1 are a list."
    )
    assert refused(MultiLabel(), label=[["joy"], ["fear", 3]]).startswith(
        "the data given row 2: the labels ['fear', 3] mix names and numbers."
    )
    assert refused(MultiLabel(), label=[["joy"], [0.5]]).startswith("the data given row 2: the label 0.5 is a float.")


def test_indicator_columns_of_another_meaning() -> None:
    assert refused(MultiLabel(labels=("joy", "fear")), joy=[1, 0], fear=[0.2, 1]).startswith(
        "the data given row 1: the indicator 'fear' holds 0.2. Allowed: 0, 1, false, true."
    )
    task = MultiLabel(labels=("joy", "hope"))
    with pytest.raises(UserError) as caught:
        task.targets(table(joy=[1, 0], hope=[0, 0]), Labels(("joy", "fear")))
    assert str(caught.value) == (
        "the data given: task.labels are joy, hope, but the model's labels are joy, fear. They must be the same; only "
        "one side has fear, hope."
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"labels": ["joy", "fear", "joy"]}, "task.labels = joy, fear, joy: the column 'joy' would have two meanings."),
        ({"labels": ["text", "joy"]}, "task.labels = text, joy: the column 'text' would have two meanings."),
        ({"labels": ["joy", "b"], "pair": "b"}, "task.labels = joy, b: the column 'b' would have two meanings."),
        ({"labels": ["joy"]}, "task.labels = joy: name two or more columns of 0 and 1, one for each label."),
        ({"labels": ["joy", "fear"], "names": ["a", "b"]}, "these are names already; task.names is for ids."),
        ({"separator": ""}, "separator = '': String should have at least 1 character."),
        ({"threshold": 1.5}, "threshold = 1.5: Input should be less than 1."),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve(Task, {"name": "multi-label", **settings})
    assert said in str(caught.value)
