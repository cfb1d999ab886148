"""Runs of a few words, the short ones more often."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from maskwright.pretraining.masking._spans import SpanMasking


class NGram(SpanMasking):
    """Runs of n words with p(n) = (1 / n) / (1 / 1 + ... + 1 / longest) (Lan et al. 2020, section 4.1). Each piece is
    replaced by a rule of its own, as in ALBERT's code (github.com/google-research/albert, create_pretraining_data.py).
    """

    chooses: ClassVar[str] = "runs of a few words"

    longest: int = Field(3, ge=1, description="words of the longest run")

    def lengths(self) -> np.ndarray:
        chances = 1 / np.arange(1, self.longest + 1)
        return chances / chances.sum()
