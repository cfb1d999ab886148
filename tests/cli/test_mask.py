"""`maskwright mask`: what it prints, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from maskwright.text.tokenizer import Tokenizer

TEXT = "The quick brown fox jumps over the lazy dog, unhappily for the eigenvector."
Run = Callable[..., tuple[int, str, str]]


def test_prints_trials_and_counts(run: Run, minilm: Path) -> None:
    code, out, _ = run("mask", TEXT, "--model", minilm, "--trials", 3, "--masking", "whole-word", "--rate", 0.4)
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("trial")] == ["trial 1", "trial 2", "trial 3"]
    assert "[MASK]" in out
    assert " of 63 pieces chosen (" in out.splitlines()[-1]
    assert run("mask", TEXT, "--model", minilm, "--trials", 3, "--masking", "whole-word", "--rate", 0.4)[1] == out


def test_settings_and_json(run: Run, minilm: Path) -> None:
    sets = ("--set", "masking.masked=1.0", "--set", "masking.random=0", "--set", "masking.copies=1")
    code, out, _ = run("mask", TEXT, "--model", minilm, "--masking", "span", *sets, "--rate", 0.5, "--json")
    assert code == 0
    found = [json.loads(line) for line in out.splitlines()]
    assert len(found) == 5
    assert all(trial == found[0] for trial in found)
    assert set(found[0]["rules"]) == {"masked"}
    assert {found[0]["tokens"][place] for place in found[0]["places"]} == {"[MASK]"}
    assert run("mask", TEXT, "--model", minilm, "--set", "masking.masked=0", "--seed", 3)[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--masking", "span"),
        ("--set", "masking.name=span"),
        ("--set", "masking=span"),
        ("--masking", "whole-word", "--set", "masking.name=span"),
    ],
)
def test_the_rate_holds_however_the_masking_is_named(words: tuple[str, ...], run: Run, minilm: Path) -> None:
    asked = ("mask", TEXT, "--model", minilm, "--trials", 9)
    wanted = run(*asked, "--masking", "span", "--set", "masking.rate=0.6")
    assert wanted[0] == 0
    assert run(*asked, *words, "--rate", 0.6) == wanted
    assert run(*asked, *words) != wanted
    assert run(*asked, *words, "--rate", 0.2, "--set", "masking.rate=0.6") == wanted


def test_a_phrase_file(run: Run, minilm: Path, tmp_path: Path) -> None:
    (tmp_path / "phrases.txt").write_text("quick brown fox\nlazy dog\n")
    where = ("--masking", "phrase", "--set", f"masking.file={tmp_path / 'phrases.txt'}")
    code, out, _ = run("mask", TEXT, "--model", minilm, *where, "--trials", 30, "--json")
    assert code == 0
    chosen = [trial["labels"] for trial in map(json.loads, out.splitlines())]
    assert any("fox" in labels for labels in chosen)
    assert all(("quick" in labels) == ("brown" in labels) == ("fox" in labels) for labels in chosen)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--masking", "spam"), "There is no masking 'spam'. Did you mean 'span'?"),
        (("--masking", "phrase"), "The setting 'file' is needed"),
        (("--masking", "phrase", "--set", "masking.file=gone.txt"), "The phrases 'gone.txt' cannot be read"),
        (("--set", "masking.p=0.3"), "There is no setting 'p'"),
        (("--set", "masked=0.3"), "Did you mean 'masking.masked'?"),
        (("--rate", "1.5"), "start = 1.5"),
        (("--trials", "0"), "trials = 0"),
        (("--model", "nowhere/to/be/found"), "nowhere"),
    ],
)
def test_mistakes(words: tuple[str, ...], said: str, run: Run, minilm: Path) -> None:
    model = () if "--model" in words else ("--model", minilm)
    code, _, err = run("mask", TEXT, *model, *words)
    assert code == 2
    assert said in err
    assert "Traceback" not in err


def test_a_tokenizers_folder(run: Run, tmp_path: Path) -> None:
    Tokenizer.train([TEXT] * 2, size=80).save(tmp_path / "tok")
    code, out, _ = run("mask", TEXT, "--model", tmp_path / "tok", "--trials", 1)
    assert code == 0
    assert "pieces chosen" in out.splitlines()[-1]


def test_no_text(run: Run, minilm: Path) -> None:
    code, _, err = run("mask", "", "--model", minilm)
    assert code == 2
    assert "has no pieces that could be masked" in err
