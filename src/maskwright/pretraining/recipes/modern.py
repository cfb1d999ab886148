"""What we hold to train best in a small budget; the sizes are provisional until bench/pretrain_quality.py has run."""

from __future__ import annotations

from typing import Any

from maskwright.pretraining.budget import Budget
from maskwright.pretraining.recipes._recipe import Recipe

#: up to so many minutes -> size, vocabulary and pieces of a step
SIZES = ((10.0, "3x192", 8192, 4096), (40.0, "4x256", 8192, 4096), (180.0, "6x320", 8192, 8192))
LARGER = ("8x512", 16_384, 16_384)

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
        minutes = budget.minutes or 20.0  # a budget in steps or tokens says nothing of the machine
        fitting = next((rest for most, *rest in SIZES if minutes <= most), list(LARGER))
        size, vocabulary, batch_tokens = fitting
        rate = {"name": "linear", "start": 0.3, "end": 0.15}
        if goes_on:
            return _GOES_ON
        return {
            "family": "modernbert",
            "size": size,
            "vocabulary": vocabulary,
            "objective": {"name": "mlm", "masking": {"name": "token", "rate": rate, "masked": 1.0, "random": 0.0}},
            "phases": [{"length": 128, "batch_tokens": batch_tokens, "batch_from": batch_tokens // 4, "ramp": 0.1}],
            "train": {
                "lr": 2e-3,
                "optimizer": {"name": "muon", "hidden_lr": 10.0, "weight_decay": 0.01},
                "schedule": {"name": "stable-decay", "warmup": 0.02, "decay": 0.5},
                "averaging": {"name": "ema", "start": 0.9},
            },
        }
