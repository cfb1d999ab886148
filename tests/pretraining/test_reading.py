"""Text that is no corpus yet: what cannot be judged is said, with a command that mends it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from novel import texts

from maskwright.base.errors import UserError
from maskwright.cli.main import main
from maskwright.data.corpus import Corpus
from maskwright.pretraining.reading import corpus_of


def run(*args: str) -> int:
    """The exit code of a command line."""
    try:
        return main(list(args))
    except SystemExit as left:
        return int(left.code or 0)


def refused(text: Path, out: Path) -> str:
    with pytest.raises(UserError) as caught:
        corpus_of(str(text), out, None, quiet=True)
    return str(caught.value)


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of 40 parts with blank lines between them, in a folder whose name a shell would take apart."""
    folder = tmp_path / "one book"
    folder.mkdir()
    (folder / "one.txt").write_text("\n\n".join(texts()))
    monkeypatch.chdir(tmp_path)
    return folder / "one.txt"


@pytest.mark.parametrize("whole", [False, True], ids=["file", "folder"])
def test_the_command_that_one_document_is_told_to_give_makes_a_corpus_that_can_be_judged(
    one: Path, whole: bool, tmp_path: Path
) -> None:
    text = one.parent if whole else one
    said = refused(text, tmp_path / "run" / "corpus")
    assert said.startswith(f"{text} has too few documents to hold one out")
    assert "hold nothing out" not in said, "pretrain cannot"
    found = re.search(r"maskwright (corpus build .* --documents blank-lines --held-out 1%)$", said)
    assert found is not None
    assert run(*shlex.split(found[1]), "--workers", "1", "--quiet") == 0
    made = corpus_of("corpus/", tmp_path / "run" / "another", None, quiet=True)
    assert made.facts["total"]["documents"] == 40
    assert [made.facts["splits"][split]["documents"] for split in ("train", "held-out")] == [39, 1]


def test_what_pretrain_says_of_one_document_has_no_option_that_it_lacks(
    one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("pretrain", str(one), "--out", "run", "--budget", "20 steps", "--quiet") == 2
    said = capsys.readouterr().err
    before, command = said.split("maskwright corpus build")
    assert "--" not in before, "only the other command has options"
    assert command.strip() == f"{shlex.quote(str(one))} --out corpus/ --documents blank-lines --held-out 1%"


def test_a_corpus_without_held_out_documents_is_told_how_to_get_some(one: Path, tmp_path: Path) -> None:
    assert run("corpus", "build", str(one), "--out", "corpus", "--workers", "1", "--quiet") == 0
    assert not Corpus.open("corpus").shards("held-out")
    said = refused(tmp_path / "corpus", tmp_path / "run")
    assert re.search(r"no held-out documents.*--held-out 1% \(or --held-out-name NAME\)", said)
