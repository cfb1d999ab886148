"""How a run trained, as its page draws it; and all else of a page's figures that other files hold, for metrics.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.runs.record import LOG, Record, listed
from maskwright.runs.shapes import Cell, Curve, Line, Shape, Table

POINTS = 200  #: of a line

Log = Sequence[Mapping[str, Any]]
Points = list[tuple[float, Any]]


def elsewhere(folder: str | Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """What a page shows of data.json, config.json and log.jsonl, as `metrics.json` repeats it, so that whoever has that
    one file has every figure of the page.

    told: the summary of the run, which is not yet written; it says which seed was saved and which metric is the main.
    """
    record = Record.read(folder)
    curves = training(record.logs, told["saved"]["seed"], told["main"])
    return {
        "data": {"sources": record.sources, **record.data},
        "notes": listed(record.config.get("notes")),
        "training": [curve.plain() for curve in curves],
    }


def training(logs: Mapping[int, Log], saved: int | None, main: str | None) -> list[Shape]:
    """Loss and evaluations over the steps, a line for each seed. saved: the seed whose model is kept; main: the metric
    to draw, by default the first that was evaluated."""
    names = {seed: f"seed {seed}{' (saved)' if seed == saved and len(logs) > 1 else ''}" for seed in logs}
    losses = {
        names[seed]: [(row["step"], row["loss"]) for row in log if _numbers(row.get("step"), row.get("loss"))]
        for seed, log in logs.items()
    }
    judged = {
        names[seed]: [(row["step"], row["evaluation"]) for row in log if _is_evaluation(row)]
        for seed, log in logs.items()
    }
    main = main or next((metric for points in judged.values() for _, found in points for metric in found), None)
    evaluations = {name: [(step, found.get(main)) for step, found in points] for name, points in judged.items()}
    shapes = [_shape("Training loss", "loss", losses), _shape("Evaluations", str(main), evaluations)]
    return [shape for shape in shapes if shape is not None]


def _shape(title: str, figure: str, points: Mapping[str, Points]) -> Shape | None:
    """A curve; where no line has two points, a table; nothing where there is none."""
    longest = max(map(len, points.values()), default=0)
    if longest < 2:
        rows: list[list[Cell]] = [[name, *of[0]] for name, of in points.items() if of]
        return Table(title, ["", "step", figure], rows) if rows else None
    lines = []
    for name, of in points.items():
        if of:
            drawn = _means(of)
            lines.append(Line(name, [_whole(x) for x, _ in drawn], [y for _, y in drawn]))
    apart = math.ceil(longest / POINTS)
    note = f"Each point is the mean of up to {apart:,} logged ones; all are in {LOG}." if apart > 1 else ""
    return Curve(title, "step", figure, lines, note)


def _means(points: Points) -> Points:
    """At most POINTS points, each the mean of equally many neighbours (the last of fewer)."""
    size = math.ceil(len(points) / POINTS)
    if size == 1:
        return points
    whole = np.array(points, np.float64)  # None becomes NaN
    return [tuple(whole[i : i + size].mean(0).tolist()) for i in range(0, len(points), size)]


def _whole(step: float) -> float:
    return int(step) if float(step).is_integer() else step


def _is_evaluation(row: Mapping[str, Any]) -> bool:
    return _numbers(row.get("step")) and isinstance(row.get("evaluation"), dict)


def _numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
