"""Fine-tuning on questions with choices: learnt, reported, compared, asked again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maskwright
from maskwright.evaluation.compare import compare
from maskwright.tasks import Bulk

Rows = dict[str, list[Any]]


@pytest.fixture(scope="session")
def riddles() -> Rows:
    """The choice that goes on with the question's thing is right."""
    things, random = ["film", "play", "book", "song", "story"], np.random.default_rng(0)
    out: Rows = {"question": [], "choices": [], "label": []}
    for i in range(120):
        some = random.permutation(things)[: 2 + i % 2].tolist()
        right = int(random.integers(len(some)))
        out["question"].append(f"the {some[right]}")
        out["choices"].append([f"a {thing} was" for thing in some])
        out["label"].append("ABC"[right])
    return out


def test_choices_are_learnt_and_reported(
    tune: Callable[..., Any], riddles: Rows, tmp_path: Path, strange_figures: Callable[[Path], set[str]]
) -> None:
    run = tune(task="choice", train=riddles, baselines=True, settings={"train": {"epochs": 40, "lr": 2e-3}}, out="good")
    assert run.metrics["test"]["accuracy"] > 0.8
    names = [other["name"] for other in run.summary["baselines"]]
    assert names == ["commonest place", "TF-IDF of the choices + logistic regression"]
    titles = [fact["title"] for fact in run.summary["facts"]]
    assert titles == ["Kinds of questions", "Wrong, and sure of it", "How long the texts are"]
    assert not strange_figures(run.folder)
    assert run.predict("the song", ["a film was", "a song was"])[0]["choice"] == "a song was"
    other = tune(task="choice", train=riddles, settings={"train": {"epochs": 1, "lr": 1e-6}}, out="bad")
    verdict = compare(run.folder, other.folder).verdicts["accuracy"]
    assert verdict.difference.value > 0.2
    assert not maskwright.check_data(task="choice", train=riddles).of_severity("error")
    lines = [
        {"question": q, "choices": c} for q, c in zip(riddles["question"][:6], riddles["choices"][:6], strict=True)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for suffix in ("csv", "parquet", "jsonl"):
        Bulk(run.model, tmp_path / "rows.jsonl").write(tmp_path / f"answers.{suffix}")
    said = [json.loads(line)["number"] for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert said == [a["number"] for a in run.predict(riddles["question"][:6], riddles["choices"][:6])]


def test_what_is_cut_off_a_question_is_told_once_with_its_share(
    tune: Callable[..., Any], riddles: Rows, tmp_path: Path, undrawn: None
) -> None:
    """The share is of the pieces of all choices, each behind its question."""
    rows: Rows = {"question": ["a play", "the film was dull " * 4], "choices": [["a film was", "a song was"]] * 2,
                  "label": ["A", "B"]}  # fmt: skip
    run = tune(task="choice", train=riddles, test=rows, max_length=12, settings={"train": {"epochs": 1}})
    firsts = [question for question in rows["question"] for _ in range(2)]
    lengths = run.model.tokenizer.encode(firsts, [choice for some in rows["choices"] for choice in some]).lengths
    lost = int((lengths - 12).clip(0).sum())
    assert [note for note in run.notes if "longer than 12 pieces" in note] == [
        "1 of 2 test texts are longer than 12 pieces and were cut at the end of the question (first at the data given "
        f"row 2): {lost} pieces, {lost / lengths.sum():.1%} of all, are never seen. Other ways to shorten a question "
        "are --long tail and head-tail."
    ]
    said = "A question that is longer than 12 pieces with a choice is cut at its end; of the 2 reported ones 1 were."
    assert said in (run.folder / "README.md").read_text()
    lines = [{"question": q, "choices": c} for q, c in zip(rows["question"], rows["choices"], strict=True)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    bulk = Bulk(run.model, tmp_path / "rows.jsonl")
    assert bulk.summary(bulk.write(tmp_path / "answers.jsonl")) == [
        "1 of 2 texts are longer than 12 pieces and were cut at the end of the question; `pieces_cut` says by how much."
    ]


@pytest.mark.realdata
def test_a_real_file_is_read_as_it_stands(tune: Callable[..., Any], data: Path, minilm: Path) -> None:
    """ARC: five columns without names, letters and a few numbers, sometimes three choices."""
    table = maskwright.data.read.read(data / "arc/ARC-C/test/arc_challenge_test.csv", {"name": "csv", "header": False})
    run = tune(
        task={"name": "choice", "text": "1", "pair": "2,3,4,5", "label": "6"}, model=minilm,
        train=table.select(range(16)), test=table.select(range(250, 266)), settings={"train": {"epochs": 1}},
    )  # fmt: skip
    assert 0 <= run.metrics["test"]["accuracy"] <= 1
