"""The peak rate to the end after the warm-up."""

from __future__ import annotations

from maskwright.training.schedules._schedule import Schedule


class Constant(Schedule):
    """1."""

    def after(self, step: int, total: int) -> float:
        return 1.0
