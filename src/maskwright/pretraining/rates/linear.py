"""A straight line from one share to another."""

from __future__ import annotations

from pydantic import Field

from maskwright.pretraining.rates._rate import Rate


class Linear(Rate):
    """start + (end - start) progress (time-variant masking of Yang et al. 2023, section 3.1)."""

    start: float = Field(0.3, gt=0, lt=1)
    end: float = Field(0.15, gt=0, lt=1)

    def at(self, progress: float) -> float:
        return self.start + (self.end - self.start) * progress
