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


CLASSES = [
    "Class by class", "What is taken for what", "Does it know how sure it is?",
    "If it answered only where it is surest", "How good its probabilities are", "Sets that hold the true label",
    "Where it fails", "Wrong, and sure of it", "How long the texts are",
]  # fmt: skip


def _pages(reviews: Reviews) -> dict[str, dict[str, Any]]:
    """Runs whose pages are those of classes, with what each adds."""
    pairs = {"premise": reviews["text"], "hypothesis": reviews["other"]}
    stars = [min(int(score), 4) for score in reviews["score"]]
    return {
        "ordinal": {"task": "ordinal", "train": {"text": reviews["text"], "label": stars}},
        "entailment": {
            "task": "entailment",
            "train": {**pairs, "label": ["yes" if label == "good" else "no" for label in reviews["label"]]},
        },
        "long": {"long": "chunk-mean", "max_length": 6},
    }


@pytest.mark.parametrize("kind", ["ordinal", "entailment", "long"])
def test_pages_of_ranks_of_entailment_and_of_long_texts(
    tune: Tune, reviews: Reviews, kind: str, strange_figures: Callable[[Path], set[str]]
) -> None:
    run = tune(**_pages(reviews)[kind])
    facts = {fact["title"]: fact for fact in run.summary["facts"]}
    assert list(facts) == CLASSES
    html = (run.folder / "report.html").read_text()
    assert not strange_figures(run.folder)
    classes, figures = [row[0] for row in facts["Class by class"]["rows"]], list(run.summary["figures"])
    crossed = facts["What is taken for what"]
    rows = run.metrics["test"]["rows"]
    assert (crossed["rows"], sum(map(sum, crossed["cells"]))) == (classes, rows), "all rows, in the labels' order"
    hits = sum(crossed["cells"][i][i] for i in range(len(classes)))
    assert hits / rows == pytest.approx(run.metrics["test"]["accuracy"])
    lengths = facts["How long the texts are"]
    if kind == "ordinal":
        assert classes == ["0", "1", "3", "4"]
        assert figures[:2] == ["kappa", "mae"]
        off = sum(abs(i - j) * n for i, row in enumerate(crossed["cells"]) for j, n in enumerate(row))
        assert off / rows == pytest.approx(run.metrics["test"]["mae"])
    elif kind == "entailment":
        assert classes == ["no", "yes"]
        shown = facts["Wrong, and sure of it"]["texts"]
        assert all(text["second"] in reviews["other"] for text in shown)
    else:
        assert lengths["mark"] is None, "nothing is cut off"
        assert "chunks" in lengths["note"]
        assert "in chunks" in html


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
