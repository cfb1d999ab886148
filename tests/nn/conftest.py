"""Encoders small enough to run in milliseconds, with weights large enough that attention is far from uniform."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
import torch

from maskwright.models import bert, random_network
from maskwright.nn import Batch, Encoder
from maskwright.nn.attention import LONG

WORDS, WIDTH = 61, 24


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """Three blocks, 4 heads of width 6, no dropout, fp32."""
    config = bert.Config(
        vocabulary=WORDS, width=WIDTH, layers=3, heads=4, inner=40, positions=LONG + 64, initial_std=0.3, eps=1e-6
    ).model_copy(update={"dropout": 0.0, "attention_dropout": 0.0})
    torch.manual_seed(7)
    network = random_network(bert, config, "bare").train()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return network.encoder


@pytest.fixture(scope="session")
def pack() -> Callable[[Sequence[int], int], Batch]:
    """Random ids and segments for sequences of the given lengths."""

    def make(lengths: Sequence[int], seed: int = 0) -> Batch:
        random = torch.Generator().manual_seed(seed)
        count = sum(lengths)
        ids = torch.randint(WORDS, (count,), generator=random)
        return Batch.packed(ids, list(lengths), torch.randint(2, (count,), generator=random))

    return make


@pytest.fixture
def poisoned() -> Iterator[None]:
    """torch.empty gives NaN: a number that was never computed cannot pass for one that was."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    assert torch.empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(before)
