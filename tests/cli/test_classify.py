"""`maskwright classify`: what it prints, and what it refuses."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maskwright.base.choice import resolve
from maskwright.data.labels import Labels
from maskwright.tasks import Model, Task


@pytest.fixture(scope="module")
def judge(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("judge") / "model"
    labels = Labels(("entailment", "not_entailment"))
    Model.build(tiny, resolve(Task, "entailment"), labels, precision="fp32").save(out)
    return out


def test_texts_are_classified(judge: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    _, out, _ = run("classify", judge, "the film was dull", "a play", "--class", "film, play", "--template", "a {}")
    answers = [json.loads(line) for line in out.splitlines()]
    assert all(set(answer["probabilities"]) == {"film", "play"} for answer in answers)
    assert len(answers) == 2
    sentences = ("--class", "film=a film", "--class", "play=a play")
    assert run("classify", judge, "the film was dull", "a play", *sentences)[1] == out
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"the film was dull\na play\n"))))
    assert run("classify", judge, "-", *sentences)[1] == out
    _, out, _ = run("classify", judge, "a play", *sentences, "--many")
    assert "labels" in json.loads(out)


def test_what_it_refuses(judge: Path, run: Callable[..., Any]) -> None:
    code, _, err = run("classify", judge, "a play", "--class", "film=a film", "--class", "play")
    assert code != 0
    assert "tells a sentence and --class play does not" in err
