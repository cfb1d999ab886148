"""One encoder block, as its equations."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from maskwright.nn.activations import Activation
from maskwright.nn.attention import attend
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.dropout import Dropout
from maskwright.nn.linear import Linear, chain, is_recorded

# Inner activations are the largest tensor of an encoder. On CPU without a gradient, more numbers than LARGE are made of
# SOME tokens at a time: docs/decisions/0004-memory.md.
LARGE = 2**23
SOME = 2048


class Attention(nn.Module):
    """Concat(head_1 .. head_A) W_out, with the three input projections as one matrix (H, 3H)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = Linear(width, 3 * width)
        self.out = Linear(width, width)

    def forward(self, x: Tensor, batch: Batch, chosen: Chosen | None = None) -> Tensor:
        """x: (N, H) -> (N, H), or (M, H) when only the chosen tokens ask."""
        width = x.shape[-1]
        if chosen is None:
            q, kv = self.qkv(x).split([width, 2 * width], dim=-1)
        else:
            q = self.qkv(x.index_select(0, chosen.tokens), rows=slice(None, width))
            kv = self.qkv(x, rows=slice(width, None))
        q, kv = q.unflatten(-1, (self.heads, -1)), kv.unflatten(-1, (2, self.heads, -1))
        mixed = attend(q, kv, batch, chosen, self.dropout if self.training else 0.0)
        y: Tensor = self.out(mixed.flatten(-2))
        return y


class FeedForward(nn.Module):
    """W_out act(W_in x)."""

    def __init__(self, width: int, inner: int, activation: Activation) -> None:
        super().__init__()
        self.into = Linear(width, inner, activation)
        self.out = Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H) -> (N, H)."""
        if self._in_pieces(x):
            return torch.cat([chain(some, self.into, self.out) for some in x.split(SOME)])
        return chain(x, self.into, self.out)

    def _in_pieces(self, x: Tensor) -> bool:
        if torch.is_grad_enabled() or is_recorded() or not x.is_cpu:
            return False
        return len(x) * self.into.out_features > LARGE


class PostNormBlock(nn.Module):
    """x = norm(x + drop(attention(x))); x = norm(x + drop(feedforward(x))) (Vaswani et al. 2017, section 3.1)."""

    def __init__(self, attention: nn.Module, feedforward: nn.Module, norms: list[nn.Module], dropout: float) -> None:
        super().__init__()
        self.attention, self.feedforward = attention, feedforward
        self.attention_norm, self.feedforward_norm = norms
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, batch: Batch, chosen: Chosen | None = None) -> Tensor:
        """(N, H) -> (N, H), or (M, H) for the chosen tokens alone."""
        kept = x if chosen is None else x.index_select(0, chosen.tokens)
        x = self.attention_norm(kept + self.drop(self.attention(x, batch, chosen)))
        x = self.feedforward_norm(x + self.drop(self.feedforward(x)))
        return x
