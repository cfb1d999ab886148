"""The first token's state, [CLS] in BERT (Devlin et al. 2019, section 4.1)."""

from __future__ import annotations

from torch import Tensor

from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.pooling._pooling import Pooling


class Cls(Pooling):
    """State of the first token of each sequence."""

    def reads(self, batch: Batch) -> Chosen:
        return batch.first

    def pool(self, states: Tensor, batch: Batch) -> Tensor:
        return states  # (B, H): only first tokens were computed
