"""Embeddings and a stack of blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.linear import is_recorded
from maskwright.nn.recompute import recomputed

# Why, and what a kernel costs: docs/decisions/0005-products.md.
ROWS = 32  #: on CPU the number of rows is rounded up to a multiple of this
FROM = 16 * ROWS  #: from this many rows on, so that few are blank


class Encoder(nn.Module):
    """Batch -> hidden states.

    embeddings: Batch -> (N, H). blocks: each (N, H), Batch, Chosen or None -> (N, H) or (M, H). On CPU a block may be
    given up to ROWS - 1 blank rows more than the batch has tokens, behind them; it gives as many back. order: the
    blocks of the L layers, where one stands at several of them, or in a list of its own. relative: what blocks know of
    relative positions, made once for a batch from it and the number of rows, and given to each block last. norm: behind
    the last block.
    """

    def __init__(
        self,
        embeddings: nn.Module,
        blocks: Iterable[nn.Module],
        width: int,
        order: Sequence[nn.Module] | None = None,
        relative: nn.Module | None = None,
        norm: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.blocks = nn.ModuleList(blocks)
        self._order = None if order is None else tuple(order)
        self.relative, self.norm = relative, norm
        self.width = width
        self.recompute = False  #: gradient checkpointing: in training a block's inner states are computed twice

    @property
    def limit(self) -> int | None:
        """How many tokens a sequence may have; None where no table of positions ends."""
        limit: int | None = getattr(self.embeddings, "limit", None)
        return limit

    @property
    def layers(self) -> Sequence[Any]:
        """The block of each layer."""
        return list(self.blocks) if self._order is None else self._order

    def forward(self, batch: Batch, chosen: Chosen | None = None) -> Tensor:
        """The last hidden state: (N, H), or (M, H) of the chosen tokens, equal to those rows of the full one."""
        x: Tensor = self.embeddings(batch)
        rows = len(x)
        x = _round(x)
        relative = self.relations(batch, len(x))
        layers = self.layers
        last = len(layers) - 1
        call = recomputed if self.recompute and self.training and torch.is_grad_enabled() else _call
        for i, block in enumerate(layers):
            x = call(block, x, batch, chosen if i == last else None, *relative)
        if chosen is not None and last < 0:
            x = x[chosen.tokens]
        x = x if chosen is not None else x[:rows]
        return x if self.norm is None else self.norm(x)

    def states(self, batch: Batch) -> list[Tensor]:
        """All hidden states, L + 1 of (N, H): the embeddings and each block's output, the last one normalised."""
        inputs = list(self.inputs(batch))
        rows = len(batch.ids)
        out = [x[:rows] for x in inputs]
        if self.norm is not None:
            out[-1] = self.norm(out[-1])
        return out

    def attentions(self, batch: Batch) -> Iterator[list[Tensor]]:
        """Of one block after the other: the attention probabilities (A, T, T) of each sequence, in fp32.

        They are computed again from the block's input, so that looking does not depend on which kernel attends.
        """
        inputs = list(self.inputs(batch))
        relative = self.relations(batch, len(inputs[0]))
        for x, block in zip(inputs, self.layers, strict=False):
            with torch.autocast(x.device.type, enabled=False):
                yield block.weights(x.float(), batch, *relative)

    def inputs(self, batch: Batch) -> Iterator[Tensor]:
        """What each block is given, and what the last one gives; with blank rows."""
        x = _round(self.embeddings(batch))
        relative = self.relations(batch, len(x))
        yield x
        for block in self.layers:
            x = block(x, batch, None, *relative)
            yield x

    def relations(self, batch: Batch, rows: int) -> tuple[Any, ...]:
        """What every block is given last: nothing, or what `relative` makes of the batch."""
        return () if self.relative is None else (self.relative(batch, rows),)


def _call(block: nn.Module, *given: Any) -> Tensor:
    y: Tensor = block(*given)
    return y


def _round(x: Tensor) -> Tensor:
    """(N, H) with blank rows behind the text's, up to a multiple of ROWS. No sequence has them, so nobody reads them.

    oneDNN compiles a kernel for each number of rows that it has not seen, and those of packed batches are new in nearly
    every step.
    """
    blank = -len(x) % ROWS
    if is_recorded() or not x.is_cpu or len(x) < FROM:
        return x
    return F.pad(x, (0, 0, 0, blank)) if blank else x
