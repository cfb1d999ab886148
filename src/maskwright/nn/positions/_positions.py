"""The contract of a longer table: what stands at positions that were never trained."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from maskwright.base.choice import Part


class Positions(Part):
    """Makes a table of positions longer. Whatever it puts there, the encoder needs further training to use it."""

    @abstractmethod
    def longer(self, table: Tensor, rows: int) -> Tensor:
        """(P, H) -> (rows, H), rows > P."""
