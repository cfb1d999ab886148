"""BERT as it was trained."""

from __future__ import annotations

from typing import Any

from maskwright.pretraining.budget import Budget
from maskwright.pretraining.recipes._recipe import Recipe

LATE = 0.1 * 512 / (0.9 * 128 + 0.1 * 512)  #: of the pieces, where a tenth of the steps is at the long length


class BERT2018(Recipe):
    """Devlin et al. 2019, section 3.1 and appendix A.2, and their code: pairs of segments, half of them true; 15 %
    masked by 80/10/10 in ten copies that are written once; norms behind, learned positions, dropout 0.1; nine tenths of
    the steps at 128 pieces, the rest at 512; Adam without bias correction at 1e-4, decay 0.01, warmed up over the first
    hundredth and then falling in a straight line.

    Theirs: 256 sequences a step at both lengths, a million steps, 30,522 pieces. A step has as many here; what a budget
    does not leave is the million. A tenth of the steps, of four times the length, is three tenths of the pieces.
    """

    def settings(self, budget: Budget, goes_on: bool) -> dict[str, Any]:
        late = 0.1 if budget.unit == "steps" else LATE
        return {
            "family": "bert",
            "size": "small",
            "vocabulary": 8192,
            "dropout": None,  # the family's own, 0.1
            "objective": {"name": "next-sentence", "masking": {"name": "token", "copies": 10}},
            "phases": [
                {"share": 1 - late, "length": 128, "batch_tokens": 256 * 128},
                {"share": late, "length": 512, "batch_tokens": 256 * 512},
            ],
            "train": {
                "lr": 1e-4,
                "optimizer": {"name": "adamw", "correct": False, "eps": 1e-6, "weight_decay": 0.01},
                "schedule": {"name": "linear", "warmup": 0.01},
            },
        }
