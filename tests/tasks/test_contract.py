"""Every task of the folder: it survives JSON, its sums are sums, its metrics, its messages."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from maskwright.base.choice import dump, find, names, resolve
from maskwright.base.errors import UserError
from maskwright.data.read import read
from maskwright.data.table import Table
from maskwright.models import families, family
from maskwright.tasks import Task
from maskwright.tasks._calibration import Calibration

NAMES = names(Task)
#: others have a file of tests of their own
ROW_BY_ROW = [name for name in NAMES if find(Task, name).answers not in ("tags", "span", "choice")]
ROWS = {"text": ["a film", "a play", "a book"], "label": [1, 0, 1]}


def table(**columns: list[Any]) -> Table:
    return read({**ROWS, **columns})


def of(name: str, **options: Any) -> Task:
    """A task with these columns; a second text only where it takes one, and what it must be told of the labels."""
    if name == "entailment":
        options = {"text": "text", "pair": None, "entails": "1", **options}
    if not find(Task, name).pairs:
        options.pop("pair", None)
    found: Task = resolve(Task, {"name": name, **options})
    return found


def test_the_folder_holds_the_first_tasks() -> None:
    assert {"classification", "multi-label", "regression"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_survives_json_whole(name: str) -> None:
    task = of(name, text="a", pair="b", label="c")
    assert resolve(Task, json.loads(json.dumps(dump(task)))) == task


@pytest.mark.parametrize("name", NAMES)
def test_some_family_has_its_head(name: str) -> None:
    assert any(find(Task, name).head in family(f).HEADS for f in families())


@pytest.mark.parametrize("name", NAMES)
def test_it_names_the_columns_that_it_reads(name: str) -> None:
    single = of(name, text="a", label="c")
    if single.pair is None:
        assert (single.columns(), single.columns(with_label=False)) == (("a", "c"), ("a",))
    given = {"name": name, "text": "a", "pair": "b", "label": "c"}
    if not single.pairs:
        with pytest.raises(UserError, match="is about one text"):
            resolve(Task, given)
        return
    pair = resolve(Task, given)
    assert (pair.columns(), pair.columns(with_label=False)) == (("a", "b", "c"), ("a", "b"))


@pytest.mark.parametrize("name", ROW_BY_ROW)
def test_a_batchs_loss_is_the_sum_of_its_rows(name: str) -> None:
    task = of(name)
    labels = task.discover(table())
    targets = torch.from_numpy(task.targets(table(), labels))
    count = len(targets)
    scores = torch.randn(count, task.classes(labels), generator=torch.Generator().manual_seed(0))
    whole = task.loss(scores, targets)
    rows = sum(float(task.loss(scores[i : i + 1], targets[i : i + 1])) for i in range(count))
    assert whole.dim() == 0
    assert float(whole) == pytest.approx(rows, rel=1e-6)
    assert task.loss(scores.bfloat16(), targets).dtype == torch.float32


@pytest.mark.parametrize("name", ROW_BY_ROW)
def test_its_main_metric_is_there_and_better_is_higher(name: str) -> None:
    task = of(name)
    labels = task.discover(table())
    targets = task.targets(table(), labels)
    right = targets[:, None]
    if labels is not None:
        right = 2 * (targets if targets.ndim == 2 else np.eye(len(labels), dtype=np.float32)[targets]) - 1
    good, bad = task.metrics(right, targets), task.metrics(-right, targets)
    assert good[task.main] == pytest.approx(1)
    assert good[task.main] > bad[task.main]
    assert next(iter(good)) == task.main
    assert set(good) == set(bad)


@pytest.mark.parametrize("name", ROW_BY_ROW)
def test_its_answers_are_plain_values(name: str) -> None:
    task = of(name)
    labels = task.discover(table())
    task = task.settled_on(labels)
    examples = task.examples(table(), labels)
    scores = task.condensed(np.zeros((3, task.classes(labels)), dtype=np.float32), None)
    answers = task.decode(scores, labels, None, examples)
    assert len(answers) == 3
    assert json.loads(json.dumps(answers)) == answers
    assert task.blank(labels).keys() == answers[0].keys()
    truths = task.truths(examples.targets, labels)
    assert len(truths) == 3
    assert json.loads(json.dumps(truths)) == truths
    described = task.describe(labels)
    assert json.loads(json.dumps(described)) == described
    assert len(described["id2label"]) == task.classes(labels)
    assert {v: int(k) for k, v in described["id2label"].items()} == described["label2id"]


@pytest.mark.parametrize("name", ROW_BY_ROW)
def test_rows_are_chosen_with_all_that_belongs_to_them(name: str) -> None:
    task = of(name, pair="second")
    given = table(second=["x", "y", "z"])
    whole = task.examples(given, task.discover(given))
    chosen = whole.select(np.array([2, 0]))
    assert (chosen.texts, chosen.pairs) == (["a book", "a film"], ["z", "x"] if task.pairs else None)
    assert chosen.targets.tolist() == whole.targets[[2, 0]].tolist() != whole.targets[[0, 1]].tolist()
    assert len(chosen) == 2


@pytest.mark.parametrize("cell", [None, True, ["a"], {"a": 1}])
@pytest.mark.parametrize("column", ["text", "second"])
def test_a_cell_that_holds_no_text_is_named_with_its_row(column: str, cell: Any) -> None:
    task = resolve(Task, {"name": "classification", "pair": "second"})
    given = {**ROWS, "second": ["x", "y", "z"]}
    given[column] = [given[column][0], cell, given[column][2]]
    with pytest.raises(UserError) as caught:
        task.texts(read(given))
    assert f"row 2: the column {column!r} holds {cell!r} where a text is needed." in str(caught.value)


def test_a_number_is_a_text_as_it_stands() -> None:
    assert find(Task, "classification")().texts(table(text=[1984, 2.5, "x"])) == (["1984", "2.5", "x"], None)


def test_columns_of_files_without_a_header_may_be_numbers() -> None:
    """`--set task.text=1` is a number for TOML."""
    assert resolve(Task, {"name": "classification", "text": 1, "label": 2}).columns() == ("1", "2")


def test_classification_is_cross_entropy() -> None:
    task = find(Task, "classification")()
    scores, targets = torch.randn(6, 4), torch.tensor([0, 3, 1, 1, 2, 0])
    expected = -F.log_softmax(scores, -1)[range(6), targets].sum()
    assert torch.allclose(task.loss(scores, targets), expected)


def test_regression_is_squared_error() -> None:
    task = find(Task, "regression")()
    scores, targets = torch.tensor([[1.0], [4.0]]), torch.tensor([3.0, 3.5])
    assert float(task.loss(scores, targets)) == 4.25


@pytest.mark.parametrize("label", ["high", "", None, "nan", "inf", float("inf"), [1], True, 10**400])
def test_a_label_that_is_no_number_is_named_with_its_row(label: Any) -> None:
    with pytest.raises(UserError) as caught:
        find(Task, "regression")().targets(table(label=["1.5", label, 2]), None)
    message = str(caught.value)
    assert f"row 2: the label {label!r} is not a finite number." in message
    assert "for classes use --task classification" in message


def test_numbers_of_regression_are_read_from_texts_and_numbers() -> None:
    found = find(Task, "regression")().targets(table(label=["1.5", 2, " 3e-1 "]), None)
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx([1.5, 2, 0.3])


def test_a_number_beyond_single_precision_does_not_become_infinite() -> None:
    for label in (1e39, "-1e39"):
        with pytest.raises(
            UserError, match=r"row 2: the label .* is beyond 3\.4e\+38, the largest single precision number"
        ):
            find(Task, "regression")().targets(table(label=["1.5", label, 2]), None)
    assert find(Task, "regression")().targets(table(label=[3e38, -3e38, 0]), None).tolist() == pytest.approx(
        [3e38, -3e38, 0]
    )


def test_scores_that_are_all_the_same_teach_nothing() -> None:
    with pytest.raises(UserError) as caught:
        find(Task, "regression")().discover(table(label=["2.50", 2.5, 2.5]))
    assert str(caught.value) == (
        "All 3 rows have the score 2.5 (the data given row 1 onwards); a regression learns from scores that differ. "
        "Check which column holds them."
    )


def test_a_setting_that_a_task_does_not_have_is_named() -> None:
    with pytest.raises(UserError, match=r"task 'classification': There is no setting 'lable'. Did you mean 'label'"):
        resolve(Task, {"name": "classification", "lable": "x"})


def test_settled_scores_have_the_metric_on_a_scale_that_systems_share() -> None:
    task, y = find(Task, "regression")(), np.array([1.0, 2.0, 4.0, 3.0])
    prices, shares = np.array([[1000], [2100], [3000], [3900]]), np.array([[0.1], [0.2], [0.3], [0.4]])
    first, second = (task.settled(side, None, "pearson") for side in (prices, shares))
    assert np.abs(first - second).max() < 0.1
    assert task.metrics(first, y)["pearson"] == pytest.approx(task.metrics(prices, y)["pearson"])
    assert (task.settled(prices, None, "mae") == prices).all()
    ranks = task.settled(prices, None, "spearman")
    assert (ranks == task.settled(shares, None, "spearman")).all()
    labels, marks = find(Task, "multi-label")(), np.array([[1, 0], [0, 1], [1, 1]])
    scores = np.array([[-1.0, 2.0], [-3.0, 3.0], [0.5, 0.5]])
    fitted = Calibration("eval", 9, thresholds=(0.2, 0.7))
    settled = labels.settled(scores, fitted, "f1_macro")
    assert labels.metrics(settled, marks) == labels.metrics(scores, marks, fitted) != labels.metrics(scores, marks)
    assert labels.settled(scores, None, "f1_macro") is scores
