"""`maskwright corpus`: what a person types, sees and is refused."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maskwright.cli.main import main
from maskwright.data.corpus import Corpus
from maskwright.pretraining.collocations import Collocations
from maskwright.text.tokenizer import Tokenizer


def run(args: list[str]) -> int:
    """The exit code of a command line."""
    try:
        return main(args)
    except SystemExit as left:
        return int(left.code or 0)


@pytest.fixture
def books(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    folder.mkdir()
    for i in range(10):
        (folder / f"{i}.txt").write_text(
            f"Book {i} begins. It has [MASK] in it. Its number is {i}, and {i} it stays.\n"
        )
    (folder / "cover.png").write_bytes(b"\x89PNG")
    return folder


def test_phrases(books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, file = str(tmp_path / "corpus"), str(tmp_path / "phrases.npz")
    assert run(["corpus", "build", str(books), "--out", out, "--duplicates", "keep", "--quiet"]) == 0
    Tokenizer.train(sorted(books.glob("*.txt")), size=80).save(tmp_path / "tokenizer")
    asked = ["corpus", "phrases", out, "--tokenizer", str(tmp_path / "tokenizer"), "--out", file, "--least", "5"]
    assert run(asked) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"{file}: {len(Collocations.load(file))} collocations."
    assert "its number" in told[1]
    assert run(asked) == 2
    assert "is there already. Give another --out, or --overwrite to replace it." in capsys.readouterr().err
    assert run([*asked, "--overwrite", "--quiet"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_build_and_stats(books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "corpus")
    assert run(["corpus", "build", str(books), "--out", out, "--held-out", "10%", "--duplicates", "exact"]) == 0
    told = capsys.readouterr()
    assert "Left out, suffixes that tell of no text: 1 (cover.png)." in told.err
    assert told.out.splitlines()[0].split() == ["documents", "sentences", "words", "bytes"]
    assert "special tokens neutralised: 10" in told.out
    made = Corpus.open(out)
    assert made.facts["settings"]["held_out"] == 0.1
    assert run(["corpus", "stats", out]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(told.out)
    assert "note: Left out" in shown
    assert run(["corpus", "stats", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == made.facts


def test_options_become_settings(books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "corpus")
    options = ["--held-out-name", "3", "--held-out-name", "4.txt", "--special", "[X]", "--min-words", "2", "--quiet"]
    assert run(["corpus", "build", str(books), "--out", out, *options, "--workers", "1"]) == 0
    assert capsys.readouterr() == ("", "")
    made = Corpus.open(out)
    assert [d.name for d in made.documents("held-out")] == ["3.txt", "4.txt"]
    assert made.facts["settings"]["specials"][-1] == "[X]"
    assert made.facts["settings"]["min_words"] == 2


def test_mistakes_are_a_paragraph(books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["corpus", "build", str(books), "--out", str(tmp_path / "corpus"), "--held-out", "much"]) == 2
    assert "held_out = 'much'" in capsys.readouterr().err
    assert run(["corpus", "stats", str(books)]) == 2
    assert "holds no corpus (corpus.json). Build one from text: maskwright corpus build" in capsys.readouterr().err


def test_a_build_that_is_killed_goes_on_to_the_same_bytes(
    tmp_path: Path, spawn: Callable[[list[str]], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.jsonl"
    with open(rows, "w") as file:
        for i in range(2500):
            text = " ".join(f"Row {i} has a sentence with number {i * j}." for j in range(1, 21))
            file.write(json.dumps({"text": text}) + "\n")
    out, part = tmp_path / "corpus", tmp_path / "corpus.part"
    args = ["corpus", "build", str(rows), "--held-out", "1%", "--workers", "1", "--out"]
    process = spawn([*args, str(out)])
    deadline = time.monotonic() + 60
    while not (part / "block-000000.arrow").exists() and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not out.exists()
    assert run([*args, str(out)]) == 2
    assert "--resume" in capsys.readouterr().err
    assert run([*args, str(out), "--resume"]) == 0
    assert "of an earlier session are kept" in capsys.readouterr().err
    assert run([*args, str(tmp_path / "whole")]) == 0
    files = {file.name: file.read_bytes() for file in out.iterdir()}
    assert files == {file.name: file.read_bytes() for file in (tmp_path / "whole").iterdir()}
