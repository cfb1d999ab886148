"""Embeddings and a stack of blocks."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from maskwright.nn.batch import Batch, Chosen


class Encoder(nn.Module):
    """Batch -> hidden states.

    embeddings: Batch -> (N, H). blocks: each (N, H), Batch, Chosen or None -> (N, H) or (M, H).
    """

    def __init__(self, embeddings: nn.Module, blocks: Iterable[nn.Module], width: int) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.blocks = nn.ModuleList(blocks)
        self.width = width

    def forward(self, batch: Batch, chosen: Chosen | None = None) -> Tensor:
        """The last hidden state: (N, H), or (M, H) of the chosen tokens, equal to those rows of the full one."""
        x: Tensor = self.embeddings(batch)
        last = len(self.blocks) - 1
        for i, block in enumerate(self.blocks):
            x = block(x, batch, chosen if i == last else None)
        if chosen is not None and last < 0:
            x = x[chosen.tokens]
        return x

    def states(self, batch: Batch) -> list[Tensor]:
        """All hidden states, L + 1 of (N, H): the embeddings and each block's output."""
        out = [self.embeddings(batch)]
        for block in self.blocks:
            out.append(block(out[-1], batch))
        return out
