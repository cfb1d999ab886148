"""Averages of the weights over the last part of training; one file each."""

from maskwright.training.averaging._average import Average
from maskwright.training.averaging._averaging import Averaging

__all__ = ["Average", "Averaging"]
