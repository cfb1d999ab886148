"""Gradient checkpointing: the same gradients to the bit, from fewer tensors held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import LENGTHS, tiny
from torch import Tensor, nn

from maskwright.models import families, family, random_network
from maskwright.nn import Batch, Encoder
from maskwright.nn.dropout import noise
from maskwright.nn.precision import precision

Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def _quick(one_thread: None) -> None:
    """Tiny matrices are slower on several threads."""


def encoder_of(name: str, dropout: float = 0.3, **changes: Any) -> Encoder:
    """A family's encoder in training, with dropout in all its places."""
    kind = family(name)
    sizes = tiny(kind).model_dump()
    rates = {field: dropout for field in sizes if "dropout" in field}
    torch.manual_seed(0)
    network = random_network(kind, kind.Config(**{**sizes, **rates, "initial_std": 0.2, **changes}), "bare").train()
    encoder: Encoder = network.encoder
    return encoder


def learnt(encoder: Encoder, batch: Batch, recompute: bool, form: str = "fp32") -> tuple[list[Tensor], dict[str, Any]]:
    """The states and all gradients, and where the generator of dropout stands afterwards."""
    noise.seed(3)
    torch.manual_seed(3)
    encoder.recompute = recompute
    encoder.zero_grad()
    with precision(form):  # type: ignore[arg-type]
        x = encoder(batch, batch.last)
    (x.float() ** 2).sum().backward()
    return [x.detach(), *(p.grad.clone() for p in encoder.parameters() if p.grad is not None)], noise.state()


def batches(words: int = 53) -> list[Batch]:
    source = torch.Generator().manual_seed(1)
    packed = Batch.packed(torch.randint(4, words, (sum(LENGTHS),), generator=source), LENGTHS)
    return [packed, replace(packed, causal=True)]


def encoders() -> list[str]:
    return [name for name in families() if isinstance(getattr(build(name), "encoder", None), Encoder)]


def build(name: str) -> nn.Module:
    return random_network(family(name), tiny(family(name)), "bare")


@pytest.mark.parametrize("name", encoders())
def test_gradients_are_the_same_to_the_bit(name: str) -> None:
    encoder = encoder_of(name)
    for batch in batches():
        (plain, after), (again, after_too) = learnt(encoder, batch, False), learnt(encoder, batch, True)
        assert len(plain) == len(again) > 5
        assert all(torch.equal(a, b) for a, b in zip(plain, again, strict=True))
        assert after == after_too, "the second time draws nothing that others wait for"


@pytest.mark.parametrize("name", ["bert", "albert", "modernbert"])
def test_in_bf16_too(name: str) -> None:
    encoder = encoder_of(name)
    plain, again = (learnt(encoder, batches()[0], way, "bf16")[0] for way in (False, True))
    assert all(torch.equal(a, b) for a, b in zip(plain, again, strict=True))


def test_the_dropout_of_these_tests_matters() -> None:
    encoder = encoder_of("bert")
    first = learnt(encoder, batches()[0], True)[0]
    noise.seed(4)
    assert not torch.equal(encoder(batches()[0], batches()[0].last), first[0])


def held(encoder: Encoder, batch: Batch, recompute: bool) -> int:
    """Bytes that wait for the backward pass, weights left out."""
    kept: list[Tensor] = []  # held here too, so that no place in memory is used twice

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    encoder.recompute = recompute
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        encoder(batch).sum()
    sizes = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in kept}
    weights = {p.untyped_storage().data_ptr() for p in encoder.parameters()}
    return sum(size for place, size in sizes.items() if place not in weights)


@pytest.mark.parametrize("name", ["bert", "albert", "deberta-v2"])
def test_of_each_layer_little_more_than_its_input_is_held(name: str) -> None:
    encoder, batch = encoder_of(name, layers=4), batches()[0]
    plain, again = held(encoder, batch, False), held(encoder, batch, True)
    states = 4 * len(batch.ids) * encoder.width  # bytes of one hidden state
    assert again < plain / 4
    assert again <= (4 + 8) * states + 4 * 4 * 53 * 12  # a state a layer, the embeddings' own, what is relative


def test_nothing_is_computed_twice_where_nothing_is_learnt() -> None:
    encoder, calls = encoder_of("bert"), []
    encoder.recompute = True
    encoder.blocks[0].register_forward_pre_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        encoder(batches()[0])
    encoder.eval()(batches()[0]).sum().backward()
    assert len(calls) == 2
    encoder.train()(batches()[0]).sum().backward()
    assert len(calls) == 4
