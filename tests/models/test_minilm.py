"""The real MiniLM weights on real sentences: equal to transformers in fp32, no worse in bf16, equal embeddings."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor

from maskwright.base.choice import find
from maskwright.models import Loaded, load_encoder, load_network, save_network
from maskwright.nn import Batch, precision
from maskwright.nn.pooling import Pooling
from maskwright.text.tokenizer import Tokenizer

Pack = Callable[[Tensor, Batch], Tensor]


@pytest.fixture(scope="module")
def ours(minilm: Path) -> Loaded:
    return load_encoder(minilm)


@pytest.fixture(scope="module")
def peer(minilm: Path) -> Any:
    from transformers import BertModel

    return BertModel.from_pretrained(minilm).eval()


@pytest.fixture(scope="module")
def real(tokenizer: Tokenizer, sentences: list[str]) -> list[Batch]:
    """120 of the sentences in batches of neighbours in length, so that padding them for the peer stays affordable."""
    texts = sorted(sentences[:120], key=len)
    return [Batch.from_encodings(tokenizer.encode(texts[i : i + 24])) for i in range(0, len(texts), 24)]


def test_it_is_the_encoder_that_it_says(ours: Loaded) -> None:
    assert (ours.new, ours.unused) == ([], [])
    assert (ours.config.layers, ours.config.width, ours.config.heads) == (6, 384, 12)
    assert not ours.network.training
    by_name = load_encoder("minilm")
    assert by_name.folder == ours.folder
    state = by_name.network.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in ours.network.state_dict().items())


def test_all_hidden_states_and_the_pooler(
    ours: Loaded, peer: Any, real: list[Batch], theirs: Callable[..., Any], packed: Pack
) -> None:
    for batch in real:
        said = theirs(peer, batch)
        with torch.no_grad():
            states, pooled = ours.encoder.states(batch), ours.network(batch)
        assert len(states) == len(said.hidden_states) == 7
        for a, b in zip(states, said.hidden_states, strict=True):
            torch.testing.assert_close(a, packed(b, batch), atol=1e-5, rtol=0)
        torch.testing.assert_close(pooled, said.pooler_output, atol=1e-5, rtol=0)


def test_a_passage_that_fills_all_positions(
    ours: Loaded, peer: Any, tokenizer: Tokenizer, sentences: list[str], theirs: Callable[..., Any]
) -> None:
    """Against transformers in float64: over 512 tokens its own fp32 is as far from the exact value as ours is."""
    batch = Batch.from_encodings(tokenizer.encode([" ".join(sentences)], max_length=512))
    assert batch.lengths == (512,)
    said = theirs(copy.deepcopy(peer).double(), batch)
    with torch.no_grad():
        states = ours.encoder.states(batch)
    for a, b in zip(states, said.hidden_states, strict=True):
        torch.testing.assert_close(a.double(), b[0], atol=1e-5, rtol=0)


def test_pairs_with_two_segments(
    ours: Loaded, peer: Any, tokenizer: Tokenizer, sentences: list[str], theirs: Callable[..., Any], packed: Pack
) -> None:
    batch = Batch.from_encodings(tokenizer.encode(sentences[:40], sentences[40:80], max_length=96))
    assert batch.segments.sum() > 400
    said = theirs(peer, batch)
    with torch.no_grad():
        torch.testing.assert_close(ours.encoder(batch), packed(said.last_hidden_state, batch), atol=1e-5, rtol=0)


def test_the_error_of_bf16_is_no_larger_than_theirs(
    ours: Loaded, peer: Any, real: list[Batch], theirs: Callable[..., Any], packed: Pack
) -> None:
    """Root mean square and mean error of the last hidden state against fp32, ours and theirs under autocast."""
    mine, other = [], []
    for batch in real:
        exact = packed(theirs(peer, batch).last_hidden_state, batch)
        with torch.autocast("cpu", torch.bfloat16):
            other.append(packed(theirs(peer, batch).last_hidden_state, batch).float() - exact)
        with torch.no_grad(), precision("bf16"):
            mine.append(ours.encoder(batch).float() - exact)
    ours_off, theirs_off = torch.cat(mine), torch.cat(other)
    assert 0 < ours_off.square().mean().sqrt() <= 1.5 * theirs_off.square().mean().sqrt()
    assert ours_off.abs().mean() <= 1.5 * theirs_off.abs().mean()


def test_embeddings_are_those_of_sentence_transformers(
    ours: Loaded, minilm: Path, tokenizer: Tokenizer, sentences: list[str]
) -> None:
    from sentence_transformers import SentenceTransformer

    wanted = SentenceTransformer(str(minilm), device="cpu").encode(sentences, convert_to_tensor=True)
    batch = Batch.from_encodings(tokenizer.encode(sentences, max_length=256))
    with torch.no_grad():
        vectors = F.normalize(find(Pooling, "mean")().pool(ours.encoder(batch), batch), dim=-1)
    assert vectors.shape == wanted.shape == (200, 384)
    assert F.cosine_similarity(vectors, wanted).min() >= 0.99999


def test_a_classifier_on_it_is_read_by_transformers(
    minilm: Path, tmp_path: Path, tokenizer: Tokenizer, sentences: list[str], theirs: Callable[..., Any]
) -> None:
    from transformers import AutoModelForSequenceClassification, BertForSequenceClassification

    loaded = load_network(minilm, "classification", classes=3)
    assert loaded.new == ["classifier.out.weight", "classifier.out.bias"]
    loaded.network.eval()
    labels = {"id2label": {0: "a", 1: "b", 2: "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}
    save_network(tmp_path, loaded.network, loaded.family, loaded.config, labels)
    back, report = AutoModelForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values()), report
    assert type(back) is BertForSequenceClassification
    batch = Batch.from_encodings(tokenizer.encode(sentences[:30]))
    with torch.no_grad():
        torch.testing.assert_close(loaded.network(batch), theirs(back.eval(), batch).logits, atol=1e-5, rtol=0)


def test_what_is_saved_is_what_was_loaded_to_the_bit(ours: Loaded, minilm: Path, tmp_path: Path) -> None:
    save_network(tmp_path, ours.network, ours.family, ours.config, {})
    with (
        safe_open(str(minilm / "model.safetensors"), "pt") as before,
        safe_open(str(tmp_path / "model.safetensors"), "pt") as after,
    ):
        assert set(before.keys()) == {*after.keys(), "embeddings.position_ids"}
        for name in after.keys():  # noqa: SIM118 - not a dict
            assert torch.equal(after.get_tensor(name), before.get_tensor(name)), name
