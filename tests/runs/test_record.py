"""A run's folder is read back whole, in parts, and damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from maskwright.base.errors import UserError
from maskwright.runs.record import Record

Make = Callable[..., Path]


def test_a_whole_run_is_read(make_run: Make) -> None:
    record = Record.read(make_run())
    assert (record.task, record.base, record.seeds) == ("classification", "minilm", [0, 1, 2])
    assert list(record.logs) == [0, 1, 2]
    assert record.started is not None
    assert f"{record.started:%Y-%m-%d %H:%M}" == "2026-11-22 10:00"
    assert record.splits["test"]["rows"] == 1821
    assert record.model["maskwright"]["max_length"] == 128
    assert record.problems == ()


def test_the_main_figure_comes_first(make_run: Make) -> None:
    assert list(Record.read(make_run(metrics={"main": "mcc"})).figures) == ["mcc", "accuracy", "f1_macro"]


def test_figures_go_by_who_gave_the_answers(make_run: Make) -> None:
    record = Record.read(make_run())
    assert record.answered == [("", record.figures)]
    other = Record.read(make_run(metrics={"asked": {"who": "its generator", "beside": ["mcc"]}}))
    assert [(who, list(figures)) for who, figures in other.answered] == [
        ("", ["mcc"]),
        ("its generator", ["accuracy", "f1_macro"]),
    ]


def test_findings_come_by_severity(make_run: Make) -> None:
    odd = {"severity": "odd", "sentence": "Something else."}
    record = Record.read(make_run(data={"findings": [odd, *({"severity": s} for s in ("fact", "warning", "error"))]}))
    assert [f["severity"] for f in record.findings] == ["error", "warning", "fact", "odd"]


def test_seeds_come_in_the_order_of_their_numbers(make_run: Make) -> None:
    folder = make_run(metrics={"seeds": None})
    (folder / "seeds" / "0").rename(folder / "seeds" / "10")
    assert Record.read(folder).seeds == [1, 2, 10]


def test_a_run_that_is_not_finished_is_read(make_run: Make) -> None:
    record = Record.read(make_run(without=("metrics.json", "data.json", "model", "seeds")))
    assert (record.metrics, record.data, record.logs, record.started) == ({}, {}, {}, None)
    assert (record.figures, record.splits, record.seeds, record.findings) == ({}, {}, [], [])
    assert record.task == "classification"


def test_parts_of_another_kind_count_as_missing(make_run: Make) -> None:
    metrics = {"figures": [1], "metrics": 3, "facts": {}, "seeds": "0"}
    record = Record.read(make_run(metrics=metrics, config={"data": 1}))
    assert (record.figures, record.splits, record.sources) == ({}, {}, {})
    assert record.seeds == [0, 1, 2]


def test_a_torn_line_is_said(make_run: Make) -> None:
    folder = make_run()
    with open(folder / "seeds" / "1" / "log.jsonl", "ab") as file:
        file.write(b'{"step": 435, "lo')
    assert Record.read(folder).problems == ("seeds/1/log.jsonl: 1 line could not be read.",)


@pytest.mark.parametrize("what", ["nothing", "a checkpoint"])
def test_what_is_no_run_is_said(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "model"
    if what == "a checkpoint":
        folder.mkdir()
        (folder / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match=r"model is no run of maskwright: .*Give the folder that --out named\."):
        Record.read(folder)


def test_a_damaged_file_is_said(make_run: Make) -> None:
    folder = make_run()
    (folder / "metrics.json").write_text('{"task": ')
    with pytest.raises(UserError, match=r"metrics\.json is not a JSON file"):
        Record.read(folder)
