"""A task's metrics over one or several seeds, with the intervals that rows and seeds leave them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from maskwright.stats.intervals import Interval, combined, over_examples, over_seeds
from maskwright.stats.measures import Measure, average, values
from maskwright.tasks import Task
from maskwright.tasks._calibration import Calibration


def figures(
    task: Task,
    scores: Sequence[np.ndarray],
    targets: np.ndarray | None,
    calibrations: Sequence[Calibration | None] | None = None,
) -> dict[str, dict[str, Any]]:
    """Each metric: its mean over the seeds, the interval over examples and seeds together, and each seed's own value.

    scores: of each seed, (rows, classes) on the same rows; calibrations: of each seed's model. With one seed the
    interval is over examples alone, and says so in "over".
    """
    assert targets is not None
    fitted = calibrations or [None] * len(scores)
    found = [task.measures(one, targets, calibration) for one, calibration in zip(scores, fitted, strict=True)]
    return {name: figure([of[name] for of in found], len(targets)) for name in found[0]}


def figure(measures: Sequence[Measure], rows: int) -> dict[str, Any]:
    """One metric of several seeds on the same rows, as JSON."""
    each = [values({"": measure}, rows)[""] for measure in measures]
    if not all(map(math.isfinite, each)):  # a correlation with a constant, say
        whole = Interval(math.nan, math.nan, math.nan)
    else:
        mean = average(measures)
        whole = combined(over_examples(mean, rows), over_seeds(each), mean.low, mean.high)
    return {**whole.plain(), "seeds": [value if math.isfinite(value) else None for value in each]}
