"""Rotary positions (Su et al. 2021, section 3.4.2): pairs of numbers as points of a plane, turned by position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from maskwright.nn.batch import Batch, Chosen


@dataclass(frozen=True)
class Turns:
    """The angles of N tokens, as cosines and sines (N, 1, D / 2)."""

    cos: Tensor
    sin: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """(N, A, D) -> (N, A, D); the numbers d and d + D / 2 are a pair. Turned in fp32, in the format of x."""
        a, b = x.float().chunk(2, -1)
        return torch.cat([a * self.cos - b * self.sin, b * self.cos + a * self.sin], -1).to(x.dtype)

    def turn_(self, x: Tensor) -> Tensor:
        """The same in place, for an x that nobody else reads and that needs no gradient: half the passes."""
        wide = x.float()
        a, b = wide.chunk(2, -1)
        turned = torch.empty_like(wide, memory_format=torch.contiguous_format)
        first, second = turned.chunk(2, -1)
        torch.mul(a, self.cos, out=first).addcmul_(b, self.sin, value=-1)
        torch.mul(b, self.cos, out=second).addcmul_(a, self.sin)
        return x.copy_(turned)

    def of(self, chosen: Chosen) -> Turns:
        return Turns(self.cos.index_select(0, chosen.tokens), self.sin.index_select(0, chosen.tokens))


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
