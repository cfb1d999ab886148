"""What an encoder is pre-trained for; one file each."""

from maskwright.pretraining.objectives._objective import Asked, Masks, PretrainingObjective

__all__ = ["Asked", "Masks", "PretrainingObjective"]
