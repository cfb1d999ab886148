"""How gradients move weights; one file each."""

from maskwright.training.optimizers._optimizer import Mover, Optimizer

__all__ = ["Mover", "Optimizer"]
