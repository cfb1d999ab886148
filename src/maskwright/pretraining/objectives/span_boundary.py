"""Masked spans, each of their words also from the span's two neighbours alone (Joshi et al. 2020, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from maskwright.base.choice import Choice
from maskwright.nn.cross_entropy import cross_entropy
from maskwright.nn.linear import Linear
from maskwright.nn.lookup import Lookup
from maskwright.pretraining.masking import Masking
from maskwright.pretraining.masking.span import Span
from maskwright.pretraining.objectives._objective import Asked, Masks, facts, reading
from maskwright.training.objective import Objective


class SpanBoundary(Masks):
    """L = sum over masked x_i of -log p(x_i | state i) - log p(x_i | states s - 1 and e + 1, place i - s + 1), where
    (s, ..., e) is the span that holds x_i (equation 2)."""

    head: ClassVar[str] = "masked-lm"
    adds: ClassVar[str] = "boundary"
    learns: ClassVar[str] = "masked language modelling, each masked piece also from the two neighbours of its span"

    masking: Choice[Masking] = Field(Span(), description="which pieces are asked for, and what stands in their place")
    places: int = Field(20, ge=1, description="places in a span that have a vector; those behind share the last")

    @property
    def anew(self) -> str:
        return "the layers that read a span's boundary"

    def explained(self, figures: Mapping[str, Any]) -> list[str]:
        if "boundary" not in figures:
            return ["No span is masked in the held-out text, so that nothing is said of its neighbours."]
        return [f"From the two neighbours of its span alone it needs {figures['boundary']['value']:.3f} nats a piece."]

    def build(self, network: nn.Module, kind: Any, config: Any) -> Objective:
        return SpansAndBoundaries(network, config.initial_std, self.places, self.z)


class Boundary(nn.Module):
    """h0 = [x_{s-1}; x_{e+1}; p_{i-s+1}], h1 = norm(gelu(W1 h0)), y = norm(gelu(W2 h1))."""

    def __init__(self, width: int, out: int, places: int, std: float) -> None:
        super().__init__()
        self.place = Lookup(places, width)
        self.one, self.two = Linear(3 * width, width, F.gelu), Linear(width, out, F.gelu)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(out)])
        for weight in (self.place.weight, self.one.weight, self.two.weight):
            nn.init.normal_(weight, std=std)

    @classmethod
    def of(cls, network: Any, std: float, places: int) -> Boundary:
        """In a network's sizes: its states may be wider than its config says, and its words scored in another width
        than they are read in."""
        return cls(network.encoder.width, network.masked_lm.dense.out_features, places, std)

    def forward(self, before: Tensor, behind: Tensor, place: Tensor) -> Tensor:
        """before, behind: (M, H) states; place: (M,) int64 from 0 -> (M, E)."""
        x = torch.cat([before, behind, self.place(place.clamp(max=len(self.place.weight) - 1))], -1)
        y: Tensor = self.norms[1](self.two(self.norms[0](self.one(x))))
        return y


class SpansAndBoundaries(Objective):
    """The boundary's layers are trained here and not part of the model, as SpanBERT's are not."""

    def __init__(self, network: nn.Module, std: float, places: int, z: float = 0.0) -> None:
        super().__init__()
        self.network, self.z = network, z
        self.boundary = Boundary.of(network, std, places)

    def told(self, asked: Asked) -> tuple[float, float]:
        """Of some spans: nats of their pieces from their neighbours alone, and how many pieces they have."""
        if not len(asked.labels):
            return 0.0, 0
        _, count, said = self(asked)
        return said["boundary"], count

    def forward(self, asked: Asked) -> tuple[Tensor, int, dict[str, float]]:
        network, tokens = self.network, asked.chosen.tokens
        first, last = ends(tokens)
        read, (masked, before, behind) = reading(asked.batch, tokens, tokens[first] - 1, tokens[last] + 1)
        states, words = network.encoder(asked.batch, read), network.encoder.embeddings.word.weight
        x, vectors, bias = network.masked_lm.before(states[masked], words)
        loss, plain, right, _ = cross_entropy(x, vectors, bias, asked.labels, self.z)
        y = self.boundary(states[before], states[behind], tokens - tokens[first])
        beside, boundary, *_ = cross_entropy(y.to(x.dtype), vectors, bias, asked.labels, self.z)
        said = facts(words=plain, accuracy=right.sum(), boundary=boundary)
        return loss + beside, len(asked.labels), said


def ends(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Of each masked piece, (M,) int64 twice: which of the masked pieces are the first and the last of its span.

    tokens: their places, rising. Spans that touch are one, as in SpanBERT's code: a neighbour that is masked itself
    tells nothing. The special pieces around each text are never masked, so that no span goes on in the next.
    """
    goes_on = torch.zeros_like(tokens)
    goes_on[1:] = tokens[1:] == tokens[:-1] + 1
    _, of, counts = torch.unique_consecutive((1 - goes_on).cumsum(0), return_inverse=True, return_counts=True)
    stops = counts.cumsum(0)
    return (stops - counts)[of], (stops - 1)[of]
