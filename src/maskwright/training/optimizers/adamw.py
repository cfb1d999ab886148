"""Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from maskwright.training.optimizers._optimizer import Mover, Optimizer


class AdamW(Optimizer):
    """w -= lr (m^ / (sqrt(v^) + eps) + decay w), fused into one pass (Loshchilov and Hutter 2019, algorithm 2)."""

    scales_gradients: ClassVar[bool] = True

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def build(self, named: Iterable[tuple[str, nn.Parameter]], lr: float) -> Mover:
        return _Fused(self.groups(named), lr, self.beta1, self.beta2, self.eps)


class _Fused:
    """torch.optim.AdamW(fused=True): the same kernel, state and numbers.

    Without the class around it, which loads torch's compiler only to tell it to keep away, at the first weight.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, beta1: float, beta2: float, eps: float) -> None:
        self.param_groups = [{**group, "lr": lr} for group in groups]
        self.grad_scale: Tensor | None = None  #: gradients are divided by it
        self._settings = {"beta1": beta1, "beta2": beta2, "eps": eps, "amsgrad": False, "maximize": False}
        self._state: dict[nn.Parameter, dict[str, Tensor]] = {}

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            if not moved:
                continue
            slots = [self._slot(p) for p in moved]
            steps, means, squares = ([slot[name] for slot in slots] for name in ("step", "exp_avg", "exp_avg_sq"))
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                moved,
                [p.grad for p in moved],
                means,
                squares,
                [],
                steps,
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                grad_scale=self.grad_scale,
                **self._settings,
            )

    def _slot(self, p: nn.Parameter) -> dict[str, Tensor]:
        if p not in self._state:
            step = torch.zeros((), dtype=torch.float32, device=p.device)
            self._state[p] = {"step": step, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
        return self._state[p]

    def zero_grad(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """The state of each weight by its place among all of them, as torch.optim numbers them."""
        return {"state": {i: self._state[p] for i, p in enumerate(self._weights()) if p in self._state}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        weights, state = self._weights(), state_dict["state"]
        self._state = {weights[i]: {k: v.to(weights[i].device) for k, v in slot.items()} for i, slot in state.items()}

    def _weights(self) -> list[nn.Parameter]:
        return [p for group in self.param_groups for p in group["params"]]
