"""What we hold to train best in a small budget.

Sizes and batches of the first two are the best that bench/pretrain_quality.py tried on two cores, in five and in twenty
minutes. In five it is what reads some 25 pieces for each parameter of its blocks; in twenty the floor is flat, and
2x256 ends level with 2x192. The third was tried for sixty minutes by itself. The last is for machines that nobody
measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from maskwright.pretraining.budget import Budget
from maskwright.pretraining.recipes._recipe import Recipe


@dataclass(frozen=True)
class Preset:
    """What is chosen for a budget of up to so many minutes, or pieces."""

    minutes: float
    tokens: float
    size: str
    vocabulary: int
    batch_tokens: int
    length: int = 128
    lr: float = 2e-3

    def holds(self, budget: Budget) -> bool:
        """A budget in steps is taken for as many of this preset's pieces."""
        if budget.minutes is not None:
            return budget.minutes <= self.minutes
        return budget.amount * (self.batch_tokens if budget.unit == "steps" else 1) <= self.tokens


PRESETS = (
    Preset(10, 15e6, "2x128", 8192, 3072),
    Preset(40, 50e6, "2x192", 8192, 6144),
    Preset(180, 150e6, "3x192", 8192, 4096),
    Preset(math.inf, math.inf, "8x512", 16_384, 16_384),
)

#: A trained encoder: what it was trained with, 15 % by 80/10/10, and steps that do not throw away what it knows.
_GOES_ON: dict[str, Any] = {
    "dropout": None,
    "objective": {"name": "mlm"},
    "phases": [{"length": 128, "batch_tokens": 8192}],
    "train": {"lr": 1e-4, "optimizer": {"name": "adamw"}, "schedule": {"name": "linear", "warmup": 0.06}},
}


class Modern(Recipe):
    """ModernBERT's network (Warner et al. 2024) without dropout: norms first, rotary positions, gated feed-forward, no
    biases. 30 % of the pieces masked at first and 15 % in the end, [MASK] in the place of all. Muon on the matrices of
    blocks (Jordan et al. 2024), AdamW on the rest; the rate stays at its peak and falls over the second half; the last
    weights are averaged."""

    def settings(self, budget: Budget, goes_on: bool) -> dict[str, Any]:
        chosen = next(preset for preset in PRESETS if preset.holds(budget))
        rate = {"name": "linear", "start": 0.3, "end": 0.15}
        if goes_on:
            return _GOES_ON
        return {
            "family": "modernbert",
            "size": chosen.size,
            "vocabulary": chosen.vocabulary,
            "objective": {"name": "mlm", "masking": {"name": "token", "rate": rate, "masked": 1.0, "random": 0.0}},
            "phases": [{"length": chosen.length, "batch_tokens": chosen.batch_tokens}],
            "train": {
                "lr": chosen.lr,
                "optimizer": {"name": "muon", "hidden_lr": 5.0, "weight_decay": 0.01},
                "schedule": {"name": "stable-decay", "warmup": 0.02, "decay": 0.5},
                "averaging": {"name": "ema", "start": 0.9},
            },
        }
