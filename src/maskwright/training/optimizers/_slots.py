"""Weights in groups, and what an optimizer remembers of each: what our own optimizers have in common.

They are not made from `torch.optim.Optimizer`, which loads torch's compiler only to tell it to keep away.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from maskwright.training.shards import is_cut, own, share, whole


class Slots(ABC):
    """A `Mover`. A group may have a `factor`, by which its rate is a multiple of the loop's.

    Of a weight that is cut among processes, gradients and what is remembered are this process's rows; `state_dict` and
    `load_state_dict` have them whole.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float) -> None:
        self.param_groups = [{**group, "lr": lr * group.get("factor", 1.0)} for group in groups]
        self.grad_scale: Tensor | None = None  #: gradients are divided by it, where the part says `scales_gradients`
        self._state: dict[nn.Parameter, dict[str, Tensor]] = {}

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if weights:
                self.move(group, weights, [own(p.grad) for p in weights])

    @abstractmethod
    def move(self, group: dict[str, Any], weights: list[nn.Parameter], grads: list[Tensor]) -> None:
        """Move those weights of a group that have gradients."""

    def zero_grad(self) -> None:
        for p in self._weights():
            p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """The state of each weight by its place among all of them, as torch.optim numbers them."""
        found = {}
        for i, p in enumerate(self._weights()):
            if p in self._state:
                found[i] = {name: whole(p, t) if t.dim() else t for name, t in self._state[p].items()}
        return {"state": found}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        weights, state = self._weights(), state_dict["state"]
        self._state = {}
        for i, slot in state.items():
            p = weights[i]
            mine = {name: share(p, t) if t.dim() else t for name, t in slot.items()}
            # a copy, where the share is a few rows of a tensor that nobody else wants
            self._state[p] = {k: t.to(p.device, copy=is_cut(p)) for k, t in mine.items()}

    def _weights(self) -> list[nn.Parameter]:
        return [p for group in self.param_groups for p in group["params"]]


class Moments(Slots):
    """What Adam and its kin remember: the running means of gradients and of their squares, and how many steps."""

    def __init__(self, groups: list[dict[str, Any]], lr: float, first: float = 0.0) -> None:
        """first: the count of steps before the first."""
        super().__init__(groups, lr)
        self._first = first

    def moments(self, weights: Iterable[nn.Parameter]) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Steps, means and mean squares of each weight, under the names that torch.optim has for them."""
        slots = [self._state[p] if p in self._state else self._begin(p) for p in weights]
        steps, means, squares = ([slot[name] for slot in slots] for name in ("step", "exp_avg", "exp_avg_sq"))
        return steps, means, squares

    def _begin(self, p: nn.Parameter) -> dict[str, Tensor]:
        step, rows = torch.full((), self._first, dtype=torch.float32, device=p.device), own(p)
        self._state[p] = {"step": step, "exp_avg": torch.zeros_like(rows), "exp_avg_sq": torch.zeros_like(rows)}
        return self._state[p]
