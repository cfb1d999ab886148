"""`maskwright tokenizer`: what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import novel
import pytest
from typer.testing import CliRunner

import maskwright.models
import maskwright.pretraining.reading
from maskwright.base.errors import UserError
from maskwright.cli.tokenizer import app
from maskwright.text.tokenizer import Tokenizer

runner = CliRunner()


@pytest.fixture(autouse=True)
def folders_only(monkeypatch: pytest.MonkeyPatch, minilm: Path) -> None:
    """A model's name stands for its folder; how names are found is tested with the models."""
    for module in (maskwright.models, maskwright.pretraining.reading):
        monkeypatch.setattr(module, "locate", lambda name: minilm if name == "minilm" else name, raising=False)


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


def test_explain_takes_a_tokenizers_folder(tmp_path: Path) -> None:
    Tokenizer.train(["play the game"] * 2, size=60).save(tmp_path / "tok")
    assert "play" in runner.invoke(app, ["explain", "play", "--model", str(tmp_path / "tok")]).output


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


TEXT = "Unhappiness: the cats sat.\n" * 3


def test_train_takes_the_training_documents_of_a_corpus(tmp_path: Path) -> None:
    made, out = novel.corpus(tmp_path), tmp_path / "tokenizer"
    done = runner.invoke(app, ["train", str(made.folder), "--out", str(out), "--size", "150"])
    assert done.exit_code == 0, done.output
    sentences = [sentence for document in made.documents("train") for sentence in document.sentences]
    assert Tokenizer.from_folder(out).fingerprint() == Tokenizer.train(sentences, size=150).fingerprint()


def test_stats_of_one_and_of_two(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    done = runner.invoke(app, ["stats", str(text), "--words", "2"])
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.output.splitlines()]
    assert lines[:2] == [["minilm"], ["words", "18"]]
    assert lines[2] == ["pieces", "27"]
    assert lines[3] == ["pieces", "a", "word", "1.5000"]
    assert lines[4] == ["words", "kept", "whole", "83.333%"]
    assert ["Unhappiness", "un", "##ha", "##pp", "##iness"] in lines
    assert ["Unhappiness", "3", "un", "##ha", "##pp", "##iness"] in lines
    made = Tokenizer.from_vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", ".", "sat"])
    made.save(tmp_path / "other")
    done = runner.invoke(app, ["stats", str(text), "--model", "minilm", "--model", str(tmp_path / "other")])
    assert f"longest words cut by {'minilm'}" in done.output
    shares = next(line for line in done.output.splitlines() if line.startswith("words with an unknown piece"))
    assert shares.split()[-2:] == ["0.000%", "50.000%"]


def test_stats_of_a_corpus_as_json(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    from maskwright.data.corpus import build

    build([tmp_path / "text.txt"], tmp_path / "corpus", {"held_out": 0.0}, workers=1, quiet=True)
    done = runner.invoke(app, ["stats", str(tmp_path / "corpus"), "--json"])
    told = json.loads(done.output)["minilm"]
    assert told["pieces_per_word"] == 1.5
    assert told["frequent"][0]["word"] == "Unhappiness"


def test_stats_refuses(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text(" ")
    (tmp_path / "bad.txt").write_bytes(b"ok\ncaf\xe9")
    for place, words in {
        "empty.txt": "no word in what was given",
        "bad.txt": "line 2: not text in UTF-8",
        "none.txt": "There is no file or folder",
        ".": "holds no corpus",
    }.items():
        done = runner.invoke(app, ["stats", str(tmp_path / place)])
        assert isinstance(done.exception, UserError), place
        assert words in str(done.exception)
