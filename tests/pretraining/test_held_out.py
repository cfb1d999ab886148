"""The frozen questions and what they cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import vocabularies
from torch import nn

from maskwright.base.errors import UserError
from maskwright.models import family, random_network
from maskwright.pretraining.encoded import Encoded, encode
from maskwright.pretraining.held_out import frozen, judge, sizes_of, unigram
from maskwright.pretraining.masking import Vocabulary
from maskwright.pretraining.objectives.mlm import MaskedWords
from maskwright.text.tokenizer import Tokenizer

SENTENCES = ["the story was charming", "a lovely book", "the play was dull and boring", "i liked the song"]


@pytest.fixture
def tokenizer(tiny: Path) -> Tokenizer:
    return Tokenizer.from_folder(tiny)


@pytest.fixture
def text(tokenizer: Tokenizer) -> Encoded:
    source = np.random.default_rng(0)
    return encode([[SENTENCES[i] for i in source.integers(4, size=n)] for n in source.integers(1, 30, 20)], tokenizer)


@pytest.fixture
def known(tokenizer: Tokenizer) -> Vocabulary:
    special = np.zeros(tokenizer.size, bool)
    special[[tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id, tokenizer.unk_id]] = True
    return Vocabulary(tokenizer.mask_id, special, ~special)


@pytest.fixture
def network(tokenizer: Tokenizer) -> nn.Module:
    kind = family("bert")
    config = kind.Config(vocabulary=tokenizer.size, layers=1, width=12, heads=2, inner=20, initial_std=0.5)
    torch.manual_seed(0)
    return random_network(kind, config, "masked-lm")


def test_pieces_are_those_of_the_sentences(text: Encoded, tokenizer: Tokenizer) -> None:
    first = text.ids[text.sentences[0] : text.sentences[1]]
    assert tokenizer.decode(first) in SENTENCES
    assert len(text) == 20
    assert set(text.ids.tolist()).isdisjoint({tokenizer.cls_id, tokenizer.sep_id})


def test_questions_are_the_same_each_time(text: Encoded, tokenizer: Tokenizer, known: Vocabulary) -> None:
    one, two = (frozen(text, tokenizer, known, 32) for _ in range(2))
    assert one.count == two.count > 50
    for a, b in zip(one.asked, two.asked, strict=True):
        assert torch.equal(a.batch.ids, b.batch.ids)
        assert torch.equal(a.labels, b.labels)
        assert (a.batch.ids[a.chosen.tokens] == tokenizer.mask_id).all()
    other = frozen(text, tokenizer, known, 32, seed=1)
    assert not torch.equal(other.asked[0].batch.ids, one.asked[0].batch.ids)


def test_fewer_sequences_may_be_asked_for(text: Encoded, tokenizer: Tokenizer, known: Vocabulary) -> None:
    some = frozen(text, tokenizer, known, 32, sequences=3)
    assert sum(len(one.batch) for one in some.asked) == 3


def test_the_loss_is_the_mean_cross_entropy(
    text: Encoded, tokenizer: Tokenizer, known: Vocabulary, network: Any
) -> None:
    held = frozen(text, tokenizer, known, 32)
    told = judge(MaskedWords(network.train()), held)
    assert network.training, "as it was"
    network.eval()
    with torch.no_grad():
        scores = torch.cat([network(one.batch, one.chosen) for one in held.asked])
    labels = torch.cat([one.labels for one in held.asked])
    wanted = float(F.cross_entropy(scores, labels))
    assert told["loss"] == -told["likelihood"] == pytest.approx(wanted, rel=1e-5)
    assert told["accuracy"] == pytest.approx(float((scores.argmax(-1) == labels).float().mean()))
    size = sum(len(tokenizer.tokens([int(i)])[0].removeprefix("##")) for i in labels)
    assert held.bytes == size
    assert told["bits_per_byte"] == pytest.approx(wanted * len(labels) / math.log(2) / size, rel=1e-5)


def test_how_often_each_piece_comes_is_a_floor(text: Encoded, tokenizer: Tokenizer, known: Vocabulary) -> None:
    held = frozen(text, tokenizer, known, 32)
    counts = np.bincount(text.ids, minlength=tokenizer.size) + 1
    labels = torch.cat([one.labels for one in held.asked]).numpy()
    wanted = float(-np.log(counts / counts.sum())[labels].mean())
    assert unigram([text], held, tokenizer.size) == pytest.approx(wanted)


@pytest.mark.parametrize(("piece", "size"), [("##s", 1), ("film", 4)])
def test_bytes_of_pieces(piece: str, size: int, make_tiny: Callable[..., Path]) -> None:
    tokenizer = Tokenizer.from_vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##s", "film", "ü"])
    assert sizes_of(tokenizer)[tokenizer.vocabulary[piece]] == size
    assert sizes_of(tokenizer)[tokenizer.vocabulary["ü"]] == 2


def test_nothing_held_out_is_said(tokenizer: Tokenizer, known: Vocabulary) -> None:
    with pytest.raises(UserError, match="No held-out text is left to judge by"):
        frozen(Encoded(np.zeros(0, np.int32), np.zeros(1, np.int64), np.zeros(1, np.int64)), tokenizer, known)


def test_bytes_of_byte_level_pieces_are_those_of_the_text(tmp_path: Path) -> None:
    tokenizer = vocabularies.framed(vocabularies.byte_level(vocabularies.ANGLES), tmp_path)
    text = "the dogs see Zürich and 京都"
    ids = tokenizer.encode([text]).ids[1:-1]
    spaces = text.count(" ")  # in the pieces' marks, which stand for no byte of a word
    assert sizes_of(tokenizer)[ids].sum() == len(text.encode()) - spaces
