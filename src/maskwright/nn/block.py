"""Encoder blocks, as their equations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from maskwright.nn.activations import Activation
from maskwright.nn.attention import attend, look
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.bias import Bias
from maskwright.nn.dropout import Dropout
from maskwright.nn.linear import Linear, chain, is_recorded
from maskwright.nn.pattern import FULL, Pattern
from maskwright.nn.rotary import Turns

# Inner activations are the largest tensor of an encoder. On CPU without a gradient, more numbers than LARGE are made of
# SOME tokens at a time: docs/decisions/0004-memory.md.
LARGE = 2**23
SOME = 2048


class Attention(nn.Module):
    """Concat(head_1 .. head_A) W_out, with the three input projections as one matrix (H, 3H)."""

    def __init__(self, width: int, heads: int, dropout: float, pattern: Pattern = FULL, bias: bool = True) -> None:
        super().__init__()
        self.heads, self.dropout, self.pattern = heads, dropout, pattern
        self.qkv = Linear(width, 3 * width, bias=bias)
        self.out = Linear(width, width, bias=bias)

    def forward(self, x: Tensor, batch: Batch, chosen: Chosen | None = None, bias: Bias | None = None) -> Tensor:
        """x: (N, H) -> (N, H), or (M, H) when only the chosen tokens ask."""
        q, kv = self.project(x, chosen)
        rate = self.dropout if self.training else 0.0
        y: Tensor = self.out(attend(q, kv, batch, chosen, rate, self.pattern, bias).flatten(-2))
        return y

    def project(self, x: Tensor, chosen: Chosen | None = None) -> tuple[Tensor, Tensor]:
        """(N, H) -> queries (N, A, D), or (M, A, D), and keys and values (N, 2, A, D)."""
        width = x.shape[-1]
        if chosen is None:
            q, kv = self.qkv(x).split([width, 2 * width], dim=-1)
        else:
            q = self.qkv(x.index_select(0, chosen.tokens), rows=slice(None, width))
            kv = self.qkv(x, rows=slice(width, None))
        return q.unflatten(-1, (self.heads, -1)), kv.unflatten(-1, (2, self.heads, -1))

    def weights(self, x: Tensor, batch: Batch, bias: Bias | None = None) -> list[Tensor]:
        """What `forward` weighs values with, computed again: (A, T, T) of each sequence."""
        q, kv = self.project(x)
        return look(q, kv[:, 0], batch, self.pattern, bias)


class RotaryAttention(Attention):
    """Queries and keys turned by their positions, so that a score depends on how far they stand apart (Su et al. 2021).

    kind: which of the encoder's `Turns` are this layer's.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        dropout: float,
        pattern: Pattern = FULL,
        bias: bool = True,
        kind: int = 0,
        drop_out: float = 0.0,
    ) -> None:
        """drop_out: the rate on what attention gives."""
        super().__init__(width, heads, dropout, pattern, bias)
        self.kind = kind
        self.drop = Dropout(drop_out)

    def forward(self, x: Tensor, batch: Batch, chosen: Chosen | None, turns: list[Turns]) -> Tensor:  # type: ignore[override]
        q, kv = self.project(x, chosen)
        turn = turns[self.kind]
        asking = turn if chosen is None else turn.of(chosen)
        if torch.is_grad_enabled():
            q, kv = asking(q), turn(kv)
        else:
            asking.turn_(q)
            turn.turn_(kv[:, 0])
        rate = self.dropout if self.training else 0.0
        y: Tensor = self.drop(self.out(attend(q, kv, batch, chosen, rate, self.pattern).flatten(-2)))
        return y

    def weights(self, x: Tensor, batch: Batch, turns: list[Turns]) -> list[Tensor]:  # type: ignore[override]
        q, kv = self.project(x)
        turn = turns[self.kind]
        return look(turn(q), turn(kv[:, 0]), batch, self.pattern)


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


class GatedFeedForward(nn.Module):
    """W_out (act(W_in x) * W_gate x), the two projections of x as one matrix (Shazeer 2020, equation 6)."""

    def __init__(self, width: int, inner: int, activation: Activation, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__()
        self.activation = activation
        self.into = Linear(width, 2 * inner, bias=bias)
        self.drop = Dropout(dropout)
        self.out = Linear(inner, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H) -> (N, H)."""
        inner, gate = self.into(x).chunk(2, -1)
        act = self.activation(inner)
        y: Tensor = self.out(self.drop(act * gate if torch.is_grad_enabled() else act.mul_(gate)))
        return y


class Block(nn.Module):
    """Attention, feed-forward and a norm for each. Who reads relative positions gets them as `relative`."""

    def __init__(self, attention: nn.Module, feedforward: nn.Module, norms: list[nn.Module], dropout: float) -> None:
        super().__init__()
        self.attention: Any = attention
        self.feedforward = feedforward
        self.attention_norm, self.feedforward_norm = norms
        self.drop = Dropout(dropout)


class PostNormBlock(Block):
    """x = norm(x + drop(attention(x))); x = norm(x + drop(feedforward(x))) (Vaswani et al. 2017, section 3.1)."""

    def forward(self, x: Tensor, batch: Batch, chosen: Chosen | None = None, *relative: Any) -> Tensor:
        """(N, H) -> (N, H), or (M, H) for the chosen tokens alone."""
        kept = x if chosen is None else x.index_select(0, chosen.tokens)
        x = self.attention_norm(kept + self.drop(self.attention(x, batch, chosen, *relative)))
        x = self.feedforward_norm(x + self.drop(self.feedforward(x)))
        return x

    def weights(self, x: Tensor, batch: Batch, *relative: Any) -> list[Tensor]:
        """The attention probabilities (A, T, T) of each sequence, from the block's input."""
        found: list[Tensor] = self.attention.weights(x, batch, *relative)
        return found


class PreNormBlock(Block):
    """x = x + drop(attention(norm(x))); x = x + drop(feedforward(norm(x))) (Xiong et al. 2020, table 1)."""

    def forward(self, x: Tensor, batch: Batch, chosen: Chosen | None = None, *relative: Any) -> Tensor:
        """(N, H) -> (N, H), or (M, H) for the chosen tokens alone."""
        kept = x if chosen is None else x.index_select(0, chosen.tokens)
        x = kept + self.drop(self.attention(self.attention_norm(x), batch, chosen, *relative))
        x = x + self.drop(self.feedforward(self.feedforward_norm(x)))
        return x

    def weights(self, x: Tensor, batch: Batch, *relative: Any) -> list[Tensor]:
        """The attention probabilities (A, T, T) of each sequence, from the block's input."""
        found: list[Tensor] = self.attention.weights(self.attention_norm(x), batch, *relative)
        return found
