"""Straight down to zero after the warm-up, as BERT was trained."""

from __future__ import annotations

from maskwright.training.schedules._schedule import Schedule


class Linear(Schedule):
    """1 - step / total (Devlin et al. 2019, appendix A.2)."""

    def after(self, step: int, total: int) -> float:
        return 1 - step / total
