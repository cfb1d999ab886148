"""The command line with several labels a row, typed as a person types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]
Reviews = dict[str, list[Any]]


@pytest.fixture
def tune(run: Run, tiny: Path, sets: list[str], tmp_path: Path) -> Run:
    def go(train: Any, *more: Any) -> tuple[int, str, str]:
        base = ["--task", "multi-label", "--train", train, "--model", tiny, "--out", tmp_path / "run"]
        return run("finetune", *base, *sets, "--seeds", 1, "--set", "train.epochs=1", *more)

    return go


@pytest.fixture
def rows(tagged: Reviews, tmp_path: Path, write_csv: Callable[..., str]) -> dict[str, str]:
    """The same rows as files: labels in one cell cut by ; in columns of 0 and 1, and as ids without a header."""
    text, tags = tagged["text"], ("film", "good", "play")
    (tmp_path / "labels.txt").write_text("film\ngood\nplay\n")
    lines = [
        f"{t}\t{','.join(str(tags.index(tag)) for tag in row)}\n" for t, row in zip(text, tagged["label"], strict=True)
    ]
    (tmp_path / "go.tsv").write_text("".join(lines))
    return {
        "cells": write_csv(tmp_path / "x.csv", {"text": text, "label": [";".join(row) for row in tagged["label"]]}),
        "columns": write_csv(
            tmp_path / "y.csv", {"text": text, **{tag: [int(tag in row) for row in tagged["label"]] for tag in tags}}
        ),
        "ids": str(tmp_path / "go.tsv"),
    }


def test_every_way_to_say_it_gives_the_same_table(tune: Run, rows: dict[str, str], tmp_path: Path) -> None:
    ways: dict[str, tuple[Any, ...]] = {
        "cells": ("--set", "task.separator=;"),
        "columns": ("--set", 'task.labels=["film","good","play"]'),
        "ids": ("--text", "1", "--label", "2", "--names", tmp_path / "labels.txt"),
    }
    tables = {}
    for way, words in ways.items():
        code, out, err = tune(rows[way], *words, "--overwrite")
        assert code == 0, err
        tables[way] = [line.split() for line in out.splitlines()[1:8]]
    assert tables["cells"] == tables["columns"] == tables["ids"]
    names = [line[0] for line in tables["ids"] if line]
    assert names[:4] == ["f1_macro", "f1_micro", "f1_weighted", "f1_samples"]


def test_a_finished_model_predicts_and_is_judged(
    tune: Run, run: Run, rows: dict[str, str], tagged: Reviews, tmp_path: Path
) -> None:
    assert tune(rows["columns"], "--labels", "film,good,play", "--set", "train.epochs=30")[0] == 0
    code, out, _ = run("predict", tmp_path / "run", "--text", "the film was wonderful", "--text", "the book was dull")
    assert code == 0
    film, book = (json.loads(line) for line in out.splitlines())
    assert sorted(film["labels"]) == ["film", "good"]
    assert book["labels"] == []
    assert list(book["probabilities"].values()) == sorted(book["probabilities"].values(), reverse=True)
    code, out, _ = run("evaluate", tmp_path / "run", "--data", rows["columns"], "--json")
    assert code == 0
    judged = json.loads(out)
    assert judged["f1_macro"] > 0.9
    bare = sum(not row for row in tagged["label"])
    _, _, err = run("evaluate", tmp_path / "run", "--data", rows["columns"])
    assert f"note: {bare} of 80 rows have no label.\n" in err
    words = ("--set", "task.labels=none", "--set", "task.separator=;")
    assert json.loads(run("evaluate", tmp_path / "run", "--data", rows["cells"], "--json", *words)[1]) == judged
    strict = ("--set", "task.threshold=0.99")
    code, out, _ = run("evaluate", tmp_path / "run", "--data", rows["columns"], "--json", *strict)
    assert json.loads(out)["f1_micro"] < judged["f1_micro"]
    assert json.loads(out)["mean_average_precision"] == judged["mean_average_precision"]


@pytest.mark.parametrize(
    ("way", "words", "said"),
    [
        ("columns", ("--labels", "film,text"), "the column 'text' would have two meanings."),
        ("columns", ("--labels", "film,god"), "There is no column 'god'. Did you mean 'good'?"),
        ("cells", ("--labels", "label,text2"), "There is no column 'text2'."),
        ("ids", ("--text", "1", "--label", "1", "--names", "no.txt"), "There is no file 'no.txt'."),
        ("cells", ("--separator", ";", "--threshold", "2"), "threshold = 2.0: Input should be less than 1."),
    ],
)
def test_a_mistake_is_said(
    tune: Run, rows: dict[str, str], tmp_path: Path, way: str, words: tuple[str, ...], said: str
) -> None:
    code, out, err = tune(rows[way], *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_cell_that_cannot_be_is_told_with_its_file_and_line(tune: Run, tmp_path: Path) -> None:
    file = tmp_path / "marks.csv"
    file.write_text("text,film,good\n" + "a film,1,0\na book,0,1\n" * 10 + "a play,0,2\n")
    code, _, err = tune(file, "--labels", "film,good")
    assert code == 2
    assert f"{file} line 22: the indicator 'good' holds '2'. Allowed: 0, 1, false, true." in err
    file.write_text("text,label\na film,\na play,\n")
    assert f"{file}: none of 2 rows has a label in the column 'label'." in tune(file)[2]
