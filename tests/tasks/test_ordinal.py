"""Ranks: the likelihood, the median, the order of the labels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from maskwright.base.choice import resolve
from maskwright.base.errors import UserError
from maskwright.data.labels import Labels
from maskwright.data.read import read
from maskwright.stats.measures import values
from maskwright.tasks import Task
from maskwright.tasks.ordinal import Ordinal

STARS = Labels(("1", "2", "3", "4"))


def task(**options: Any) -> Ordinal:
    found = resolve(Task, {"name": "ordinal", **options})
    assert isinstance(found, Ordinal)
    return found


def outputs(rows: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 3)).astype(np.float32) * 2


def by_hand(f: np.ndarray) -> list[float]:
    """The chance of each rank, one question after the other."""
    reached, out = 1.0, []
    for value in f:
        passes = 1 / (1 + math.exp(-value))
        out.append(reached * (1 - passes))
        reached *= passes
    return [*out, reached]


def test_chances_are_those_of_one_question_after_the_other() -> None:
    scores = outputs()
    found = task().probabilities(task().condensed(scores, None))
    np.testing.assert_allclose(found, [by_hand(row) for row in scores], atol=1e-6)
    assert found.sum(1) == pytest.approx(1)
    assert task().condensed(np.float32([[1000, -1000, 1000]]), None)[0, 1] == pytest.approx(0, abs=1e-6)


def test_the_loss_is_the_surprise_of_the_true_rank() -> None:
    scores, targets = outputs(), np.array([0, 1, 2, 3, 3, 0])
    mine = task().loss(torch.from_numpy(scores), torch.from_numpy(targets))
    surprise = -sum(math.log(by_hand(row)[rank]) for row, rank in zip(scores, targets, strict=True))
    assert float(mine) == pytest.approx(surprise, rel=1e-5)


def test_the_answer_is_the_rank_with_the_smallest_expected_distance() -> None:
    scores = outputs(200, 1)
    said = task().said(task().condensed(scores, None))
    ranks = np.arange(4)
    for row, rank in zip(scores, said, strict=True):
        p = np.array(by_hand(row))
        distances = [float((p * np.abs(ranks - each)).sum()) for each in ranks]
        assert distances[rank] == pytest.approx(min(distances), abs=1e-6)


def test_distance_counts() -> None:
    targets = np.array([0, 1, 2, 3])
    near, far = (np.log(np.eye(4)[said] + 1e-9) for said in ([1, 1, 2, 3], [3, 1, 2, 3]))
    one, two = (values(task().measures(scores, targets), 4) for scores in (near, far))
    assert list(one)[:2] == ["kappa", "mae"]
    assert one["accuracy"] == two["accuracy"] == 0.75
    assert (one["mae"], two["mae"]) == (0.25, 0.75)
    assert one["kappa"] > two["kappa"]


def rows(*labels: Any) -> Any:
    return read({"text": [f"text {i}" for i in range(2 * len(labels))], "label": [*labels, *labels]})


def test_numbers_have_an_order() -> None:
    assert task().discover(rows("10", "9", "-1")).names == ("-1", "9", "10")
    assert task().discover(rows(1.5, 0.5, 10.0)).names == ("0.5", "1.5", "10.0")
    assert task().classes(STARS) == 3


def test_one_number_in_two_ways_is_no_two_ranks() -> None:
    with pytest.raises(UserError, match=r"the labels '1(\.0)?' and '1(\.0)?' are one number"):
        task().discover(rows("1", "1.0", "2"))


def test_words_have_the_order_that_is_given() -> None:
    for order in ("bad, fair,good", ["bad", "fair", "good"]):
        assert task(order=order).discover(rows("good", "bad", "fair")).names == ("bad", "fair", "good")
    with pytest.raises(UserError, match=r"'bad' is no number.*--set task.order="):
        task().discover(rows("good", "bad", "fair"))
    with pytest.raises(UserError, match=r"task\.order does not have the label 'good'"):
        task(order="bad,fair").discover(rows("good", "bad", "fair"))
    with pytest.raises(UserError, match=r"no row has the label 'great' of task\.order"):
        task(order="bad,fair,good,great").discover(rows("good", "bad", "fair"))
    with pytest.raises(UserError, match="'bad' more than once"):
        task(order="bad,bad")


def test_answers_say_a_rank_and_all_chances() -> None:
    (answer,) = task().decode(task().condensed(np.float32([[3, 3, -3]]), None), STARS)
    assert answer["label"] == "3"
    assert answer["probability"] == pytest.approx(answer["probabilities"]["3"])
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert task().describe(STARS)["id2label"] == {"0": "> 1", "1": "> 2", "2": "> 3"}
