"""The contract of an optimizer, and which weights decay."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import nn

from maskwright.base.choice import Part


class Optimizer(Part):
    """Builds a torch optimizer; the loop sets the learning rate of its groups before each step."""

    scales_gradients: ClassVar[bool] = False
    """Whether its step divides the gradients by `grad_scale`, an attribute set on it (torch's fused kernels do)."""

    weight_decay: float = 0.01

    @abstractmethod
    def build(self, named: Iterable[tuple[str, nn.Parameter]], lr: float) -> torch.optim.Optimizer: ...

    def groups(self, named: Iterable[tuple[str, nn.Parameter]]) -> list[dict[str, Any]]:
        """Two groups: matrices decay; vectors (biases, norms) do not, as in BERT's own training code."""
        weights = [p for _, p in named if p.requires_grad]
        return [
            {"params": [p for p in weights if p.dim() >= 2], "weight_decay": self.weight_decay},
            {"params": [p for p in weights if p.dim() < 2], "weight_decay": 0.0},
        ]
