"""Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import nn

from maskwright.training.optimizers._optimizer import Optimizer


class AdamW(Optimizer):
    """w -= lr (m^ / (sqrt(v^) + eps) + decay w), fused into one pass (Loshchilov and Hutter 2019, algorithm 2)."""

    scales_gradients: ClassVar[bool] = True

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def build(self, named: Iterable[tuple[str, nn.Parameter]], lr: float) -> torch.optim.Optimizer:
        betas = (self.beta1, self.beta2)
        return torch.optim.AdamW(self.groups(named), lr=lr, betas=betas, eps=self.eps, fused=True)
