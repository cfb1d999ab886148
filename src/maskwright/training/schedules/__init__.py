"""How the learning rate moves; one file each."""

from maskwright.training.schedules._schedule import Schedule

__all__ = ["Schedule"]
