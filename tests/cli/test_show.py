"""`maskwright show` prints what `models.show` counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

import pytest

from maskwright.cli import main as cli
from maskwright.models import show

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def go(*args: str) -> tuple[int, str, str]:
        try:
            code = cli.main(["show", *args])
        except SystemExit as left:
            code = int(left.code or 0)
        return code, *capsys.readouterr()

    return go


def test_the_command_prints_sizes_parts_and_memory(run: Run) -> None:
    code, out, err = run("bert-large", "--head", "pretraining")
    assert (code, err) == (0, "")
    words = [line.split() for line in out.splitlines()]
    assert ["layers", "24"] in words
    assert ["vocabulary", "30,522"] in words
    assert ["blocks", "attention", "4,198,400", "24", "100,761,600", "30.0%"] in words
    assert ["next", "sentence", "2,050", "2,050", "0.0%"] in words
    assert ["all", "336,226,108", "100.0%"] in words
    assert ["weights", "in", "fp32", "1,344.9", "MB"] in words
    assert max(map(len, out.splitlines())) <= 100


def test_the_command_prints_json(run: Run) -> None:
    code, out, _ = run("bert-tiny", "--json")
    assert code == 0
    assert json.loads(out) == asdict(show("bert-tiny"))


def test_the_command_says_mistakes(run: Run) -> None:
    code, out, err = run("bert-hug")
    assert (code, out) == (2, "")
    assert err.startswith("error: There is no model 'bert-hug'.")
