"""Random tiny BERTs equal transformers in both directions: every head, every hidden state, packed against padded."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForNextSentencePrediction,
    BertForPreTraining,
    BertForSequenceClassification,
    BertModel,
)

from maskwright.models import bert, load_network, random_network, save_network
from maskwright.models._family import read_config
from maskwright.nn import Batch

TOLERANCE = 1e-5
LENGTHS = [7, 1, 16, 3, 16, 2, 11]
NETWORKS: list[tuple[str, Any, int]] = [
    ("bare", BertModel, 2),
    ("masked-lm", BertForMaskedLM, 2),
    ("next-sentence", BertForNextSentencePrediction, 2),
    ("pretraining", BertForPreTraining, 2),
    *[("classification", BertForSequenceClassification, classes) for classes in (1, 2, 5)],
]


def config(seed: int) -> BertConfig:
    """A random size with odd numbers; between them the seeds cover every activation, eps and number of segments."""
    source = random.Random(seed)
    heads = source.choice([1, 2, 3, 5])
    return BertConfig(
        vocab_size=source.randrange(31, 98, 2),
        hidden_size=heads * source.choice([3, 4, 7, 8]),
        num_hidden_layers=source.choice([1, 2, 3]),
        num_attention_heads=heads,
        intermediate_size=source.randrange(9, 50, 2),
        max_position_embeddings=source.randrange(17, 41),
        hidden_act=["gelu", "gelu_new", "relu", "silu", "swish", "tanh", "gelu_pytorch_tanh"][seed % 7],
        layer_norm_eps=[1e-12, 1e-5, 1e-3, 1e-7][seed % 4],
        type_vocab_size=1 + seed % 2,
        pad_token_id=source.choice([0, 3]),
        hidden_dropout_prob=source.choice([0.0, 0.1, 0.25]),
        attention_probs_dropout_prob=source.choice([0.0, 0.1]),
        classifier_dropout=source.choice([None, 0.3]),
        initializer_range=source.choice([0.02, 0.05]),
    )


def outputs(head: str, network: torch.nn.Module, batch: Batch) -> list[Tensor]:
    """What our network says, each of its outputs."""
    with torch.no_grad():
        said = network(batch)
    return list(said) if head == "pretraining" else [said]


def reference(head: str, said: Any, batch: Batch, packed: Callable[[Tensor, Batch], Tensor]) -> list[Tensor]:
    if head == "bare":
        return [said.pooler_output]
    if head == "masked-lm":
        return [packed(said.logits, batch)]
    if head == "pretraining":
        return [packed(said.prediction_logits, batch), said.seq_relationship_logits]
    return [said.logits]


def assert_near(mine: list[Tensor], wanted: list[Tensor]) -> None:
    assert len(mine) == len(wanted)
    for a, b in zip(mine, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("seed", range(14))
@pytest.mark.parametrize(("head", "kind", "classes"), NETWORKS, ids=lambda x: str(getattr(x, "__name__", x)))
def test_both_directions(
    head: str,
    kind: Any,
    classes: int,
    seed: int,
    tmp_path: Path,
    stir: Callable[..., Any],
    draw: Callable[..., Batch],
    theirs: Callable[..., Any],
    packed: Callable[[Tensor, Batch], Tensor],
) -> None:
    sizes = config(seed)
    sizes.num_labels = classes
    source = stir(kind(sizes), seed)
    batch = draw(LENGTHS, sizes.vocab_size, sizes.type_vocab_size, seed)
    said = theirs(source, batch)

    source.save_pretrained(tmp_path / "theirs")
    loaded = load_network(tmp_path / "theirs", head)
    loaded.network.eval()
    assert (loaded.new, loaded.unused) == ([], [])
    with torch.no_grad():
        states = loaded.encoder.states(batch)
    assert_near(states, [packed(s, batch) for s in said.hidden_states])
    assert_near(outputs(head, loaded.network, batch), reference(head, said, batch, packed))

    ours = stir(random_network(bert, loaded.config, head, classes), seed + 1000)
    labels = {f"kind {i}": i for i in range(classes)}
    extra = {"label2id": labels, "id2label": {i: name for name, i in labels.items()}}
    save_network(tmp_path / "ours", ours, bert, loaded.config, extra)
    back, report = kind.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(report.values()), report
    assert names(tmp_path / "ours") == names(tmp_path / "theirs")
    said = theirs(back.eval(), batch)
    with torch.no_grad():
        states = ours.encoder.states(batch)
    assert_near(states, [packed(s, batch) for s in said.hidden_states])
    assert_near(outputs(head, ours, batch), reference(head, said, batch, packed))

    assert read_config(bert, back.config.to_dict(), "theirs") == loaded.config
    assert back.config.id2label == {i: name for name, i in labels.items()}


def names(folder: Path) -> set[str]:
    with safe_open(str(folder / "model.safetensors"), "pt") as file:
        return set(file.keys())


@pytest.mark.parametrize("seed", range(12))
def test_an_encoder_without_a_pooler(
    seed: int,
    tmp_path: Path,
    stir: Callable[..., Any],
    draw: Callable[..., Batch],
    theirs: Callable[..., Any],
    packed: Callable[[Tensor, Batch], Tensor],
) -> None:
    sizes = config(seed)
    source = stir(BertModel(sizes, add_pooling_layer=False), seed)
    source.save_pretrained(tmp_path)
    batch = draw(LENGTHS, sizes.vocab_size, sizes.type_vocab_size, seed)
    loaded = load_network(tmp_path, "bare")
    loaded.network.eval()
    assert loaded.new == ["pooler.dense.weight", "pooler.dense.bias"]
    with torch.no_grad():
        states = loaded.encoder.states(batch)
    assert_near(states, [packed(s, batch) for s in theirs(source, batch).hidden_states])


def test_the_random_sizes_cover_what_they_are_for() -> None:
    drawn = [config(seed) for seed in range(14)]
    assert {c.type_vocab_size for c in drawn} == {1, 2}
    assert len({c.hidden_act for c in drawn}) == 7
    assert len({c.layer_norm_eps for c in drawn}) == 4
    assert sum(c.hidden_size % 2 for c in drawn) >= 2
    assert min(c.max_position_embeddings for c in drawn) >= max(LENGTHS)


@pytest.mark.parametrize(
    ("rates", "changed"),
    [
        ({}, [False, False, False]),
        ({"hidden_dropout_prob": 0.5}, [True, True, True]),
        ({"attention_probs_dropout_prob": 0.5}, [False, True, True]),
        ({"classifier_dropout": 0.5}, [False, False, True]),
        ({"hidden_dropout_prob": 0.5, "classifier_dropout": 0.0}, [True, True, True]),
    ],
)
def test_each_rate_of_dropout_acts_in_its_place(
    rates: dict[str, float], changed: list[bool], tmp_path: Path, stir: Callable[..., Any], draw: Callable[..., Batch]
) -> None:
    """Whether the embeddings, the first block's states and the logits change in training."""
    sizes = config(5)
    sizes.update({"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "classifier_dropout": None, **rates})
    stir(BertForSequenceClassification(sizes)).save_pretrained(tmp_path)
    network = load_network(tmp_path, "classification").network
    batch = draw(LENGTHS, sizes.vocab_size, sizes.type_vocab_size)

    def states() -> list[Tensor]:
        with torch.no_grad():
            return [*network.encoder.states(batch)[:2], network(batch)]

    network.eval()
    quiet = states()
    network.train()
    assert [not torch.equal(a, b) for a, b in zip(states(), quiet, strict=True)] == changed


def test_a_head_of_another_network_is_found_and_the_rest_named(tmp_path: Path, stir: Callable[..., Any]) -> None:
    """The encoder out of a pre-training checkpoint, with a fresh classifier: what is new and what is unused is said."""
    stir(BertForPreTraining(config(1))).save_pretrained(tmp_path)
    loaded = load_network(tmp_path, "classification", classes=3)
    assert loaded.new == ["classifier.out.weight", "classifier.out.bias"]
    assert len(loaded.unused) == 7
    assert all(name.startswith("cls.") for name in loaded.unused)
    assert loaded.network.classifier.out.weight.shape[0] == 3


def test_random_weights_are_drawn_as_the_paper_says(tmp_path: Path, stir: Callable[..., Any]) -> None:
    stir(BertForSequenceClassification(config(3))).save_pretrained(tmp_path)
    loaded = load_network(tmp_path, "classification", weights="random")
    for name, parameter in loaded.network.named_parameters():
        if parameter.dim() == 1:
            assert torch.equal(parameter, torch.full_like(parameter, float("norm.weight" in name))), name
    flat = torch.cat([p.flatten() for p in loaded.network.parameters() if p.dim() > 1])
    assert flat.std().item() == pytest.approx(loaded.config.initial_std, rel=0.05)
    assert abs(flat.mean().item()) < 4 * loaded.config.initial_std / len(flat) ** 0.5
