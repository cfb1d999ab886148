"""Rotary positions (Su et al. 2021, section 3.4.2): pairs of numbers as points of a plane, turned by position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from maskwright.nn.batch import Batch, Chosen


@dataclass(frozen=True)
class Turns:
    """The angles of N tokens, as cosines and sines (N, 1, D / 2)."""

    cos: Tensor
    sin: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """(N, A, D) -> (N, A, D); the numbers d and d + D / 2 are a pair. Turned in fp32, in the format of x. Of
        (N, 2, A, D), which are keys and values, the keys alone."""
        turned: Tensor = _Turn.apply(x, self.cos, self.sin)
        return turned

    def turn_(self, x: Tensor) -> Tensor:
        """(N, A, D) in place, for an x that nobody else reads and that needs no gradient."""
        return x.copy_(_turned(x, self.cos, self.sin))

    def of(self, chosen: Chosen) -> Turns:
        return Turns(self.cos.index_select(0, chosen.tokens), self.sin.index_select(0, chosen.tokens))


class _Turn(torch.autograd.Function):
    """A gradient is turned back: half the passes of what autograd would make of the products and sums."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _some_turned(x, cos, sin, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        cos, sin = ctx.saved_tensors
        return _some_turned(grads[0], cos, sin, -1), None, None


def _some_turned(x: Tensor, cos: Tensor, sin: Tensor, way: int) -> Tensor:
    """All of (N, A, D), or the first half of (N, 2, A, D)."""
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    if x.dim() == 3:
        return _turned(x, cos, sin, way, out)
    _turned(x[:, 0], cos, sin, way, out[:, 0])
    out[:, 1] = x[:, 1]
    return out


def _turned(x: Tensor, cos: Tensor, sin: Tensor, way: int = 1, out: Tensor | None = None) -> Tensor:
    """way: -1 turns back. out: what receives it."""
    wide = x.float()
    into = out if out is not None and out.dtype == wide.dtype else torch.empty(x.shape, device=x.device)
    (a, b), (first, second) = wide.chunk(2, -1), into.chunk(2, -1)
    torch.mul(a, cos, out=first).addcmul_(b, sin, value=-way)
    torch.mul(b, cos, out=second).addcmul_(a, sin, value=way)
    return into if out is None or into is out else out.copy_(into)


class Rotary(nn.Module):
    """Pair d of D / 2 turns by position * base ** (-2 d / D); one kind of turns for each base."""

    def __init__(self, head_width: int, bases: Sequence[float]) -> None:
        super().__init__()
        self.head_width, self.bases = head_width, tuple(bases)

    def forward(self, batch: Batch, rows: int) -> list[Turns]:
        """rows: of the hidden states, N or a few blank ones more."""
        blank = rows - len(batch.positions)
        positions = torch.nn.functional.pad(batch.positions, (0, blank)).float()
        steps = torch.arange(0, self.head_width, 2, device=positions.device).float() / self.head_width
        found = []
        for base in self.bases:
            angles = positions[:, None, None] * (1.0 / base**steps)
            found.append(Turns(angles.cos(), angles.sin()))
        return found
