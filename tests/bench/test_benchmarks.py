"""The page of the benchmarks: whose days it tells, and that no folder of this machine stands on it."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `bench` is a package of the repository and not of the distribution

from bench import _measure as measure  # noqa: E402
from bench import benchmarks  # noqa: E402


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """The folder of a benchmark of two cases, run on two days."""
    folder = tmp_path / "cache/runs/glue"
    for case, day in (("cola", 28), ("rte", 29)):
        (folder / case).mkdir(parents=True)
        config = {
            "machine": {"processor": "a processor", "device": "cpu", "threads": 2, "torch": "2.13"},
            "versions": {"python": "3.11", "torch": "2.13"},
        }
        (folder / case / "config.json").write_text(json.dumps(config))
        (folder / case / "metrics.json").write_text("{}")
        ended = datetime(2025, 11, day, 12, tzinfo=UTC).timestamp()
        os.utime(folder / case / "metrics.json", (ended, ended))
    verdict = f"accuracy is 0.5 on the 9 rows of {tmp_path}/data/rte/dev.tsv; its model is {folder}/rte/model"
    told = {"seeds": 3, "cases": {"cola": {"verdict": []}, "rte": {"verdict": [verdict]}}}
    (folder / "results.json").write_text(json.dumps(told))
    (folder / "README.md").write_text(f"# GLUE, minilm\n\n| case |\n\nread from {tmp_path}/data\n")
    return folder


def test_no_folder_of_the_machine_is_kept(finished: Path, tmp_path: Path) -> None:
    found = benchmarks.read(finished, tmp_path / "data")
    assert str(tmp_path) not in json.dumps(found)
    assert found["told"]["cases"]["rte"]["verdict"] == [
        "accuracy is 0.5 on the 9 rows of $MASKWRIGHT_DATA/rte/dev.tsv; its model is runs/glue/rte/model"
    ]


def test_the_days_are_those_of_the_runs(finished: Path, tmp_path: Path) -> None:
    page = benchmarks.section("glue", benchmarks.read(finished, tmp_path / "data"))
    assert page.startswith("## GLUE, minilm\n")
    assert "maskwright benchmark glue --data $MASKWRIGHT_DATA --seeds 3 --out runs/glue --resume" in page
    assert "2025-11-28, 2025-11-29: a processor, cpu, 2 threads; python 3.11, torch 2.13." in page
    assert measure.today()[:10] not in page


def test_other_seeds_are_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "cache_folder", lambda name="": tmp_path)
    assert benchmarks.runs(1) != benchmarks.runs(3) == benchmarks.runs(3)
    assert benchmarks.runs(1).is_dir()


def test_pages_of_all_benchmarks_stand_in_the_documentation(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(name: str, seeds: int) -> Any:
        found = benchmarks.read(finished, tmp_path / "data")
        return {**found, "page": f"# {name}\n"}

    monkeypatch.setattr(measure, "ROOT", tmp_path)
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(benchmarks, "run", run)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/results.md").write_text("<!-- benchmarks: begin -->old<!-- benchmarks: end -->")
    benchmarks.main(["squad"], 3)
    benchmarks.main(["glue"], 3)
    page = (tmp_path / "docs/results.md").read_text()
    assert page.index("## glue") < page.index("## squad")
    assert "old" not in page
