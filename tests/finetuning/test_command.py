"""The command line that repeats a run asks for exactly what the run was asked for."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from maskwright.base.config import pairs
from maskwright.finetuning._command import command
from maskwright.finetuning.settings import Finetune, gather

NAMES = {"names": ["off, and on", "true"]}


def typed(line: str) -> Finetune:
    """What the command line asks for."""
    program, verb, *words = shlex.split(line)
    assert (program, verb) == ("maskwright", "finetune")
    options = list(zip(words[::2], words[1::2], strict=True))
    assert all(flag.startswith("--") for flag, _ in options)
    given = {flag[2:].replace("-", "_"): value for flag, value in options if flag != "--set"}
    return gather(None, given, pairs(value for flag, value in options if flag == "--set"))


@pytest.mark.parametrize(
    ("options", "sets"),
    [
        ({}, {}),
        ({"train": "my rows.csv", "test": "b.tsv", "text": "sentence", "label": "true", "out": "runs/ä b"}, {}),
        ({"max_length": 64, "seeds": 1, "seed": 7, "long": "tail"}, {"baselines": False}),
        ({}, {"train": {"lr": 3e-5, "epochs": 3, "schedule": {"name": "cosine", "warmup": 0.2}}}),
        ({}, {"train": {"schedule": {"warmup": 0.2}, "checkpoint_minutes": None}, "data": {"delimiter": ";"}}),
        ({"task": "multi-label", "separator": "; ", "threshold": 0.3}, {}),
        ({"task": "multi-label"}, {"task": {"labels": ["film", "a b"]}}),
        ({"corpus": ["wiki, part 1.txt", "books.txt.gz"]}, {}),
        ({}, {"data": {"corpus": "wiki.txt"}}),
        ({"task": "regression", "label": "score"}, {"train": {"tracker": "tensorboard"}}),
        ({}, {"task": NAMES}),
        ({"dropout": 0.2}, {"network": {"classifier_pooling": "mean", "heads": 2}}),
    ],
)
def test_it_asks_for_the_same(options: dict[str, Any], sets: dict[str, Any]) -> None:
    asked = gather(None, options, sets)
    assert typed(command(asked)) == asked


def test_it_is_short() -> None:
    line = command(gather(None, {"train": "a.csv", "text": "sentence"}, {"train": {"lr": 3e-5}}))
    assert line == "maskwright finetune --task classification --train a.csv --text sentence --set train.lr=3e-05"


def test_a_run_on_files_says_it(
    tune: Callable[..., Any], write_csv: Callable[..., str], reviews: dict[str, list[Any]], tmp_path: Any
) -> None:
    run = tune(train=write_csv(tmp_path / "rows.csv", reviews), seeds=1)
    held = json.loads((run.folder / "config.json").read_text())["command"]
    assert f"--train {tmp_path / 'rows.csv'}" in held
    assert held in (run.folder / "README.md").read_text()
    assert json.loads((tune(out="memory", seeds=1).folder / "config.json").read_text())["command"] is None
