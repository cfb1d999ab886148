"""The same share all along."""

from __future__ import annotations

from maskwright.pretraining.rates._rate import Rate


class Constant(Rate):
    """start, 15 % in BERT (Devlin et al. 2019, section 3.1)."""

    def at(self, progress: float) -> float:
        return self.start
