"""How gradients move weights; one file each."""

from maskwright.training.optimizers._optimizer import Optimizer

__all__ = ["Optimizer"]
