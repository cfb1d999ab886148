"""The page of a real run: every figure on it stands in metrics.json, whatever the task."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Tune = Callable[..., Any]
Reviews = dict[str, list[Any]]

TASKS: dict[str, dict[str, Any]] = {
    "classification": {"baselines": True, "seeds": 2},
    "multi-label": {},
    "regression": {"label": "score"},
}


@pytest.mark.parametrize("task", TASKS)
def test_every_figure_of_a_page_stands_in_metrics_json(
    tune: Tune, reviews: Reviews, tagged: Reviews, task: str, strange_figures: Callable[[Path], set[str]]
) -> None:
    rows = tagged if task == "multi-label" else reviews
    run = tune(task=task, train=rows, settings={"data": {"eval_share": 0.3}}, **TASKS[task])
    html = (run.folder / "report.html").read_text()
    assert "Every figure here stands in metrics.json too" in html
    assert not strange_figures(run.folder)


def test_metrics_json_repeats_what_other_files_hold(tune: Tune) -> None:
    run = tune()
    told = json.loads((run.folder / "metrics.json").read_text())
    config = json.loads((run.folder / "config.json").read_text())
    assert told["data"]["findings"] == json.loads((run.folder / "data.json").read_text())["findings"]
    assert told["data"]["sources"] == config["data"]
    assert told["notes"] == config["notes"]
    loss, evaluations = told["training"]
    log = [json.loads(line) for line in (run.folder / "seeds/0/log.jsonl").read_text().splitlines()]
    assert loss["lines"][0]["y"] == [line["loss"] for line in log if "loss" in line]
    drawn = evaluations["lines"][0]["y"] if evaluations["shape"] == "curve" else [row[2] for row in evaluations["rows"]]
    assert drawn == [line["evaluation"]["accuracy"] for line in log if "evaluation" in line]
