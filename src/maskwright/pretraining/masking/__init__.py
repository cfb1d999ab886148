"""Which pieces of a text a model is asked for, and what it sees in their place; one file each."""

from maskwright.pretraining.masking._masking import (
    KEPT,
    MASKED,
    RANDOM,
    RULES,
    Draw,
    Masked,
    Masking,
    Pieces,
    Vocabulary,
    percent,
)

__all__ = ["KEPT", "MASKED", "RANDOM", "RULES", "Draw", "Masked", "Masking", "Pieces", "Vocabulary", "percent"]
