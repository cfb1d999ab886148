"""What a run says in the end: figures with intervals, beside the baselines, calibrated, and in three sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from maskwright.data.labels import Labels
from maskwright.evaluation.baselines import baselines
from maskwright.evaluation.figures import figures
from maskwright.stats import measures
from maskwright.stats.calibration import (
    adaptive_error,
    brier,
    decompose,
    error_by_chance,
    log_loss,
    reliability,
)
from maskwright.stats.comparison import MakeMeasure, compare, sentence
from maskwright.stats.intervals import bootstrap
from maskwright.stats.measures import Measure
from maskwright.stats.selection import Conformal, risk_coverage
from maskwright.tasks import Examples, Task
from maskwright.tasks._calibration import Calibration

POINTS = 100  #: a curve is kept with at most so many


@dataclass(frozen=True)
class Outcome:
    """What all seeds of a run said of the rows that are reported on, and which of them was saved."""

    task: Task
    labels: Labels | None
    examples: Examples
    source: str  #: what a person calls the rows
    split: str
    seeds: Sequence[int]
    scores: Sequence[np.ndarray]  #: of each seed, (rows, classes)
    saved: int  #: the seed whose model is kept
    why: str  #: how it was chosen
    calibrations: Sequence[Calibration | None] = ()  #: of each seed's model, fitted on other rows; or none
    chosen_here: bool = False  #: whether these rows also chose checkpoints: the figures flatter then

    @property
    def calibration(self) -> Calibration | None:
        """That of the model that is saved."""
        return self.calibrations[list(self.seeds).index(self.saved)] if self.calibrations else None

    @property
    def kept(self) -> np.ndarray:
        """The scores of the model that is saved."""
        return self.scores[list(self.seeds).index(self.saved)]

    @property
    def classes(self) -> bool:
        """Whether each row has one class."""
        targets = self.examples.targets
        return self.labels is not None and targets is not None and targets.ndim == 1


def summary(outcome: Outcome, train: Examples, held: Examples | None, beside: bool = True) -> dict[str, Any]:
    """As JSON. train, held: rows for the baselines to learn from and be tuned on; `beside`: whether there are any."""
    o, targets = outcome, outcome.examples.targets
    assert targets is not None
    found = figures(o.task, o.scores, targets, o.calibrations)
    others = _baselines(o, train, held) if beside else []
    sure = _sureness(o) if o.classes else None
    return {
        "task": o.task.name,
        "main": o.task.main,
        "reported": {"split": o.split, "source": o.source, "rows": len(targets), "chose": o.chosen_here},
        "seeds": list(o.seeds),
        "saved": {"seed": o.saved, "why": o.why},
        "labels": None if o.labels is None else list(o.labels.names),
        "figures": found,
        "baselines": others,
        "calibration": None if o.calibration is None else o.calibration.plain(),
        "sureness": sure,
        "verdict": _verdict(o, found, others, sure),
    }


def _baselines(o: Outcome, train: Examples, held: Examples | None) -> list[dict[str, Any]]:
    """What simple systems say of the same rows, and what sets the saved model apart.

    They are compared by the main metric, or by the task's error where the main one is not defined for an answer that is
    always the same; a difference above 0 is in favour of the saved model either way.
    """
    task, targets = o.task, o.examples.targets
    assert targets is not None
    out = []
    for system in baselines(task, o.labels, train, o.examples, held):
        found = figures(task, [system.scores], targets, [system.calibration])
        undefined = found[task.main]["value"] is None and task.error is not None
        metric, sign = (str(task.error), -1.0) if undefined else (task.main, 1.0)
        given = (o.kept, o.calibration), (system.scores, system.calibration)
        sides = [task.settled(scores, calibration, metric) for scores, calibration in given]
        verdict = compare(_measured(task, metric, sign), targets, *sides)
        out.append(
            {
                "name": system.name,
                "figures": found,
                "seconds": system.seconds,
                "settings": dict(system.settings),
                "metric": metric,
                "difference": verdict.plain(),
                "sentence": sentence("the saved model", system.name, metric, verdict, len(o.examples)),
            }
        )
    return out


def _measured(task: Task, metric: str, sign: float) -> MakeMeasure:
    def make(targets: np.ndarray, scores: np.ndarray) -> Measure:
        measure = task.measures(scores, targets)[metric]
        return measures.negative(measure) if sign < 0 else measure

    return make


def _sureness(o: Outcome) -> dict[str, Any]:
    """How well the saved model's probabilities mean what they say, before and after its calibration."""
    targets = o.examples.targets
    assert targets is not None
    hits = o.kept.argmax(-1) == targets
    names = ("error", "by_chance", "adaptive_error", "log_loss", "brier", "brier_parts", "curves")
    out: dict[str, Any] = {name: {} for name in names}
    for when, calibration in (("before", None), ("after", o.calibration)):
        if when == "after" and calibration is None:
            continue
        p = _probabilities(o, calibration)
        curve = reliability(p.max(-1), hits)
        chance = error_by_chance(p.max(-1))
        out["error"][when] = curve.error
        out["by_chance"][when] = {"mean": float(chance.mean()), "high": float(np.quantile(chance, 0.95))}
        out["adaptive_error"][when] = adaptive_error(p, targets)
        out["brier_parts"][when] = asdict(decompose(p, targets))
        out["curves"][when] = curve.plain()
        for name, each in (("log_loss", log_loss), ("brier", brier)):
            out[name][when] = bootstrap(measures.mean(each(p, targets), low=0.0), len(targets)).plain()
    p = _probabilities(o, o.calibration)
    answered = risk_coverage(p.max(-1), hits)
    some = np.unique(np.linspace(0, len(answered.coverage) - 1, POINTS).round().astype(int))
    out["risk_coverage"] = {
        "coverage": answered.coverage[some].tolist(),
        "risk": answered.risk[some].tolist(),
        "area": answered.area,
    }
    if o.calibration is not None:
        out["sets"] = {name: _sets(p, targets, o.calibration, float(name)) for name in o.calibration.conformal}
    return out


def _probabilities(o: Outcome, calibration: Calibration | None) -> np.ndarray:
    found = o.task.probabilities(o.kept, calibration)
    assert found is not None
    return found


def _sets(p: np.ndarray, targets: np.ndarray, calibration: Calibration, coverage: float) -> dict[str, float]:
    """The share of rows whose true label stands in its set, and the mean number of labels in one."""
    inside = Conformal(calibration.quantile(coverage), coverage)(p)
    return {"coverage": float(inside[np.arange(len(p)), targets].mean()), "size": float(inside.sum(1).mean())}


def _verdict(
    o: Outcome, found: Mapping[str, Any], others: Sequence[Mapping[str, Any]], sure: Mapping[str, Any] | None
) -> list[str]:
    """The figure, whether a cheaper system would do, and whether the probabilities can be believed."""
    main = found[o.task.main]
    seeds = f"mean of {len(o.seeds)} seeds" if len(o.seeds) > 1 else "one seed"
    if main["value"] is None:
        first = f"{o.task.main} is not defined on the {len(o.examples):,} rows of {o.source}."
    else:
        reach = (
            " (these rows are too few for an interval)"
            if main["low"] is None
            else f" (95 % interval {main['low']:.3f} to {main['high']:.3f}, over {main['over']})"
        )
        first = f"{o.task.main} is {main['value']:.3f}{reach} on the {len(o.examples):,} rows of {o.source}, {seeds}."
    if o.chosen_here:
        first += " These rows also chose the checkpoint, so the figure flatters."
    out = [first]
    if others:
        strongest = max(others, key=lambda other: other["figures"][o.task.main]["value"] or 0.0)
        said = str(strongest["sentence"])
        out.append(said[0].upper() + said[1:])
    out += _worse(o, found, others)
    if sure is not None:
        out.append(_believed(o, sure))
    return out


def _worse(o: Outcome, found: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> list[str]:
    """A correlation does not see it when numbers are far off; whoever always said the same would then be nearer."""
    error = o.task.error
    if error is None:
        return []
    constant = next((other for other in others if other["metric"] == error), None)
    if constant is None or not found[error]["value"] > constant["figures"][error]["value"]:
        return []
    ours, theirs = found[error]["value"], constant["figures"][error]["value"]
    return [
        f"Its {error} of {ours:,.3f} is worse than the {theirs:,.3f} of always answering the {constant['name']}: "
        "however well its numbers rank the rows, as numbers they say less than that mean."
    ]


def _believed(o: Outcome, sure: Mapping[str, Any]) -> str:
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
        f"{said}; it was {sure['error']['before']:.3f} before the temperature of {o.calibration.temperature:.2f}, "
        f"which was fitted on {o.calibration.rows:,} other rows."
    )


def mean_metrics(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The seeds' metrics of one split as their means; None where one is undefined; counts are alike in all."""
    out: dict[str, Any] = {}
    for name, first in each[0].items():
        values = [metrics[name] for metrics in each]
        same = all(value == first for value in values)
        out[name] = first if same else None if None in values else float(np.mean(values))
    return out
