"""Half a cosine down to zero after the warm-up."""

from __future__ import annotations

import math

from maskwright.training.schedules._schedule import Schedule


class Cosine(Schedule):
    """(1 + cos(pi step / total)) / 2 (Loshchilov and Hutter 2017, equation 5, without restarts)."""

    def after(self, step: int, total: int) -> float:
        return (1 + math.cos(math.pi * step / total)) / 2
