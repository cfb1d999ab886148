"""What a run says in the end: figures with intervals, beside the baselines, calibrated, and in a few sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maskwright.evaluation.baselines import baselines
from maskwright.evaluation.figures import figures
from maskwright.evaluation.outcome import Outcome
from maskwright.evaluation.sureness import believed, sureness
from maskwright.stats import measures
from maskwright.stats.comparison import MakeMeasure, compare, sentence
from maskwright.stats.measures import Measure
from maskwright.tasks import Examples, Task


def summary(outcome: Outcome, train: Examples, held: Examples | None, beside: bool = True) -> dict[str, Any]:
    """As JSON. train, held: rows for the baselines to learn from and be tuned on; `beside`: whether there are any."""
    o, targets = outcome, outcome.examples.targets
    assert targets is not None
    found = figures(o.task, o.scores, targets, o.calibrations)
    others = _baselines(o, train, held) if beside else []
    sure = sureness(o)
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
        metric = str(task.error) if undefined else task.main
        given = (o.kept, o.calibration), (system.scores, system.calibration)
        sides = [task.settled(scores, calibration, metric) for scores, calibration in given]
        verdict = compare(_measured(task, metric), targets, *sides)
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


def _measured(task: Task, metric: str) -> MakeMeasure:
    def make(targets: np.ndarray, scores: np.ndarray) -> Measure:
        return measures.gain(task.measures(scores, targets)[metric])

    return make


def _verdict(
    o: Outcome, found: Mapping[str, Any], others: Sequence[Mapping[str, Any]], sure: Mapping[str, Any] | None
) -> list[str]:
    """The figure, whether a cheaper system would do, whether one answer for all would be nearer to the numbers, and
    whether the probabilities can be believed."""
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
        out.append(believed(o, sure))
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


def mean_metrics(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The seeds' metrics of one split as their means; None where one is undefined; counts are alike in all."""
    out: dict[str, Any] = {}
    for name, first in each[0].items():
        values = [metrics[name] for metrics in each]
        same = all(value == first for value in values)
        out[name] = first if same else None if None in values else float(np.mean(values))
    return out
