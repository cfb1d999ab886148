"""A sliding window and tokens that see everything (Beltagy et al. 2020, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from maskwright.nn.attention import attend, look
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.block import Attention
from maskwright.nn.linear import Linear
from maskwright.nn.pattern import window


class OfMarked(Linear):
    """A projection for tokens that see everything."""

    def products(self, tokens: int) -> int:
        """Floating-point operations of a text in which none is marked."""
        return 0


class SlidingAttention(Attention):
    """Every token looks at `side` tokens to either side and at the marked ones; marked tokens look at everything, with
    queries, keys and values by projections of their own."""

    def __init__(self, width: int, heads: int, dropout: float, side: int) -> None:
        super().__init__(width, heads, dropout, window(side, marked=True))
        self.everywhere = OfMarked(width, 3 * width)

    def forward(self, x: Tensor, batch: Batch, chosen: Chosen | None = None) -> Tensor:  # type: ignore[override]
        """x: (N, H) -> (N, H), or (M, H) when only the chosen tokens ask."""
        rate = self.dropout if self.training else 0.0
        places, marked = asking(batch, chosen)
        far = None if marked is None else self._far(x, batch, marked, rate)
        if far is not None and chosen is not None and len(places) == len(chosen.tokens):
            mixed = far  # everybody who asks is marked
        else:
            q, kv = self.project(x, chosen)
            mixed = attend(q, kv, batch, chosen, rate, self.pattern)
            mixed = mixed if far is None else mixed.index_copy(0, places, far)
        y: Tensor = self.out(mixed.flatten(-2))
        return y

    def _far(self, x: Tensor, batch: Batch, marked: Chosen, rate: float) -> Tensor:
        """What marked tokens see, (M, A, D)."""
        width = x.shape[-1]
        q = self.everywhere(x.index_select(0, marked.tokens), rows=slice(None, width))
        kv = self.everywhere(x, rows=slice(width, None))
        q, kv = q.unflatten(-1, (self.heads, -1)), kv.unflatten(-1, (2, self.heads, -1))
        return attend(q, kv, batch, marked, rate)

    def weights(self, x: Tensor, batch: Batch) -> list[Tensor]:  # type: ignore[override]
        """(A, T, T) of each sequence; the rows of marked tokens are theirs."""
        found = super().weights(x, batch)
        if batch.marked is None or not batch.marked.any():
            return found
        q, k, _ = self.everywhere(x).unflatten(-1, (3, self.heads, -1)).unbind(1)
        far = look(q, k, batch)
        marks = batch.marked.split(list(batch.lengths))
        return [torch.where(m[None, :, None], f, n) for m, f, n in zip(marks, far, found, strict=True)]


def asking(batch: Batch, chosen: Chosen | None) -> tuple[Tensor, Chosen | None]:
    """The marked tokens among those that ask: their places among these, and who they are; None if there are none."""
    if batch.marked is None:
        return batch.ids.new_zeros(0), None
    tokens = torch.arange(len(batch.ids), device=batch.ids.device) if chosen is None else chosen.tokens
    places = batch.marked[tokens].nonzero().flatten()
    if not len(places):
        return places, None
    mine = tokens[places]
    counts = torch.bincount(batch.sequence[mine], minlength=len(batch)).tolist()
    return places, Chosen(mine, tuple(counts))
