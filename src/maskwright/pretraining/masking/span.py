"""Spans of words whose lengths are geometric."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from maskwright.pretraining.masking._spans import SpanMasking


class Span(SpanMasking):
    """Lengths of n words with p(n) = p (1 - p)^(n - 1) / (1 - (1 - p)^longest), 3.8 on average; a whole span is
    replaced by one rule (Joshi et al. 2020, section 3.1)."""

    chooses: ClassVar[str] = "spans of words"

    together: ClassVar[bool] = True

    p: float = Field(0.2, gt=0, lt=1, description="chance that a span ends with a word")
    longest: int = Field(10, ge=1, description="words of the longest span")

    def lengths(self) -> np.ndarray:
        chances = self.p * (1 - self.p) ** np.arange(self.longest)
        return chances / chances.sum()
