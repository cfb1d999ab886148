"""The contract of a schedule: a pure function of the step, so that a resumed run needs no state of it."""

from __future__ import annotations

from abc import abstractmethod

from pydantic import Field

from maskwright.base.choice import Part


class Schedule(Part):
    """The learning rate of each step as a share of the peak."""

    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of all steps during which the rate rises from 0 in a straight line (Devlin et al. 2019, appendix A.2)."""

    def factor(self, step: int, total: int) -> float:
        """For step 0 .. total - 1: in [0, 1]. The first step already moves: the rise is (step + 1) / (warm-up + 1)."""
        rise = round(self.warmup * total)
        if step < rise:
            return (step + 1) / (rise + 1)
        return self.after(step - rise, max(1, total - rise))

    @abstractmethod
    def after(self, step: int, total: int) -> float:
        """For step 0 .. total - 1 after the warm-up."""
