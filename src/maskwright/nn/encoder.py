"""Embeddings and a stack of blocks."""

from __future__ import annotations

from collections.abc import Iterable

import torch.nn.functional as F
from torch import Tensor, nn

from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.linear import is_recorded

# Why, and what a kernel costs: docs/decisions/0005-products.md.
ROWS = 32  #: on CPU the number of rows is rounded up to a multiple of this
FROM = 16 * ROWS  #: from this many rows on, so that few are blank


class Encoder(nn.Module):
    """Batch -> hidden states.

    embeddings: Batch -> (N, H). blocks: each (N, H), Batch, Chosen or None -> (N, H) or (M, H). On CPU a block may be
    given up to ROWS - 1 blank rows more than the batch has tokens, behind them; it gives as many back.
    """

    def __init__(self, embeddings: nn.Module, blocks: Iterable[nn.Module], width: int) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.blocks = nn.ModuleList(blocks)
        self.width = width

    def forward(self, batch: Batch, chosen: Chosen | None = None) -> Tensor:
        """The last hidden state: (N, H), or (M, H) of the chosen tokens, equal to those rows of the full one."""
        x: Tensor = self.embeddings(batch)
        rows = len(x)
        x = _round(x)
        last = len(self.blocks) - 1
        for i, block in enumerate(self.blocks):
            x = block(x, batch, chosen if i == last else None)
        if chosen is not None and last < 0:
            x = x[chosen.tokens]
        return x if chosen is not None else x[:rows]

    def states(self, batch: Batch) -> list[Tensor]:
        """All hidden states, L + 1 of (N, H): the embeddings and each block's output."""
        out = [self.embeddings(batch)]
        rows = len(out[0])
        x = _round(out[0])
        for block in self.blocks:
            x = block(x, batch)
            out.append(x[:rows])
        return out


def _round(x: Tensor) -> Tensor:
    """(N, H) with blank rows behind the text's, up to a multiple of ROWS. No sequence has them, so nobody reads them.

    oneDNN compiles a kernel for each number of rows that it has not seen, and those of packed batches are new in nearly
    every step.
    """
    blank = -len(x) % ROWS
    if is_recorded() or not x.is_cpu or len(x) < FROM:
        return x
    return F.pad(x, (0, 0, 0, blank)) if blank else x
