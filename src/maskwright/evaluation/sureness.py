"""Can the saved model's probabilities be believed, and what may be done with them?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from maskwright.evaluation.outcome import Outcome
from maskwright.stats import measures
from maskwright.stats.calibration import (
    adaptive_error,
    brier,
    confidence,
    decompose,
    error_by_chance,
    log_loss,
    reliability,
)
from maskwright.stats.intervals import bootstrap
from maskwright.stats.selection import Conformal, risk_coverage
from maskwright.tasks._calibration import Calibration, temperature

POINTS = 100  #: a curve is kept with at most so many


def sureness(o: Outcome) -> dict[str, Any] | None:
    """How well the saved model's probabilities mean what they say, before and after its calibration.

    Of one class a row it is the answer's probability that is judged, of several labels that of each label of each row.
    None for a task that gives no probabilities.
    """
    targets = o.examples.targets
    assert targets is not None
    if o.labels is None or o.task.answers == "tags" or o.task.probabilities(o.kept) is None:
        return None
    said = o.task.said(o.kept) if o.classes else None
    names = ("error", "by_chance", "adaptive_error", "log_loss", "brier", "brier_parts", "curves")
    out: dict[str, Any] = {name: {} for name in names}
    for when, calibration in (("before", None), ("after", o.calibration)):
        if when == "after" and calibration is None:
            continue
        p = _probabilities(o, calibration)
        sure, hits = confidence(p, targets, said)
        chance = error_by_chance(sure)
        # Most labels are far from most rows: in bins of equal mass all dots but one or two would lie at 0.
        drawn = reliability(sure, hits, by="mass" if o.classes else "width")
        out["error"][when] = reliability(sure, hits).error
        out["by_chance"][when] = {"mean": float(chance.mean()), "high": float(np.quantile(chance, 0.95))}
        out["adaptive_error"][when] = adaptive_error(p, targets)
        out["brier_parts"][when] = asdict(decompose(p, targets))
        out["curves"][when] = drawn.plain()
        for name, each in (("log_loss", log_loss), ("brier", brier)):
            out[name][when] = bootstrap(measures.mean(each(p, targets), low=0.0), len(targets)).plain()
    return out if said is None else out | _choices(_probabilities(o, o.calibration), targets, said, o.calibration)


def _choices(p: np.ndarray, targets: np.ndarray, said: np.ndarray, calibration: Calibration | None) -> dict[str, Any]:
    """Of one class a row: what answering only some rows, or with sets of labels, would do."""
    answered = risk_coverage(*confidence(p, targets, said))
    some = np.unique(np.linspace(0, len(answered.coverage) - 1, POINTS).round().astype(int))
    out: dict[str, Any] = {
        "risk_coverage": {
            "coverage": answered.coverage[some].tolist(),
            "risk": answered.risk[some].tolist(),
            "area": answered.area,
        }
    }
    if calibration is not None:
        out["sets"] = {name: _sets(p, targets, calibration, float(name)) for name in calibration.conformal}
    return out


def _probabilities(o: Outcome, calibration: Calibration | None) -> np.ndarray:
    found = o.task.probabilities(o.kept, calibration)
    assert found is not None
    return found


def _sets(p: np.ndarray, targets: np.ndarray, calibration: Calibration, coverage: float) -> dict[str, float]:
    """The share of rows whose true label stands in its set, and the mean number of labels in one."""
    inside = Conformal(calibration.quantile(coverage), coverage)(p)
    return {"coverage": float(inside[np.arange(len(p)), targets].mean()), "size": float(inside.sum(1).mean())}


def believed(o: Outcome, sure: Mapping[str, Any]) -> str:
    """Off by how much, and whether that is more than chance does to a model that is never off."""
    when = "before" if o.calibration is None else "after"
    off, chance = sure["error"][when], sure["by_chance"][when]
    if off > chance["high"]:
        said = f"Its probabilities are off by {off:.3f} on average (by {chance['mean']:.3f} if chance alone did it)"
    else:
        said = (
            f"These rows do not show its probabilities to be off: by {off:.3f} on average, where chance alone gives "
            f"up to {chance['high']:.3f}"
        )
    if o.calibration is None:
        return f"{said}; they were not calibrated, because no rows were left that no figure uses."
    return (
        f"{said}; it was {sure['error']['before']:.3f} before the temperature of {temperature(o.calibration):.2f}, "
        f"which was fitted on {o.calibration.rows:,} other rows."
    )
