"""The verdict: what it says of figures and of probabilities, and what it leaves open."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from maskwright.data.labels import Labels
from maskwright.evaluation.outcome import Outcome
from maskwright.evaluation.summary import summary
from maskwright.tasks import Examples
from maskwright.tasks.classification import Classification
from maskwright.tasks.multi_label import MultiLabel
from maskwright.tasks.ordinal import Ordinal


def told(rows: int, sharpness: float, calibrated: bool = False) -> dict[str, Any]:
    """Of a model whose scores are `sharpness` times as large as the chances that the labels were drawn by."""
    random = np.random.default_rng(0)
    scores = random.normal(size=(2, rows, 3))
    chances = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    targets = (chances.cumsum(-1) < random.random((2, rows, 1))).sum(-1)
    task, labels = Classification(), Labels(("a", "b", "c"))
    held, found = (scores * sharpness).astype(np.float32)
    fitted = [task.calibrate(held, targets[0], "eval")] if calibrated else []
    examples = Examples([""] * rows, None, targets[1])
    outcome = Outcome(task, labels, examples, "test.csv", "test", [0], [found], 0, "the only seed", fitted)
    return summary(outcome, examples, None, beside=False)


def test_chance_is_not_called_a_fault() -> None:
    found = told(200, 1.0)
    assert found["sureness"]["error"]["before"] < found["sureness"]["by_chance"]["before"]["high"]
    assert found["verdict"][-1].startswith("These rows do not show its probabilities to be off: by 0.")


def test_a_fault_is_called_one_and_mended() -> None:
    assert told(1500, 3.0)["verdict"][-1].startswith("Its probabilities are off by 0.")
    mended = told(1500, 3.0, calibrated=True)
    assert mended["verdict"][-1].startswith("These rows do not show its probabilities to be off")
    assert "before the temperature of 3" in mended["verdict"][-1] or "temperature of 2.9" in mended["verdict"][-1]
    sure = mended["sureness"]
    assert sure["error"]["before"] > 4 * sure["by_chance"]["before"]["high"]
    assert 0 < sure["error"]["after"] < sure["by_chance"]["after"]["high"]
    assert sure["adaptive_error"]["after"] < sure["adaptive_error"]["before"]
    parts = sure["brier_parts"]["after"]
    whole = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within"]
    assert whole == pytest.approx(sure["brier"]["after"]["value"])


def test_several_labels_are_believed_or_not_as_well() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(size=(2, 800, 4)) - 1
    targets = (random.random(scores.shape) < 1 / (1 + np.exp(-scores))).astype(np.float32)
    task, labels = MultiLabel(), Labels(("a", "b", "c", "d"))
    held, shown = (3 * scores).astype(np.float32)
    fitted = task.calibrate(held, targets[0], "eval")
    examples = Examples([""] * 800, None, targets[1])
    outcome = Outcome(task, labels, examples, "test.csv", "test", [0], [shown], 0, "the only seed", [fitted])
    found = summary(outcome, examples, None, beside=False)
    sure = found["sureness"]
    assert sure["error"]["before"] > 4 * sure["by_chance"]["before"]["high"]
    assert sure["error"]["after"] < 1.5 * sure["by_chance"]["after"]["high"]
    assert found["calibration"]["temperature"] == pytest.approx(3, rel=0.1)
    assert "temperature of " in found["verdict"][-1]
    assert "risk_coverage" not in sure, "that is of one answer a row"


def test_of_ranks_it_is_the_answer_that_is_believed_or_not() -> None:
    """The median rank, which is not always the likeliest one."""
    chances = np.tile([0.4, 0.25, 0.35], (40, 1))
    targets = np.repeat([0, 1, 2], [16, 10, 14])
    task, labels, examples = Ordinal(), Labels(("1", "2", "3")), Examples([""] * 40, None, targets)
    scores = np.log(chances).astype(np.float32)
    assert set(task.said(scores)) == {1}
    found = summary(Outcome(task, labels, examples, "f", "test", [0], [scores], 0, "why"), examples, None, beside=False)
    sure = found["sureness"]
    assert sure["error"]["before"] == pytest.approx(0, abs=1e-6), "a quarter sure and a quarter right"
    assert sure["curves"]["before"]["confidence"] == [pytest.approx(0.25)]
    assert sure["risk_coverage"]["risk"][-1] == pytest.approx(0.75)


def test_all_right_has_width() -> None:
    task, labels = Classification(), Labels(("a", "b"))
    targets = np.array([0, 1] * 10)
    scores = np.eye(2, dtype=np.float32)[targets] * 5
    examples = Examples(["x"] * 20, None, targets)
    found = summary(Outcome(task, labels, examples, "f", "test", [0], [scores], 0, "why"), examples, None, beside=False)
    accuracy, f1 = found["figures"]["accuracy"], found["figures"]["f1_macro"]
    assert (accuracy["value"], accuracy["high"]) == (1, 1)
    assert 0.8 < accuracy["low"] < 0.87
    assert f1["value"] == 1
    assert f1["low"] is None
