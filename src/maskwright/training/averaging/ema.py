"""The exponential moving average."""

from __future__ import annotations

import math

from pydantic import Field

from maskwright.training.averaging._averaging import Averaging


class EMA(Averaging):
    """a_n = sum over i = 1 .. n of d^(n - i) w_i, divided by the sum of d^(n - i).

    d = 0.5^(1 / (half_life total)). So divided, as Adam's means are, a_1 is w_1, and later the first weights count no
    more than their age says. With d = 1 it would be the plain mean (Polyak and Juditsky 1992), which a long half-life
    comes close to.
    """

    half_life: float = Field(0.02, gt=0)
    """Share of all steps after which weights count half; d = 0.999 would be 693 steps."""

    def share(self, count: int, total: int) -> float:
        # (1 - d) / (1 - d^count), exact where d is nearly 1
        rate = math.log(2) / (self.half_life * total)
        return math.expm1(-rate) / math.expm1(-rate * count)
