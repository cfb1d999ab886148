"""Masked words from the two neighbours of their span."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from asking import ask
from torch import nn

from maskwright.models import families, family
from maskwright.pretraining.masking import Pieces, Vocabulary
from maskwright.pretraining.masking.span import Span
from maskwright.pretraining.objectives.span_boundary import SpanBoundary, ends

Make = Callable[..., tuple[nn.Module, Any, Any]]


def test_the_ends_of_spans() -> None:
    """By the places alone: what two masks side by side have in common is that neither sees the other."""
    first, last = ends(torch.tensor([4, 5, 6, 9, 11, 12]))
    assert first.tolist() == [0, 0, 0, 3, 4, 4]
    assert last.tolist() == [2, 2, 2, 3, 5, 5]
    assert all(len(found) == 0 for found in ends(torch.zeros(0, dtype=torch.int64)))


def test_no_boundary_is_masked_itself(pieces: Pieces, vocabulary: Vocabulary) -> None:
    """Where half of the pieces are masked, many a drawn span touches another."""
    asked = ask(SpanBoundary(masking=Span(rate=0.5)), pieces, vocabulary)
    masked = set(asked.chosen.tokens.tolist())
    first, last = (asked.chosen.tokens[found].tolist() for found in ends(asked.chosen.tokens))
    assert not masked & ({place - 1 for place in first} | {place + 1 for place in last})


@pytest.mark.parametrize("name", [name for name in families() if "masked-lm" in family(name).HEADS])
def test_every_family_is_trained_by_boundaries(
    name: str, network: Make, pieces: Pieces, vocabulary: Vocabulary
) -> None:
    """Some have states that are wider than their config says, or score words in another width than they read them."""
    objective = SpanBoundary()
    net, kind, config = network(name)
    built = objective.build(net, kind, config)
    loss, *_ = built(ask(objective, pieces, vocabulary))
    loss.backward()
    assert torch.isfinite(loss)
    assert float(built.boundary.one.weight.grad.abs().sum()) > 0


def test_a_span_is_told_from_its_boundary(network: Make, pieces: Pieces, vocabulary: Vocabulary) -> None:
    """Equation 2, piece by piece."""
    objective = SpanBoundary(places=3)
    net, kind, config = network()
    built = objective.build(net, kind, config)
    asked = ask(objective, pieces, vocabulary)
    loss, count, facts = built(asked)
    states, words = net.encoder(asked.batch), net.encoder.embeddings.word.weight
    total = F.cross_entropy(net(asked.batch, asked.chosen), asked.labels, reduction="sum")
    layers, tokens = built.boundary, asked.chosen.tokens.tolist()
    beside, longest = 0.0, 0
    for token, label in zip(tokens, asked.labels, strict=True):
        s, e = token, token
        while s - 1 in tokens:
            s -= 1
        while e + 1 in tokens:
            e += 1
        longest = max(longest, e + 1 - s)
        place = layers.place.weight[min(token - s, 2)]
        x = torch.cat([states[s - 1], states[e + 1], place])
        x = layers.norms[0](F.gelu(layers.one.weight @ x + layers.one.bias))
        x = layers.norms[1](F.gelu(layers.two.weight @ x + layers.two.bias))
        scores = words @ x + net.masked_lm.bias
        beside += F.cross_entropy(scores[None], label[None])
    torch.testing.assert_close(loss, total + beside, atol=1e-3, rtol=1e-5)
    assert facts["boundary"] == pytest.approx(float(beside), rel=1e-4)
    assert count == len(tokens)
    assert longest > 1, "a span of several pieces was drawn"
