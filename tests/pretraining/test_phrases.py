"""Collocations of a corpus on disk: the same as counted in memory, and ready for the masking."""

from __future__ import annotations

import pydoc_data.topics
from pathlib import Path

import numpy as np
import pytest

from maskwright.base.errors import UserError
from maskwright.data.corpus import Corpus, build
from maskwright.pretraining import phrases as module
from maskwright.pretraining.collocations import Collocations, collocations
from maskwright.pretraining.encoded import encode
from maskwright.pretraining.masking import Draw, Pieces
from maskwright.pretraining.masking.pmi import Pmi
from maskwright.pretraining.phrases import Blocks, lines, phrases
from maskwright.pretraining.vocabulary import vocabulary_of
from maskwright.text.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Pages of Python's reference; some are held out."""
    folder = tmp_path_factory.mktemp("pages")
    for name, page in sorted(pydoc_data.topics.topics.items())[:40]:
        (folder / f"{name}.txt").write_text(page, encoding="utf-8")
    return build([folder], folder.parent / "corpus", {"held_out": 0.1}, workers=1, quiet=True)


@pytest.fixture(scope="module")
def tokenizer(corpus: Corpus) -> Tokenizer:
    return Tokenizer.train((s for d in corpus.documents("train") for s in d.sentences), size=1200)


def test_the_file_holds_what_is_counted_in_memory(
    corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = encode([d.sentences for d in corpus.documents("train")], tokenizer)
    block = whole.ids, whole.sentences[whole.documents]
    wanted = collocations([block], vocabulary_of(tokenizer), tokenizer.fingerprint(), size=200, least=5)
    monkeypatch.setattr(module, "BLOCK", 3000)
    found = phrases(corpus, tokenizer, tmp_path / "deep" / "phrases.npz", size=200, least=5)
    for made in (found, Collocations.load(tmp_path / "deep" / "phrases.npz")):
        assert len(made) == len(wanted) > 50
        assert np.array_equal(made.ids, wanted.ids)
        assert np.array_equal(made.counts, wanted.counts)
        assert made.fingerprint == tokenizer.fingerprint()
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["phrases.npz"], "no temporary folder stays"


def test_documents_come_in_blocks_of_whole_ones(
    corpus: Corpus, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = encode([d.sentences for d in corpus.documents("train")], tokenizer)
    monkeypatch.setattr(module, "BLOCK", 2000)
    blocks = Blocks(whole)
    for _ in range(2):
        parts = list(blocks)
        assert len(parts) > 3
        assert np.array_equal(np.concatenate([ids for ids, _ in parts]), whole.ids)
        sizes = np.concatenate([np.diff(offsets) for _, offsets in parts])
        assert np.array_equal(sizes, np.diff(whole.sentences[whole.documents]))
    assert blocks.reads == 2


def test_the_masking_takes_the_file(corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path) -> None:
    found = phrases(corpus, tokenizer, tmp_path / "phrases.npz", size=300, least=5)
    ready = Pmi(file=str(tmp_path / "phrases.npz")).prepare(tokenizer)
    run = found.ids[found.offsets[0] : found.offsets[1]]
    ids = np.concatenate([[tokenizer.cls_id], run, [tokenizer.sep_id]])
    pieces = Pieces(ids, np.array([0, len(ids)]), np.zeros(1, np.int64))
    units = ready.units(pieces, vocabulary_of(tokenizer), Draw(0, 0))
    assert set(units[1:-1].tolist()) == {0}, "a collocation is one unit"


def test_what_is_told(corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path) -> None:
    found = phrases(corpus, tokenizer, tmp_path / "phrases.npz", size=300, least=5)
    told = lines(found, tokenizer, 2)
    assert " of 2 words, such as " in told[0]
    assert sum(int(line.split()[0].replace(",", "")) for line in told) == len(found)
    assert told[0].count(";") == 1


def test_what_is_refused(corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is there already\. Give a file"):
        phrases(corpus, tokenizer, tmp_path)
    (tmp_path / "phrases.npz").write_text("mine")
    with pytest.raises(UserError, match=r"is there already\. Give another --out, or --overwrite"):
        phrases(corpus, tokenizer, tmp_path / "phrases.npz")
    with pytest.raises(UserError, match="No run of 2 to 5 words comes 99999 times"):
        phrases(corpus, tokenizer, tmp_path / "phrases.npz", least=99999, overwrite=True)
    assert (tmp_path / "phrases.npz").read_text() == "mine", "nothing was found, so nothing is replaced"
