"""Going on with a small encoder of our own on text of a domain."""

from __future__ import annotations

from typing import Any

from maskwright.base.errors import UserError
from maskwright.pretraining.budget import Budget
from maskwright.pretraining.recipes._recipe import Recipe


class Domain(Recipe):
    """Further training (Gururangan et al. 2020) of what `modern` trained, with steps as large as its own: Muon leaves
    larger weights than published encoders have, which steps at their rates move less. Three of ten pieces masked,
    whole words, [MASK] in the place of all; the rate falls over the last seven tenths. bench/transfer.py measured it.
    """

    def settings(self, budget: Budget, goes_on: bool) -> dict[str, Any]:
        if not goes_on:
            raise UserError("The recipe 'domain' goes on with a trained encoder. Name it: --model runs/books/model.")
        rate = {"name": "constant", "start": 0.3}
        return {
            "dropout": None,
            "objective": {"name": "mlm", "masking": {"name": "whole-word", "rate": rate, "masked": 1.0, "random": 0.0}},
            "phases": [{"length": 128, "batch_tokens": 4096}],
            "train": {
                "lr": 2e-3,
                "optimizer": {"name": "muon", "hidden_lr": 5.0, "weight_decay": 0.01},
                "schedule": {"name": "stable-decay", "decay": 0.7},
            },
        }
