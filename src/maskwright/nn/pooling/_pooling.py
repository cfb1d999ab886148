"""The contract of a pooling: which tokens it reads, and how their states become one vector per sequence."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from maskwright.base.choice import Part
from maskwright.nn.batch import Batch, Chosen


class Pooling(Part):
    """One vector for each sequence."""

    def reads(self, batch: Batch) -> Chosen | None:
        """The tokens whose states are needed, or None for all; the encoder's last block computes only these."""
        return None

    @abstractmethod
    def pool(self, states: Tensor, batch: Batch) -> Tensor:
        """(N, H), or (M, H) of the tokens that `reads` named -> (B, H)."""
