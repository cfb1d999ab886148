"""`maskwright evaluate`: the table, JSON, other columns, and mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import maskwright
from maskwright.evaluation import evaluate

Run = Callable[..., tuple[int, str, str]]
Reviews = dict[str, list[Any]]


def plain(out: str) -> dict[str, Any]:
    """The metrics and counts of a JSON object, each metric of which also has an interval, unless it never errs."""
    told = json.loads(out)
    intervals = told.pop("intervals")
    assert all(intervals[name]["value"] == pytest.approx(told[name]) for name in intervals)
    bounded = [figure for figure in intervals.values() if figure["low"] is not None]
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in bounded)
    assert all(figure in bounded or figure["value"] == 1 for figure in intervals.values())
    return told


def test_it_prints_the_metrics_of_the_model(
    run: Run, finished: dict[str, Path], csv_file: str, reviews: Reviews
) -> None:
    code, out, err = run("evaluate", finished["single"] / "model", "--data", csv_file)
    assert code == 0
    expected = evaluate(maskwright.load(finished["single"]), reviews).plain()
    assert expected["accuracy"] > 0.8
    rows = {line.split()[0]: line.split()[1] for line in out.splitlines()[1:]}
    assert rows["accuracy"] == f"{expected['accuracy']:.4f}"
    assert "80 rows" in out.splitlines()[0]
    assert err == f"note: {csv_file}: comma-separated, header (text, other, label, score), quoting on.\n"


@pytest.mark.parametrize("kind", ["single", "pair", "regression"])
def test_json_is_one_object_and_a_run_folder_will_do(
    run: Run, finished: dict[str, Path], csv_file: str, reviews: Reviews, kind: str
) -> None:
    code, out, _ = run("evaluate", finished[kind], "--data", csv_file, "--json")
    assert code == 0
    assert plain(out) == evaluate(maskwright.load(finished[kind]), reviews).plain()
    assert out.count("\n") == 1


def test_other_columns_are_said_by_set(
    run: Run, finished: dict[str, Path], reviews: Reviews, tmp_path: Path, write_csv: Callable[..., str]
) -> None:
    renamed = {"sentence": reviews["text"], "gold": reviews["label"]}
    file = write_csv(tmp_path / "renamed.csv", renamed)
    code, out, err = run("evaluate", finished["single"], "--data", file)
    assert (code, out) == (2, "")
    assert "There is no column 'text'." in err
    columns = ("--set", "task.text=sentence", "--set", "task.label=gold")
    code, out, _ = run("evaluate", finished["single"], "--data", file, "--json", *columns)
    assert code == 0
    assert plain(out) == evaluate(maskwright.load(finished["single"]), reviews).plain()


def test_how_the_file_is_read_is_said_by_set(run: Run, finished: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "rows.txt"
    file.write_text("the film was dull|bad\na lovely play|good\n")
    words = ["data.reader=csv", "data.header=false", "data.delimiter=|", "task.text=1", "task.label=2"]
    code, out, _ = run(
        "evaluate", finished["single"], "--data", file, "--json", *[w for word in words for w in ("--set", word)]
    )
    assert code == 0
    assert json.loads(out)["rows"] == 2


def test_an_undefined_metric_is_called_so(run: Run, finished: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("text,score\na film,1\na play,1\n")
    code, out, _ = run("evaluate", finished["regression"], "--data", file)
    assert code == 0
    assert "pearson" in out
    assert "undefined" in out
    assert json.loads(run("evaluate", finished["regression"], "--data", file, "--json")[1])["pearson"] is None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--set", "train.lr=3"), "There is no --set here 'train'."),
        (("--set", "data=3"), "Did you mean 'data.NAME'?"),
        (("--set", "data.haeder=false"), "--set data: There is no setting 'haeder'. Did you mean 'header'?"),
        (("--set", "task.lable=x"), "There is no setting 'lable'. Did you mean 'label'?"),
        (("--set", "task.label=lable"), "There is no column 'lable'. Did you mean 'label'?"),
        (("--set", "task.label=other"), "There is no label "),
    ],
)
def test_a_mistake_is_said(
    run: Run, finished: dict[str, Path], csv_file: str, more: tuple[str, ...], said: str
) -> None:
    code, out, err = run("evaluate", finished["single"], "--data", csv_file, *more)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_model_that_is_none(run: Run, tiny: Path, csv_file: str) -> None:
    code, _, err = run("evaluate", tiny, "--data", csv_file)
    assert code == 2
    assert f"{tiny} is an encoder without a task" in err
