"""The mean of the chunks' vectors: each chunk has the same say."""

from __future__ import annotations

from torch import Tensor

from maskwright.nn.batch import Batch
from maskwright.nn.pooling.mean import Mean as Pool
from maskwright.tasks.long._chunks import Chunks
from maskwright.tasks.long._long import Combine


class Mean(Combine):
    """(S, H) -> (B, H), summed in fp32."""

    def forward(self, vectors: Tensor, texts: Batch) -> Tensor:
        return Pool().pool(vectors, texts).to(vectors.dtype)


class ChunkMean(Chunks):
    """The mean over a text's chunks."""

    def combine(self, width: int) -> Combine:
        return Mean()
