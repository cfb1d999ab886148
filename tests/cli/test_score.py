"""`maskwright score`: texts, files and minimal pairs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_a_line_a_text_and_their_sum(run: Run, words: Path) -> None:
    code, out, err = run("score", words, "the film was dull", "a lovely ☃ book")
    assert code == 0
    head, one, two, both = (line.split("  ") for line in out.splitlines())
    assert head[-1] == "text"
    assert (one[-1], two[-1], both[-1]) == ("the film was dull", "a lovely ☃ book", "(2 texts)")
    sums = [float(line[0 if line[0] else 1]) for line in ([*filter(None, each)] for each in (one, two, both))]
    assert sums[2] == pytest.approx(sums[0] + sums[1], abs=2e-4)
    assert "1 piece could not be written with the vocabulary" in err


def test_pieces_and_json(run: Run, words: Path) -> None:
    _, out, _ = run("score", words, "the film was dull", "--pieces")
    each = [line.split() for line in out.splitlines()[2:]]
    assert [piece for _, piece in each] == ["the", "film", "was", "dull"]
    _, out, _ = run("score", words, "the film was dull", "--pieces", "--json", "--method", "within-word")
    (found,) = map(json.loads, out.splitlines())
    assert found["log_prob"] == pytest.approx(sum(value for _, value in found["each"]))
    assert (found["pieces"], found["words"], found["unknown"]) == (4, 4, 0)
    assert found["log_prob"] == pytest.approx(sum(float(value) for value, _ in each), abs=1e-3), "words of one piece"


def test_a_file_and_stdin(run: Run, words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = "the film was dull\na lovely book\n"
    (tmp_path / "texts.txt").write_text(texts)
    _, out, _ = run("score", words, "--file", tmp_path / "texts.txt", "--json")
    assert [json.loads(line)["text"] for line in out.splitlines()] == texts.splitlines()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(texts.encode()))))
    assert run("score", words, "--file", "-", "--json")[1] == out
    (tmp_path / "rows.csv").write_text("said,n\nthe film was dull,1\na lovely book,2\n")
    assert run("score", words, "--file", tmp_path / "rows.csv", "--column", "said", "--json")[1] == out


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    folder = tmp_path / "pairs"
    folder.mkdir()
    for name, field in (("one", "syntax"), ("two", "semantics")):
        row: dict[str, Any] = {"UID": name, "field": field, "linguistics_term": "agreement"}
        sentences = [("the film was dull", "the films was dull"), ("a book", "a books"), ("the song", "the song")]
        lines = [json.dumps({"sentence_good": good, "sentence_bad": bad, **row}) for good, bad in sentences]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_pairs_by_category(run: Run, words: Path, pairs: Path) -> None:
    code, out, err = run("score", words, "--pairs", pairs)
    assert code == 0
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert lines[0] == ["pairs", "ties", "accuracy", "95", "%"]
    assert lines[1][:3] == ["all", "6", "2"]
    assert [line[0] for line in lines[2:]] == [
        "field", "semantics", "syntax", "term", "agreement", "paradigm", "one", "two",
    ]  # fmt: skip
    assert "The two sentences of 2 pairs are the same" in err
    told = json.loads(run("score", words, "--pairs", pairs, "--limit", 2, "--json")[1])
    assert (told["overall"]["pairs"], told["overall"]["ties"], told["limit"]) == (4, 0, 2)
    assert told["overall"]["low"] < told["overall"]["value"] < told["overall"]["high"] or told["overall"]["value"] in (
        0,
        1,
    )


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "Give texts, or --file, or --pairs; one of the three."),
        (("the film", "--file", "x.txt"), "one of the three"),
        (("the film", "--limit", 3), "--limit goes with --pairs"),
        (("--pairs", "x", "--pieces"), "--pieces goes with texts or --file"),
        (("--pairs", "gone"), "There is no file 'gone'"),
        (("--file", "gone.txt"), "There is no file 'gone.txt'"),
        (("the film", "--method", "words"), "'words' is not one of"),
        (("",), "Text 1 has no pieces to score"),
    ],
)
def test_mistakes(args: tuple[str, ...], said: str, run: Run, words: Path) -> None:
    code, _, err = run("score", words, *args)
    assert code == 2
    assert said in " ".join(err.replace("│", " ").split())


def test_a_bad_line_is_named(run: Run, words: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("the film was dull\n\na lovely book\n")
    code, out, err = run("score", words, "--file", tmp_path / "texts.txt")
    assert code == 2
    assert out.splitlines()[-1].endswith("the film was dull")
    assert "texts.txt line 2 has no pieces to score" in err
