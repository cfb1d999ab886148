"""Half a cosine from one share to another."""

from __future__ import annotations

import math

from pydantic import Field

from maskwright.pretraining.rates._rate import Rate


class Cosine(Rate):
    """end + (start - end) (1 + cos(pi progress)) / 2 (Yang et al. 2023, section 3.1)."""

    start: float = Field(0.3, gt=0, lt=1)
    end: float = Field(0.15, gt=0, lt=1)

    def at(self, progress: float) -> float:
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * progress)) / 2
