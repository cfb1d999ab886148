"""Orthogonal steps for hidden matrices, AdamW for all else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from maskwright.base import runtime
from maskwright.base.errors import UserError
from maskwright.training.optimizers._optimizer import Mover
from maskwright.training.optimizers._stacks import stacks
from maskwright.training.optimizers.adamw import AdamW, Fused
from maskwright.training.shards import own, owns, share, whole

A, B, C = 3.4445, -4.7750, 2.0315
SMALL = 1e-7


class Muon(AdamW):
    """m = momentum m + (1 - momentum) g; w -= lr (sqrt(max(1, rows / columns)) orthogonal(m') + decay w), where m' is m
    or, if `nesterov`, looks one step ahead: momentum m + (1 - momentum) g (Jordan et al. 2024).

    Of matrices that are cut among processes (FSDP2), each process has all of m' while it is made orthogonal: all
    compute the same, and none waits for another.

    Only for matrices inside of blocks. Embeddings, heads and vectors, whose rows or numbers are each on their own, are
    moved by AdamW with the settings of that. Raises UserError where no matrix of a block is trained.
    """

    hidden_lr: float = Field(10.0, gt=0)
    """The rate of hidden matrices as a multiple of the loop's: 0.02, of which Muon's paper speaks, at train.lr=2e-3.
    Steps of the two are not comparable: an orthogonal one changes every direction by the same length."""

    momentum: float = Field(0.95, ge=0, lt=1)
    nesterov: bool = True
    steps: int = Field(5, ge=1, lt=100)
    """Newton-Schulz iterations."""

    iterate_in: Literal["auto", "fp32", "bf16"] = "auto"
    """The format of the iterations; they bear bf16, which `auto` takes where the device is fast at it."""

    def build(self, named: Iterable[tuple[str, nn.Parameter]], lr: float) -> Mover:
        named = list(named)
        hidden = {n: p for n, p in named if p.requires_grad and p.dim() == 2 and "blocks" in n.split(".")}
        if not hidden:
            raise UserError(
                "The optimizer muon moves matrices inside of blocks, and this network has none that is trained. Take "
                "train.optimizer=adamw."
            )
        group = {"params": list(hidden.values()), "weight_decay": self.weight_decay, "factor": self.hidden_lr}
        rest = self.groups((n, p) for n, p in named if n not in hidden)
        return _Orthogonal(self, [{**group, "orthogonal": True}, *rest], lr, stacks(named))


class _Orthogonal(Fused):
    def __init__(
        self, settings: Muon, groups: list[dict[str, Any]], lr: float, stacked: dict[nn.Parameter, int]
    ) -> None:
        super().__init__(settings, groups, lr)
        self._muon, self._stacked = settings, stacked

    def move(self, group: dict[str, Any], weights: list[nn.Parameter], grads: list[Tensor]) -> None:
        if not group.get("orthogonal"):
            super().move(group, weights, grads)
            return
        if self.grad_scale is not None:
            torch._foreach_mul_(grads, 1 / float(self.grad_scale))
        for p in weights:
            if p not in self._state:
                self._state[p] = {"mean": torch.zeros_like(own(p))}
        means = [self._state[p]["mean"] for p in weights]
        torch._foreach_lerp_(means, grads, 1 - self._muon.momentum)
        if self._muon.nesterov:
            means = torch._foreach_lerp(grads, means, self._muon.momentum)
        torch._foreach_mul_(owns(weights), 1 - group["lr"] * group["weight_decay"])
        for weight, mean in zip(weights, means, strict=True):
            # Queries, keys and values are made orthogonal each by itself, as Jordan et al. found better: of a stack as
            # one matrix, the largest would set the length of all.
            parts = whole(weight, mean).unflatten(0, (self._stacked.get(weight, 1), -1))
            kind = runtime.resolve_precision(self._muon.iterate_in, weight.device)
            step = orthogonal(parts, self._muon.steps, torch.bfloat16 if kind == "bf16" else torch.float32)
            longer = max(1.0, parts.shape[-2] / parts.shape[-1]) ** 0.5
            own(weight).add_(share(weight, step.flatten(0, 1)), alpha=-group["lr"] * longer)


def orthogonal(matrices: Tensor, steps: int, kind: torch.dtype) -> Tensor:
    """(P, R, C) -> about U V^T of each U S V^T: (P, R, C) in `kind`, with singular values of about 0.7 to 1.2.

    Newton-Schulz: X = X / |X|, and so many times X = a X + b (X X^T) X + c (X X^T)^2 X, which moves each singular value
    s by s = a s + b s^3 + c s^5. The three numbers are those of Jordan et al. 2024: they lift small values fastest,
    rather than coming to 1 in the end.
    """
    x = matrices if matrices.shape[-2] <= matrices.shape[-1] else matrices.mT  # the smaller products
    x = (x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=SMALL)).to(kind)
    for _ in range(steps):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=B, alpha=C), x, beta=A)
    return x if matrices.shape[-2] <= matrices.shape[-1] else x.mT
