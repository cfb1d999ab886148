"""Networks for other vocabularies: every family, every tensor with a row for each piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from maskwright.base.errors import UserError
from maskwright.models import families, family, load_network, save_network
from maskwright.nn.batch import Batch
from maskwright.pretraining.encoded import plain
from maskwright.pretraining.resize import extend_vectors, swap_vectors
from maskwright.text.tokenizer import Tokenizer

Make = Callable[..., tuple[nn.Module, Any, Any]]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "card", "##io", "##logy", "the", "heart", "##s", ",", "io"]
MASKED = [name for name in families() if "masked-lm" in family(name).HEADS]


@pytest.fixture
def old() -> Tokenizer:
    return Tokenizer.from_vocabulary(PIECES)


@pytest.mark.parametrize("name", MASKED)
def test_a_new_word_starts_from_the_mean_of_its_pieces(name: str, network: Make, old: Tokenizer) -> None:
    net, kind, config = network(name, vocabulary=len(PIECES))
    new = old.extended(["cardio", "hearts"])
    before = {n: t.clone() for n, t in net.state_dict().items()}
    made, size, note = extend_vectors(net, kind, config, old, new)
    assert size.vocabulary == len(PIECES) + 2
    grown = 0
    for part, tensor in made.state_dict().items():
        if tensor.shape == before[part].shape:
            assert torch.equal(tensor, before[part])
            continue
        side = next(d for d, n in enumerate(tensor.shape) if n != before[part].shape[d])
        rows, was = tensor.movedim(side, 0), before[part].movedim(side, 0)
        assert torch.equal(rows[: len(PIECES)], was)
        for word, pieces in {"cardio": ["card", "##io"], "hearts": ["heart", "##s"]}.items():
            mean = was[[PIECES.index(p) for p in pieces]].mean(0)
            torch.testing.assert_close(rows[new.vocabulary[word]], mean, atol=1e-6, rtol=0)
        grown += 1
    assert grown >= 1 + bool(getattr(made, "masked_lm", None) and "masked_lm.bias" in before)
    assert "2 pieces more in the vocabulary, 15 now" in note
    ids = torch.from_numpy(new.encode(["the cardio hearts"]).ids.astype(np.int64))
    assert made.eval()(Batch.packed(ids, [len(ids)])).shape == (5, 15)


@pytest.mark.parametrize("name", MASKED)
def test_texts_without_new_words_have_the_scores_that_they_had(name: str, network: Make, old: Tokenizer) -> None:
    net, kind, config = network(name, vocabulary=len(PIECES))
    new = old.extended(["cardio"])
    text = "the cardiology heart, the io"
    ids = torch.from_numpy(old.encode([text]).ids.astype(np.int64))
    assert new.encode([text]).ids.tolist() == ids.tolist()
    batch = Batch.packed(ids, [len(ids)])
    with torch.no_grad():
        wanted = net.eval()(batch)
        found = extend_vectors(net, kind, config, old, new).network(batch)
    torch.testing.assert_close(found[:, : len(PIECES)], wanted, atol=1e-6, rtol=1e-5)


def test_spare_rows_are_used_first(network: Make, old: Tokenizer) -> None:
    net, kind, config = network("bert", vocabulary=len(PIECES) + 3)
    two = extend_vectors(net, kind, config, old, old.extended(["cardio", "hearts"]))
    assert two.config.vocabulary == len(PIECES) + 3
    table, was = two.network.encoder.embeddings.word.weight, net.encoder.embeddings.word.weight
    mean = was[[PIECES.index("card"), PIECES.index("##io")]].mean(0)
    torch.testing.assert_close(table[len(PIECES)], mean, atol=1e-6, rtol=0)
    assert torch.equal(table[-1], was[-1])
    words = ["cardio", "hearts", "ios", "thes", "cards"]
    more = extend_vectors(net, kind, config, old, old.extended(words))
    assert more.config.vocabulary == len(PIECES) + 5


def test_a_word_that_was_unknown_starts_from_the_mean_of_all(network: Make, old: Tokenizer) -> None:
    net, kind, config = network("bert", vocabulary=len(PIECES))
    new = old.extended(["zebra"])
    made, _, note = extend_vectors(net, kind, config, old, new)
    was = net.encoder.embeddings.word.weight
    torch.testing.assert_close(made.encoder.embeddings.word.weight[-1], was.mean(0), atol=1e-6, rtol=0)
    assert "1 that it did not know start from the mean of all vectors" in note


def test_an_extension_must_keep_the_ids(network: Make, old: Tokenizer) -> None:
    net, kind, config = network("bert", vocabulary=len(PIECES))
    other = Tokenizer.from_vocabulary([*PIECES[:5], "io", *PIECES[5:-1]])
    with pytest.raises(UserError, match="has the piece 'card' under another id"):
        extend_vectors(net, kind, config, old, other)
    small, _, size = network("bert", vocabulary=8)
    with pytest.raises(UserError, match="pieces up to the id 12, but the network has rows for 8 pieces"):
        extend_vectors(small, kind, size, old, old)


@pytest.mark.parametrize("name", MASKED)
def test_another_vocabulary_keeps_what_it_shares(name: str, network: Make, old: Tokenizer) -> None:
    net, kind, config = network(name, vocabulary=len(PIECES))
    pieces = ["[CLS]", "[PAD]", "[MASK]", "[UNK]", "[SEP]", "##s", "cardiology", "the", ",", "##quux", "##xyz"]
    new = Tokenizer.from_vocabulary(pieces)
    made, size, note = swap_vectors(net, kind, config, old, new)
    assert size.vocabulary == len(pieces)
    table, was = made.encoder.embeddings.word.weight, net.encoder.embeddings.word.weight
    for i, piece in enumerate(pieces[:6] + pieces[7:9]):
        at = i if i < 6 else i + 1
        assert torch.equal(table[at], was[PIECES.index(piece)])
    mean = was[[PIECES.index(p) for p in ("card", "##io", "##logy")]].mean(0)
    torch.testing.assert_close(table[6], mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(table[9], was.mean(0), atol=1e-6, rtol=0)
    for part in (
        "5 special pieces took",
        "3 pieces stand for the same text and kept theirs",
        "1 start from the mean of",
    ):
        assert part in note
    assert note.endswith("2 from the mean of all.")
    ids = torch.from_numpy(new.encode(["the cardiology"]).ids.astype(np.int64))
    assert made.eval()(Batch.packed(ids, [len(ids)])).shape == (4, len(pieces))


def test_roberta_keeps_its_positions_when_padding_moves(network: Make, old: Tokenizer) -> None:
    """Its positions are counted from the id for padding."""
    net, kind, config = network("roberta", vocabulary=len(PIECES), padding=3)
    same = Tokenizer.from_vocabulary(PIECES)
    made, size, _ = swap_vectors(net, kind, config, old, same)
    assert (size.padding, size.positions) == (0, config.positions - 3)
    assert made.encoder.limit == net.encoder.limit
    ids = torch.tensor([2, 5, 8, 3])
    batch = Batch.packed(ids, [4])
    with torch.no_grad():
        torch.testing.assert_close(made.eval()(batch), net.eval()(batch), atol=1e-6, rtol=1e-5)
    net, kind, config = network("mpnet", vocabulary=len(PIECES))
    with pytest.raises(UserError, match="mpnet counts positions from 2, and its reference holds 1 for"):
        swap_vectors(net, kind, config, old, same)


def test_marks_of_other_vocabularies_say_the_same(network: Make, byte_level: Tokenizer) -> None:
    """From byte-level BPE to WordPiece and back: texts, places and roles meet."""
    net, kind, config = network("bert", vocabulary=byte_level.size)
    was = net.encoder.embeddings.word.weight
    names = byte_level.vocabulary
    wordpiece = Tokenizer.from_vocabulary([*PIECES[:5], "the", "##the", ",", "é"])
    made, _, _ = swap_vectors(net, kind, config, byte_level, wordpiece)
    table = made.encoder.embeddings.word.weight
    pairs = {"[CLS]": "<s>", "[SEP]": "</s>", "[MASK]": "<mask>", "[PAD]": "<pad>", "[UNK]": "<unk>", "the": "Ġthe"}
    for piece, theirs in pairs.items():
        assert torch.equal(table[wordpiece.vocabulary[piece]], was[names[theirs]]), piece
    assert torch.equal(table[wordpiece.vocabulary[","]], was[names[","]])
    inner = plain(byte_level.encode(["the"]), byte_level)[0]
    torch.testing.assert_close(
        table[wordpiece.vocabulary["##the"]], was[inner.astype(np.int64)].mean(0), atol=1e-6, rtol=0
    )
    back, _, note = swap_vectors(made, kind, config.model_copy(update={"vocabulary": 9}), wordpiece, byte_level)
    again = back.encoder.embeddings.word.weight
    assert torch.equal(again[names["Ġthe"]], was[names["Ġthe"]])
    assert "5 special pieces took" in note


def test_what_was_extended_is_saved_and_read_again(network: Make, old: Tokenizer, tmp_path: Any) -> None:
    net, kind, config = network("bert", vocabulary=len(PIECES))
    new = old.extended(["cardio"])
    made, size, _ = extend_vectors(net, kind, config, old, new)
    save_network(tmp_path, made, kind, size, {})
    new.save(tmp_path)
    back = load_network(tmp_path, "masked-lm")
    assert all(
        torch.equal(a, b) for a, b in zip(back.network.state_dict().values(), made.state_dict().values(), strict=True)
    )
    transformers = pytest.importorskip("transformers", reason="transformers reads what was saved")
    judge = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path).eval()
    ids = torch.tensor([transformers.AutoTokenizer.from_pretrained(tmp_path)("the cardio hearts")["input_ids"]])
    assert ids[0].tolist() == new.encode(["the cardio hearts"]).ids.tolist()
    with torch.no_grad():
        wanted = judge(ids).logits[0]
        found = made.eval()(Batch.packed(ids[0], [ids.shape[1]]))
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
