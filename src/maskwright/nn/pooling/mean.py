"""The mean over a sequence's tokens, special tokens included (Reimers and Gurevych 2019, section 3)."""

from __future__ import annotations

from torch import Tensor

from maskwright.nn.batch import Batch
from maskwright.nn.pooling._pooling import Pooling


class Mean(Pooling):
    """sum over the tokens of a sequence / their number, summed in fp32."""

    def pool(self, states: Tensor, batch: Batch) -> Tensor:
        x = states.float()
        counts = x.new_tensor(batch.lengths)
        if batch.real is not None:
            x = x * batch.real[:, None]
            counts = batch.real.view(len(batch), -1).sum(1)
        total = x.new_zeros(len(batch), x.shape[-1]).index_add(0, batch.sequence, x)
        return total / counts[:, None]
