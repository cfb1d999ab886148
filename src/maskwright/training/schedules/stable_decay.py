"""Warm-up, a long stretch at the peak, and a fall at the end (WSD)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from maskwright.training.schedules._schedule import Schedule


class StableDecay(Schedule):
    """1, and over the last steps final + (1 - final) f(share of them that is behind) (Hu et al. 2024, equation 1).

    f is `linear`, 1 - x, or `1-sqrt`, 1 - sqrt(x) (Hägele et al. 2024). Until the fall begins, the rate does not depend
    on how long the run is, so one stretch at the peak serves runs of several lengths.
    """

    decay: float = Field(0.2, ge=0, le=1)
    """Share of the steps behind the warm-up during which the rate falls."""

    shape: Literal["linear", "1-sqrt"] = "linear"

    final: float = Field(0.0, ge=0, le=1)
    """What it falls to. The step that would have this rate is the one behind the last."""

    def after(self, step: int, total: int) -> float:
        fall = round(self.decay * total)
        behind = step - (total - fall)
        if behind <= 0:
            return 1.0
        x = behind / fall
        return self.final + (1 - self.final) * (1 - (x if self.shape == "linear" else x**0.5))
