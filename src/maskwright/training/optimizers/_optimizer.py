"""The contract of an optimizer, and which weights decay."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

from torch import nn

from maskwright.base.choice import Part


class Mover(Protocol):
    """What the loop and its checkpoints use of an optimizer; every `torch.optim.Optimizer` has it."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...

    def step(self) -> Any: ...

    def zero_grad(self) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...


def set_rates(mover: Mover, network: nn.Module) -> None:
    """Give the weights of modules with an `lr_factor` groups of their own, whose rate is so many times that of others.

    One number that nothing multiplies needs a higher one than a number of a matrix, whose row moves a score together.
    """
    factors: dict[nn.Parameter, float] = {}
    for module in network.modules():
        factor: Any = getattr(module, "lr_factor", None)
        if factor is not None:
            factors |= dict.fromkeys(module.parameters(), factor)
    if not factors:
        return
    groups = []
    for group in mover.param_groups:
        parts = defaultdict(list)
        for p in group["params"]:
            parts[factors.get(p, 1.0)].append(p)
        for by, weights in parts.items():
            factor = by * group.get("factor", 1.0)
            groups.append({**group, "params": weights, "lr": by * group["lr"], "factor": factor})
    mover.param_groups[:] = groups


class Optimizer(Part):
    """Builds what moves the weights; before each step the loop sets the learning rate of its groups, times the
    `factor` of those that have one."""

    scales_gradients: ClassVar[bool] = False
    """Whether its step divides the gradients by `grad_scale`, an attribute set on it (torch's fused kernels do)."""

    weight_decay: float = 0.01

    @abstractmethod
    def build(self, named: Iterable[tuple[str, nn.Parameter]], lr: float) -> Mover: ...

    def groups(self, named: Iterable[tuple[str, nn.Parameter]]) -> list[dict[str, Any]]:
        """Two groups: matrices decay; vectors (biases, norms) do not, as in BERT's own training code."""
        weights = [p for _, p in named if p.requires_grad]
        return [
            {"params": [p for p in weights if p.dim() >= 2], "weight_decay": self.weight_decay},
            {"params": [p for p in weights if p.dim() < 2], "weight_decay": 0.0},
        ]
