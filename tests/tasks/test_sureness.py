"""Answers that are withheld, and sets of labels that hold the true one as often as was asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from maskwright.base.errors import UserError
from maskwright.tasks import Bulk, Model

Build = Callable[..., Model]
Reviews = dict[str, list[Any]]
LABELS = ("bad", "fair", "good")


@pytest.fixture
def model(build: Build) -> Model:
    """Of three labels, calibrated on scores that mean what they say."""
    made = build("single", LABELS)
    made.calibration = made.task.calibrate(*drawn(2000, 0), "eval")
    return made


def drawn(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random scores, and labels drawn by them."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(rows, 3)).astype(np.float32)
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return scores, (chances.cumsum(1) < random.random((rows, 1))).sum(1).clip(max=2)


def test_an_unsure_answer_is_withheld(model: Model, reviews: Reviews) -> None:
    plain = model.predict(reviews["text"])
    below = float(np.median([answer["probability"] for answer in plain]))
    hedged = model.hedged(abstain_below=below).predict(reviews["text"])
    for answer, sure in zip(plain, hedged, strict=True):
        assert sure["abstained"] == (answer["probability"] < below)
        assert sure["label"] == (None if sure["abstained"] else answer["label"])
        assert sure["probabilities"] == answer["probabilities"]
    assert 0 < sum(answer["abstained"] for answer in hedged) < len(hedged)
    assert model.predict(reviews["text"]) == plain, "the model itself is as it was"


def test_sets_hold_the_true_label_as_often_as_asked(model: Model) -> None:
    scores, true = drawn(4000, 1)
    for coverage in (0.8, 0.95):
        answers = model.hedged(coverage=coverage).decode(scores)
        held = np.mean([LABELS[label] in answer["set"] for label, answer in zip(true, answers, strict=True)])
        assert abs(held - coverage) < 0.05
        for answer in answers[:50]:
            assert answer["set"] == _likeliest(answer)[: len(answer["set"])]


def _likeliest(answer: dict[str, Any]) -> list[str]:
    return sorted(LABELS, key=lambda label: -answer["probabilities"][label])


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_table_holds_what_was_withheld(model: Model, tmp_path: Path, reviews: Reviews, suffix: str) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("text\n" + "\n".join(reviews["text"]) + "\n")
    out = tmp_path / f"answers.{suffix}"
    Bulk(model.hedged(abstain_below=0.999, coverage=0.9), rows).write(out)
    if suffix == "parquet":
        found = pq.read_table(out).to_pylist()
        assert {row["label"] for row in found} == {None}
        assert all(row["abstained"] for row in found)
    else:
        assert "true" in out.read_text()


@pytest.mark.parametrize(
    ("kind", "asked", "said"),
    [
        ("regression", {"abstain_below": 0.5}, "this model's task is regression"),
        ("multi-label", {"coverage": 0.9}, "this model's task is multi-label"),
        ("single", {"abstain_below": 1.5}, "abstain_below = 1.5: give a probability"),
        ("single", {"coverage": 0.9}, "this model holds no calibration"),
    ],
)
def test_what_cannot_be_asked_is_said(build: Build, kind: str, asked: dict[str, float], said: str) -> None:
    with pytest.raises(UserError, match=said):
        build(kind).hedged(**asked)


def test_a_coverage_that_was_not_fitted_is_said(model: Model) -> None:
    with pytest.raises(UserError, match=r"Sets of coverage 0\.5 were asked for; this model was calibrated for: 0\.8"):
        model.hedged(coverage=0.5)
