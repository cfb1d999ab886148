"""What goes with a model: it survives JSON, and it promises only what was fitted."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from maskwright.base.errors import UserError
from maskwright.tasks._calibration import COVERAGES, Calibration
from maskwright.tasks.classification import Classification


def overconfident(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores three times as large as the chances that the labels were drawn by."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(rows, 4))
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    targets = np.array([random.choice(4, p=p) for p in chances])
    return (3 * scores).astype(np.float32), targets


def test_it_finds_the_temperature_and_survives_json() -> None:
    found = Classification().calibrate(*overconfident(4000), "eval")
    assert found.temperature == pytest.approx(3, rel=0.1)
    assert Calibration.from_plain(json.loads(json.dumps(found.plain()))) == found
    assert tuple(map(float, found.conformal)) == COVERAGES


def test_its_sets_hold_the_truth_as_often_as_they_promise() -> None:
    task = Classification()
    found = task.calibrate(*overconfident(4000), "eval")
    scores, targets = overconfident(4000, seed=1)
    p = task.probabilities(scores, found)
    for coverage in COVERAGES:
        held = (1 - p[np.arange(len(p)), targets] <= found.quantile(coverage)).mean()
        assert abs(held - coverage) < 0.02


def test_few_rows_promise_little() -> None:
    found = Classification().calibrate(*overconfident(8), "eval")
    assert found.conformal["0.99"] is None
    assert found.quantile(0.99) == math.inf
    with pytest.raises(
        UserError, match=r"Sets of coverage 0\.5 were asked for; this model was calibrated for: 0\.8, 0\.9"
    ):
        found.quantile(0.5)
