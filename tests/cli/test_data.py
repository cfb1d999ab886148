"""`maskwright data check`: what it prints, its JSON, its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def leaky(reviews: dict[str, list[Any]], write_csv: Callable[..., str], tmp_path: Path) -> str:
    """The first ten of the training rows once more."""
    return write_csv(tmp_path / "dev.csv", {name: cells[:10] for name, cells in reviews.items()})


def test_it_prints_the_most_serious_first(run: Run, csv_file: str, leaky: str, tiny: Path) -> None:
    code, out, err = run("data", "check", "--train", csv_file, "--eval", leaky, "--model", tiny)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "error: 10 of 10 eval rows (100 %) have the text of a train row; figures on eval flatter."
    assert lines[1].startswith(f"    {leaky} line 2, as {csv_file} line ")
    severities = [line.partition(":")[0] for line in lines[:-2] if not line.startswith("    ")]
    assert set(severities) == {"error", "warning", "fact"}
    assert severities == sorted(severities, key=["error", "warning", "fact"].index)
    count = severities.count
    assert lines[-2:] == ["", f"errors: {count('error')}, warnings: {count('warning')}, facts: {count('fact')}"]


def test_json_holds_all_of_it(run: Run, csv_file: str, leaky: str) -> None:
    code, out, _ = run("data", "check", "--train", csv_file, "--eval", leaky, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["errors"] == len([f for f in found["findings"] if f["severity"] == "error"]) == 1
    leak = found["findings"][0]
    assert (leak["kind"], leak["count"], leak["values"]["lines"]) == ("leak", 10, list(range(2, 12)))


def test_strict_leaves_with_1_when_there_are_errors(run: Run, csv_file: str, leaky: str) -> None:
    assert run("data", "check", "--train", csv_file, "--eval", leaky, "--strict")[0] == 1
    assert run("data", "check", "--train", csv_file, "--eval", leaky, "--strict", "--json")[0] == 1
    assert run("data", "check", "--train", csv_file, "--strict")[0] == 0


def test_columns_settings_and_a_corpus(
    run: Run, reviews: dict[str, list[Any]], write_csv: Callable[..., str], tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "a.csv", {"sentence": reviews["text"], "stars": reviews["score"]})
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(reviews["text"]))
    args = ["--train", path, "--task", "regression", "--text", "sentence", "--label", "stars", "--corpus", corpus]
    code, out, _ = run("data", "check", *args, "--set", "data.header=true")
    assert code == 0
    assert "fact: 80 of 80 train rows (100 %) stand in the declared corpus." in out
    assert "fact: 80 train scores from " in out


def test_long_texts_are_counted_as_they_are_read(
    run: Run, write_csv: Callable[..., str], tiny: Path, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "a.csv", {"text": ["the film was dull " * 9, "a play"] * 4, "label": ["a", "b"] * 4})
    args = ["data", "check", "--train", path, "--model", tiny, "--max-length", "12"]
    assert "50 % (4) will be cut at 12." in run(*args)[1]
    assert "none will be cut at 12." in run(*args, "--long", "chunk-mean")[1]
    assert "long = native reads as many pieces" in " ".join(run(*args, "--long", "native")[2].split())


def test_a_mistake_is_one_paragraph(run: Run, csv_file: str) -> None:
    code, out, err = run("data", "check", "--train", csv_file, "--text", "txt")
    assert (code, out) == (2, "")
    assert "There is no column 'txt'. Did you mean 'text'?" in err
    assert run("data", "check")[0] == 2


def test_its_help(run: Run) -> None:
    code, out, _ = run("data", "check", "--help")
    assert code == 0
    files, columns = ("train", "eval", "test", "corpus"), ("text", "pair", "label")
    for name in (*files, *columns, "task", "model", "max-length", "long", "set", "strict", "json"):
        assert f"--{name} " in out
    assert "check" in run("data", "--help")[1]
