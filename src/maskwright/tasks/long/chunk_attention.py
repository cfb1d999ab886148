"""A mean of the chunks' vectors whose weights are learnt (Yang et al. 2016, equations 5 to 7, with chunks as words)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from maskwright.nn.batch import Batch
from maskwright.nn.segments import log_sum_exp
from maskwright.tasks.long._chunks import Chunks
from maskwright.tasks.long._long import Combine


class Attention(Combine):
    """sum_i a_i v_i with a = softmax(u^T tanh(W v + b)) over a text's chunks; u is 0 at first, which is the mean."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.context = nn.Linear(width, 1, bias=False)
        nn.init.zeros_(self.context.weight)

    def forward(self, vectors: Tensor, texts: Batch) -> Tensor:
        scores = self.context(torch.tanh(self.dense(vectors)))[:, 0].float()
        weights = (scores - log_sum_exp(scores, texts.sequence, len(texts))[texts.sequence]).exp()
        out = torch.zeros(len(texts), vectors.shape[-1], device=vectors.device)
        return out.index_add(0, texts.sequence, weights[:, None] * vectors.float()).to(vectors.dtype)


class ChunkAttention(Chunks):
    """An attention over a text's chunks."""

    def combine(self, width: int) -> Combine:
        return Attention(width)
