"""How gradients move weights; one file each."""

from maskwright.training.optimizers._optimizer import Mover, Optimizer, set_rates

__all__ = ["Mover", "Optimizer", "set_rates"]
