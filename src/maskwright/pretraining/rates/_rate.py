"""The contract of a rate: a pure function of how much of the training is behind."""

from __future__ import annotations

from abc import abstractmethod

from pydantic import Field

from maskwright.base.choice import Part


class Rate(Part):
    """A share of pieces, in (0, 1)."""

    start: float = Field(0.15, gt=0, lt=1)
    """The share at the beginning."""

    @abstractmethod
    def at(self, progress: float) -> float:
        """The share when `progress`, in [0, 1], of the training is behind."""
