"""The largest number of the chunks' vectors in each place: one chunk that says something is enough."""

from __future__ import annotations

import torch
from torch import Tensor

from maskwright.nn.batch import Batch
from maskwright.tasks.long._chunks import Chunks
from maskwright.tasks.long._long import Combine


class Max(Combine):
    """(S, H) -> (B, H)."""

    def forward(self, vectors: Tensor, texts: Batch) -> Tensor:
        least = vectors.new_full((len(texts), vectors.shape[-1]), -torch.inf)
        return least.scatter_reduce(0, texts.sequence[:, None].expand_as(vectors), vectors, "amax")


class ChunkMax(Chunks):
    """The maximum over a text's chunks."""

    def combine(self, width: int) -> Combine:
        return Max()
