"""A small transformer over the chunks' vectors, which so know of each other and of their order.

(ToBERT, Pappagari et al. 2019, section 3.3.)
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from maskwright.base.errors import UserError
from maskwright.nn.batch import Batch
from maskwright.nn.block import Attention, FeedForward, PostNormBlock
from maskwright.nn.pooling.mean import Mean as Pool
from maskwright.tasks.long._chunks import Chunks
from maskwright.tasks.long._long import Combine


class Hierarchy(Combine):
    """mean(blocks(v + p)): p are sines of the chunk's number (Vaswani et al. 2017, section 3.5)."""

    def __init__(self, width: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            PostNormBlock(
                Attention(width, heads, dropout),
                FeedForward(width, 4 * width, F.gelu),
                [nn.LayerNorm(width) for _ in range(2)],
                dropout,
            )
            for _ in range(layers)
        )

    def forward(self, vectors: Tensor, texts: Batch) -> Tensor:
        x = vectors + _sines(texts.positions, vectors.shape[-1]).to(vectors.dtype)
        for block in self.blocks:
            x = block(x, texts)
        return Pool().pool(x, texts).to(vectors.dtype)


def _sines(positions: Tensor, width: int) -> Tensor:
    """(S,) -> (S, H)."""
    turns = torch.exp(torch.arange(0, width, 2, device=positions.device) * (-math.log(10_000) / width))
    angles = positions[:, None] * turns
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :width]


class Hierarchical(Chunks):
    """The paper's has two blocks over chunks of 200 pieces that share 50."""

    alike: ClassVar[Literal["all", "short", "none"]] = "none"
    otherwise: ClassVar[str | None] = "no block reads the vectors of chunks, so no logit is the same"

    layers: int = Field(2, ge=1, description="blocks over the chunks")
    heads: int = Field(0, ge=0, description="of these blocks; 0: of 64 numbers each, or the next larger that fit")
    dropout: float = Field(0.1, ge=0, lt=1, description="in these blocks")

    def combine(self, width: int) -> Combine:
        fitting = [heads for heads in range(1, width + 1) if width % heads == 0]
        if self.heads and self.heads not in fitting:
            raise UserError(
                f"long.heads = {self.heads} does not divide the {width} numbers of a vector. Allowed are "
                f"{', '.join(map(str, fitting))}; 0 chooses."
            )
        heads = self.heads or max(heads for heads in fitting if heads <= max(1, width // 64))
        return Hierarchy(width, self.layers, heads, self.dropout)
