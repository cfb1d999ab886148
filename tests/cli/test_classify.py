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


def test_a_file_is_answered_and_judged(judge: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    texts = ["the film was dull", "a play", "the song was wonderful"]
    classes = ("--class", "film=a film", "--class", "play=a play")
    alone = [json.loads(line) for line in run("classify", judge, *texts, *classes)[1].splitlines()]
    rows = [
        {"id": name, "said": text, "about": one["label"]}
        for name, text, one in zip(("r0", "r1", "r2"), texts, alone, strict=True)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = ("--data", tmp_path / "rows.jsonl", "--set", "task.text=said")
    code, _, err = run("classify", judge, *file, *classes, "--id", "id", "--out", tmp_path / "a.jsonl")
    assert (code, err) == (0, "")
    told = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [one["id"] for one in told] == ["r0", "r1", "r2"]
    for one, other in zip(told, alone, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)
    code, out, _ = run("classify", judge, *file, *classes, "--label", "about")
    assert code == 0
    assert "rows.jsonl, 3 rows" in out
    assert out.split("accuracy", 1)[1].split()[0] == "1.0000"


def test_texts_that_were_cut_are_counted(judge: Path, run: Callable[..., Any]) -> None:
    _, out, err = run("classify", judge, "the film was dull " * 9, "a play", "--class", "film, play")
    assert ["pieces_cut" in json.loads(line) for line in out.splitlines()] == [True, False]
    assert err.startswith("note: 1 of 2 texts are longer, with a sentence, than 24 pieces and were cut at the end;")


CLASSES = ("--class", "film, play")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["a play", "--class", "film=a film", "--class", "play"], "tells a sentence and --class play does not"),
        (["a play", "--class", "film=a", "--class", "film=b"], "The class 'film' comes twice; give each once."),
        (["a play", *CLASSES, "--entails", "yes"], "entails = yes is none of the labels entailment, not_entailment"),
        ([*CLASSES], "Give the texts either as arguments"),
        (["a play", *CLASSES, "--data", "rows.csv"], "Give the texts either as arguments"),
        (["a play", *CLASSES, "--label", "topic"], "--label goes with --data."),
        (["--data", "rows.csv", *CLASSES, "--label", "topic", "--id", "n"], "--id has no part in it"),
        (["--data", "rows.csv", *CLASSES, "--label", "topic", "--top", 2], "--top has no part in it"),
        (["--data", "rows.csv", *CLASSES, "--resume"], "--resume goes with --out"),
    ],
)
def test_what_it_refuses(judge: Path, run: Callable[..., Any], args: list[str], said: str) -> None:
    code, out, err = run("classify", judge, *args)
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())


def test_a_model_whose_labels_are_numbers(tiny: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    task = resolve(Task, {"name": "entailment", "entails": "0"})
    Model.build(tiny, task, Labels(("0", "1")), precision="fp32").save(tmp_path / "model")
    first = run("classify", tmp_path / "model", "a play", *CLASSES)[1]
    assert run("classify", tmp_path / "model", "a play", *CLASSES, "--entails", "0")[1] == first
    assert run("classify", tmp_path / "model", "a play", *CLASSES, "--entails", "1", "--denies", "0")[1] != first
