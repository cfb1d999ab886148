"""Random tiny networks of the reference, and real English sentences that every Python carries."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from maskwright.nn import Batch
from maskwright.text.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    """200 sentences of Python's own documentation, 5 to 60 words each."""
    text = " ".join(" ".join(topics[name].split()) for name in sorted(topics))
    found = [s for s in re.findall(r"[A-Z][a-z][^.!?]+[.!?]", text) if 5 <= len(s.split()) <= 60]
    chosen = random.Random(0).sample(sorted(set(found)), 200)
    assert max(len(s.split()) for s in chosen) > 40
    return chosen


@pytest.fixture(scope="session")
def tokenizer(minilm: Path) -> Tokenizer:
    return Tokenizer.from_folder(minilm)


@pytest.fixture(scope="session")
def stir() -> Callable[[nn.Module, int], nn.Module]:
    """Gives every parameter, biases and norms too, values of its own, so that no swap of two goes unseen."""

    def go(network: nn.Module, seed: int = 0, spread: float = 0.15) -> nn.Module:
        source = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                middle = 1.0 if parameter.dim() == 1 and name.endswith("weight") else 0.0
                parameter.copy_(middle + spread * torch.randn(parameter.shape, generator=source))
        return network.eval()

    return go


@pytest.fixture(scope="session")
def draw() -> Callable[..., Batch]:
    """A packed batch of random ids and segments; a sequence's second segment follows its first."""

    def make(lengths: Sequence[int], words: int, segments: int = 2, seed: int = 0) -> Batch:
        source = torch.Generator().manual_seed(seed)
        ids = torch.randint(words, (sum(lengths),), generator=source)
        kinds = [torch.arange(n) >= torch.randint(1, n + 1, (1,), generator=source) for n in lengths]
        return Batch.packed(ids, list(lengths), torch.cat(kinds).long() * (segments - 1))

    return make


@pytest.fixture(scope="session")
def theirs() -> Callable[..., Any]:
    """Runs a network of transformers on a packed batch as it wants it: padded, with a mask."""

    def run(network: nn.Module, batch: Batch) -> Any:
        dense = batch.to_dense(padding=network.config.pad_token_id or 0)
        shape = (len(batch), max(batch.lengths))
        assert dense.real is not None
        with torch.no_grad():
            return network(
                input_ids=dense.ids.view(shape),
                attention_mask=dense.real.view(shape).long(),
                token_type_ids=dense.segments.view(shape),
                output_hidden_states=True,
            )

    return run


@pytest.fixture(scope="session")
def packed() -> Callable[[Tensor, Batch], Tensor]:
    """(B, T, ...) -> (N, ...): the rows of real tokens."""
    return lambda padded, batch: torch.cat([row[:n] for row, n in zip(padded, batch.lengths, strict=True)])
