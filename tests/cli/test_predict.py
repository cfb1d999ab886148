"""`maskwright predict`: one JSON object a line, in the order of the input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import maskwright

Run = Callable[..., tuple[int, str, str]]
Reviews = dict[str, list[Any]]


def answers(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


def test_texts_on_the_command_line(run: Run, finished: dict[str, Path]) -> None:
    code, out, err = run(
        "predict", finished["single"] / "model", "--text", "the film was dull", "--text", "the play was lovely"
    )
    assert (code, err) == (0, "")
    assert answers(out) == maskwright.load(finished["single"]).predict(["the film was dull", "the play was lovely"])
    assert [a["label"] for a in answers(out)] == ["bad", "good"]


def test_pairs_on_the_command_line(run: Run, finished: dict[str, Path]) -> None:
    texts = (
        "--text",
        "the film was dull",
        "--pair",
        "a boring play",
        "--text",
        "the song was lovely",
        "--pair",
        "a book",
    )
    code, out, _ = run("predict", finished["pair"], *texts)
    assert code == 0
    given = ["the film was dull", "the song was lovely"], ["a boring play", "a book"]
    assert answers(out) == maskwright.load(finished["pair"]).predict(*given)


@pytest.mark.parametrize("kind", ["single", "pair", "regression"])
def test_a_file_needs_no_labels(
    run: Run, finished: dict[str, Path], reviews: Reviews, kind: str, tmp_path: Path, write_csv: Callable[..., str]
) -> None:
    file = write_csv(tmp_path / "texts.csv", {"other": reviews["other"], "text": reviews["text"]})
    code, out, _ = run("predict", finished[kind], "--data", file)
    assert code == 0
    model = maskwright.load(finished[kind])
    assert answers(out) == model.predict(reviews["text"], reviews["other"] if kind == "pair" else None)
    assert len(answers(out)) == 80


def test_answers_go_into_a_file(run: Run, finished: dict[str, Path], tmp_path: Path) -> None:
    here = run("predict", finished["single"], "--text", "Ein schöner Film ∞")[1]
    code, out, _ = run(
        "predict", finished["single"], "--text", "Ein schöner Film ∞", "--out", tmp_path / "deep" / "a.jsonl"
    )
    assert (code, out) == (0, "")
    assert (tmp_path / "deep" / "a.jsonl").read_text(encoding="utf-8") == here


def test_labels_are_written_as_they_are(run: Run, tiny: Path, tmp_path: Path, reviews: Reviews) -> None:
    labels = ["schön" if label == "good" else "mäßig" for label in reviews["label"]]
    settings = {"train": {"epochs": 1, "threads": 1, "checkpoint_minutes": None}}
    maskwright.finetune(
        train={"text": reviews["text"], "label": labels}, model=tiny, out=tmp_path / "run", settings=settings
    )
    _, out, _ = run("predict", tmp_path / "run", "--text", "a film")
    assert '"schön"' in out


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("single", (), "Give the texts either by --text (repeat it for several) or as a file by --data."),
        ("single", ("--text", "a", "--data", "x.csv"), "Give the texts either by --text"),
        (
            "pair",
            ("--data", "x.csv", "--pair", "b"),
            "--pair goes with --text; in a file the second texts are a column.",
        ),
        ("pair", ("--text", "a"), "This model was trained on pairs (text, other); give both texts."),
        ("single", ("--text", "a", "--pair", "b"), "This model was trained on single texts; give no second text."),
        ("pair", ("--text", "a", "--text", "b", "--pair", "c"), "2 texts and 1 second texts were given"),
        ("single", ("--data", "no/such.csv"), "There is no file 'no/such.csv'."),
    ],
)
def test_a_mistake_is_said(run: Run, finished: dict[str, Path], kind: str, more: tuple[str, ...], said: str) -> None:
    code, out, err = run("predict", finished[kind], *more)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_file_without_the_column(run: Run, finished: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("txt,n\na film,1\n")
    code, _, err = run("predict", finished["single"], "--data", tmp_path / "rows.csv")
    assert code == 2
    assert "There is no column 'text'. Did you mean 'txt'?" in err


def test_a_model_that_is_not_there(run: Run) -> None:
    code, _, err = run("predict", "nowhere", "--text", "a")
    assert code == 2
    assert "There is no model folder 'nowhere'." in err


def test_how_a_file_is_read_can_be_said(run: Run, finished: dict[str, Path], tmp_path: Path, reviews: Reviews) -> None:
    """Settings that the training file needed are needed again, and what was detected is said."""
    file = tmp_path / "texts.txt"
    file.write_text("".join(f"{text}\n" for text in ["review", *reviews["text"][:3]]))
    code, _, err = run("predict", finished["single"], "--data", file)
    assert code == 2
    assert "--set" in err
    told = ("--set", "data.reader=tsv", "--set", "task.text=review")
    code, out, err = run("predict", finished["single"], "--data", file, *told)
    assert code == 0
    assert answers(out) == maskwright.load(finished["single"]).predict(reviews["text"][:3])
    assert "note: " in err
    code, _, err = run("predict", finished["single"], "--data", file, "--set", "train.lr=1")
    assert code == 2
    assert "data.NAME, task.NAME" in err


def test_a_device_that_is_not_there(run: Run, finished: dict[str, Path]) -> None:
    code, _, err = run("predict", finished["single"], "--text", "a film", "--device", "tpu")
    assert code == 2
    assert "The device 'tpu' cannot be used here" in err
