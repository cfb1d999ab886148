"""`maskwright tokenizer`: what it prints, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import maskwright.models
from maskwright.base.errors import UserError
from maskwright.cli.tokenizer import app
from maskwright.text.tokenizer import Tokenizer

runner = CliRunner()


@pytest.fixture(autouse=True)
def folders_only(monkeypatch: pytest.MonkeyPatch, minilm: Path) -> None:
    """A model's name stands for its folder; how names are found is tested with the models."""
    monkeypatch.setattr(maskwright.models, "locate", lambda name: minilm if name == "minilm" else name, raising=False)


def test_explain_prints_an_aligned_table() -> None:
    done = runner.invoke(app, ["explain", "Playing 我 unhappiness", "--model", "minilm"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].split() == ["word", "normalised", "pieces", "ids", "characters"]
    assert lines[1].split() == ["Playing", "playing", "playing", "2652", "0-7"]
    assert lines[2] == "    in the vocabulary as it stands"
    assert lines[3].split() == ["我", "我", "1855", "8-9"] or lines[3].split()[:3] == ["我", "我", "我"]
    assert lines[5].split()[:6] == ["unhappiness", "unhappiness", "un", "##ha", "##pp", "##iness"]
    assert lines[6].startswith("    longest first: un (not there: unhappiness, unhappines, …, unh; 9 tried), ##ha")
    assert lines[5].index("un ##ha") == lines[0].index("pieces")


def test_explain_shows_control_characters_as_escapes() -> None:
    done = runner.invoke(app, ["explain", "a\x1bb"])
    assert done.exit_code == 0
    assert "\x1b" not in done.output
    assert r"a\x1bb" in done.output
    assert "no words" in runner.invoke(app, ["explain", " "]).output


def test_train_writes_a_folder_that_loads(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("The cat sat. The cat ran. A Cat sat.\n" * 3)
    out = tmp_path / "made"
    done = runner.invoke(app, ["train", str(corpus), "--out", str(out), "--size", "40", "--cased"])
    assert done.exit_code == 0, done.output
    made = Tokenizer.from_folder(out)
    assert not made.lowercase
    assert made.fingerprint() == Tokenizer.train([corpus], size=40, lowercase=False).fingerprint()
    assert f"{made.size} pieces" in done.output
    assert made.fingerprint()[:16] in done.output
    again = runner.invoke(app, ["train", str(corpus), "--out", str(out), "--size", "40"])
    assert isinstance(again.exception, UserError)
    assert "has a tokenizer already" in str(again.exception)
    forced = runner.invoke(app, ["train", str(corpus), "--out", str(out), "--size", "40", "--overwrite"])
    assert forced.exit_code == 0, forced.output
    assert Tokenizer.from_folder(out).lowercase


def test_train_says_when_the_text_gives_fewer_pieces(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("abc abc\n")
    done = runner.invoke(app, ["train", str(corpus), "--out", str(tmp_path / "made"), "--size", "500"])
    assert "fewer than the 500 asked for" in done.output
