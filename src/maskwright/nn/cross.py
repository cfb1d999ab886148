"""Attention from one batch to another, and the decoder's block that has it (Vaswani et al. 2017, section 3.2.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from maskwright.nn.attention import attend
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.block import Attention
from maskwright.nn.dropout import Dropout
from maskwright.nn.linear import Linear
from maskwright.nn.pattern import LEFT


class CrossAttention(nn.Module):
    """Every token of sequence b of the target looks at all of sequence b of the source."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.q, self.kv, self.out = Linear(width, width), Linear(width, 2 * width), Linear(width, width)

    def forward(self, x: Tensor, target: Batch, memory: Tensor, source: Batch) -> Tensor:
        """x (N, H) of the target, memory (N', H) of the source -> (N, H)."""
        q, kv = self.q(x).unflatten(-1, (self.heads, -1)), self.kv(memory).unflatten(-1, (2, self.heads, -1))
        mixed = attend(q, kv, source, asking(target), self.dropout if self.training else 0.0)
        y: Tensor = self.out(mixed.flatten(-2))
        return y


def asking(target: Batch) -> Chosen:
    """The target's tokens as those that ask in the source; they have no places there."""
    return Chosen(torch.zeros_like(target.ids), target.lengths)


class DecoderBlock(nn.Module):
    """x = norm(x + drop(left(x))); x = norm(x + drop(cross(x, memory))); x = norm(x + drop(feedforward(x)))."""

    def __init__(
        self, width: int, heads: int, feedforward: nn.Module, norms: list[nn.Module], rates: tuple[float, float]
    ) -> None:
        """rates: of dropout, in attention and elsewhere."""
        super().__init__()
        self.attention, self.cross = Attention(width, heads, rates[0], LEFT), CrossAttention(width, heads, rates[0])
        self.feedforward = feedforward
        self.attention_norm, self.cross_norm, self.feedforward_norm = norms
        self.drop = Dropout(rates[1])

    def forward(self, x: Tensor, target: Batch, memory: Tensor, source: Batch) -> Tensor:
        """(N, H) -> (N, H)."""
        x = self.attention_norm(x + self.drop(self.attention(x, target)))
        x = self.cross_norm(x + self.drop(self.cross(x, target, memory, source)))
        y: Tensor = self.feedforward_norm(x + self.drop(self.feedforward(x)))
        return y
