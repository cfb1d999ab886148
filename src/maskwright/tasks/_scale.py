"""Targets in units that a network learns well, and a head that answers in the targets' own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


@dataclass(frozen=True)
class Scale:
    """natural = mean + std * learnt; as it stands, both are the same.

    A head starts near 0 and moves by about the learning rate a step: from there it never reaches prices in the
    thousands, and if it did, their squared errors would move the encoder beyond all bounds. So a network is trained on
    (target - mean) / std. A linear last layer can hold mean and std itself: W' = std W, b' = mean + std b.
    """

    mean: float = 0.0
    std: float = 1.0

    @classmethod
    def of(cls, targets: np.ndarray) -> Scale:
        """That of (B,) finite numbers; those that are all the same are only shifted."""
        numbers = targets.astype(np.float64)
        return cls(float(numbers.mean()), float(numbers.std()) or 1.0)

    def learnt(self, targets: np.ndarray) -> np.ndarray:
        """(B,) natural -> (B,) fp32 as the network learns them; untouched where both are the same."""
        if self == Scale():
            return targets
        return ((targets.astype(np.float64) - self.mean) / self.std).astype(np.float32)

    @torch.no_grad()
    def fold(self, out: nn.Linear) -> None:
        """A last layer that gives learnt units gives natural ones from now on."""
        out.weight.mul_(self.std)
        out.bias.mul_(self.std).add_(self.mean)

    @torch.no_grad()
    def unfold(self, out: nn.Linear) -> None:
        """The way back, up to rounding."""
        out.weight.div_(self.std)
        out.bias.sub_(self.mean).div_(self.std)

    @contextmanager
    def natural(self, out: nn.Linear) -> Iterator[None]:
        """Folded within it; afterwards the layer is what it was, to the bit."""
        kept = [tensor.detach().clone() for tensor in (out.weight, out.bias)]
        self.fold(out)
        try:
            yield
        finally:
            with torch.no_grad():
                for tensor, was in zip((out.weight, out.bias), kept, strict=True):
                    tensor.copy_(was)
