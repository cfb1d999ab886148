"""The sets that `bench.tasks` makes from what is at hand: functions of a library, cells of a table."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `bench` is a package of the repository and not of the distribution

from bench import _measure as measure  # noqa: E402
from bench import tasks  # noqa: E402

SOURCE = '''
def long(a):
    """What it is for."""
    # a remark
    if a:
        return 1
    return 2

def short(a):
    return a

def of(number):
    b = 7
    c = b
    return c
'''


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(measure, "cache_folder", lambda name="": tmp_path)
    return tmp_path


def test_functions_are_told_by_their_code_alone() -> None:
    first, second = tasks.functions(SOURCE)
    assert first == "def long(a):\n    if a:\n        return 1\n    return 2"
    assert second.startswith("def of(number):\n    b = 7")
    assert list(tasks.functions("def broken(")) == []
    body = "".join(f"    a = {i}\n" for i in range(60))
    assert list(tasks.functions(f"def endless():\n{body}")) == []


def test_the_set_of_code_has_some_functions_of_each_module(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = made / "library"
    for name, count in (("json/decoder", 20), ("json/test/test_decoder", 3), ("csv", 2), ("nobody_knows_it", 3)):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        body = "".join(f"def f{i}(a):\n    b = {i}\n    c = b\n    return c\n" for i in range(count))
        (library / f"{name}.py").write_text(body)
    monkeypatch.setattr(tasks.sysconfig, "get_path", lambda name: str(library))
    tasks.code()
    rows = [json.loads(line) for line in (made / "code/functions.jsonl").read_text().splitlines()]
    counts = {module: sum(row["module"] == module for row in rows) for module in {row["module"] for row in rows}}
    assert counts == {"json": tasks.FUNCTIONS, "csv": 2}
    assert {row["area"] for row in rows} == {"text and markup", "files and persistence"}
    assert len({row["code"] for row in rows if row["module"] == "json"}) == tasks.FUNCTIONS


def test_the_set_of_a_table_has_a_column_for_each_measure(made: Path) -> None:
    tasks.cells()
    with open(made / "table/cells.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 569
    assert len(rows[0]) == 31
    assert {row["diagnosis"] for row in rows} == {"malignant", "benign"}
    assert sum(row["diagnosis"] == "benign" for row in rows) == 357
    assert float(rows[0]["mean radius"]) == pytest.approx(17.99)
