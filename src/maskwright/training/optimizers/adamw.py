"""Adam with decoupled weight decay."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from maskwright.training.optimizers._optimizer import Mover, Optimizer
from maskwright.training.optimizers._slots import Moments
from maskwright.training.shards import owns


class AdamW(Optimizer):
    """w -= lr (m^ / (sqrt(v^) + eps) + decay w), fused into one pass (Loshchilov and Hutter 2019, algorithm 2)."""

    scales_gradients: ClassVar[bool] = True

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    correct: bool = True
    """Whether m^ = m / (1 - beta1^t) and v^ = v / (1 - beta2^t), or m and v as they are, as in the code that trained
    BERT (eps 1e-6): the first step is then (1 - beta1) / sqrt(1 - beta2) times as long, about 3."""

    def build(self, named: Iterable[tuple[str, nn.Parameter]], lr: float) -> Mover:
        return Fused(self, self.groups(named), lr)


class Fused(Moments):
    """torch.optim.AdamW(fused=True): the same kernel, state and numbers."""

    def __init__(self, settings: AdamW, groups: list[dict[str, Any]], lr: float) -> None:
        # At step infinity beta^t is 0, and the kernel's corrections are divisions by 1.
        super().__init__(groups, lr, first=0.0 if settings.correct else math.inf)
        self._settings = {"beta1": settings.beta1, "beta2": settings.beta2, "eps": settings.eps}

    def move(self, group: dict[str, Any], weights: list[nn.Parameter], grads: list[Tensor]) -> None:
        steps, means, squares = self.moments(weights)
        torch._foreach_add_(steps, 1)
        torch._fused_adamw_(
            owns(weights),
            grads,
            means,
            squares,
            [],
            steps,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            grad_scale=self.grad_scale,
            amsgrad=False,
            maximize=False,
            **self._settings,
        )
