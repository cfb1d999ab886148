"""Adam whose step is as long as the matrix that it moves, for very large batches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from maskwright.base.config import Config
from maskwright.training.optimizers._optimizer import Mover, Optimizer
from maskwright.training.optimizers._slots import Moments
from maskwright.training.optimizers._stacks import stacks
from maskwright.training.shards import first_row, is_cut, own, owns, summed


class Lamb(Optimizer):
    """u = m^ / (sqrt(v^) + eps) + decay w; w -= lr phi(|w|) / |u| u, for each matrix (You et al. 2020, algorithm 2).

    phi(z) = min(max(z, least), largest); with neither it is z. The ratio is 1 where |w| or |u| is 0. Vectors (biases,
    norms) neither decay nor have a ratio: w -= lr m^ / (sqrt(v^) + eps), as in the authors' code. Queries, keys and
    values count as three matrices.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-6
    correct: bool = True
    """Whether m^ = m / (1 - beta1^t) and v^ = v / (1 - beta2^t), as in the algorithm, or m and v as they are."""

    least: float | None = Field(None, ge=0)
    largest: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Config:
        if self.least is not None and self.largest is not None and self.least > self.largest:
            raise ValueError(f"least = {self.least} is more than largest = {self.largest}; no norm lies between them")
        return self

    def build(self, named: Iterable[tuple[str, nn.Parameter]], lr: float) -> Mover:
        named = list(named)
        return _Trusting(self, self.groups(named), lr, stacks(named))


class _Trusting(Moments):
    def __init__(
        self, settings: Lamb, groups: list[dict[str, Any]], lr: float, stacked: dict[nn.Parameter, int]
    ) -> None:
        super().__init__(groups, lr)
        self._lamb, self._stacked = settings, stacked

    def move(self, group: dict[str, Any], weights: list[nn.Parameter], grads: list[Tensor]) -> None:
        updates, rows = self._adam(weights, grads), owns(weights)
        if group["weight_decay"]:
            torch._foreach_add_(updates, rows, alpha=group["weight_decay"])
        if weights[0].dim() >= 2:  # a group has matrices alone, or vectors alone
            self._trust(weights, updates)
        torch._foreach_add_(rows, updates, alpha=-group["lr"])

    def _adam(self, weights: list[nn.Parameter], grads: list[Tensor]) -> list[Tensor]:
        """m^ / (sqrt(v^) + eps)"""
        beta1, beta2 = self._lamb.beta1, self._lamb.beta2
        steps, means, squares = self.moments(weights)
        torch._foreach_add_(steps, 1)
        torch._foreach_lerp_(means, grads, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, grads, grads, 1 - beta2)
        if self._lamb.correct:
            counts = [int(step) for step in steps]
            means = torch._foreach_div(means, [1 - beta1**t for t in counts])
            squares = torch._foreach_div(squares, [1 - beta2**t for t in counts])
        below = torch._foreach_sqrt(squares)
        torch._foreach_add_(below, self._lamb.eps)
        return list(torch._foreach_div(means, below))

    def _trust(self, weights: list[nn.Parameter], updates: list[Tensor]) -> None:
        """Times phi(|w|) / |u| of each matrix."""
        if is_cut(weights[0]):
            self._trust_rows(weights, updates)
            return
        matrices, moves = self._apart(weights, weights), self._apart(weights, updates)
        ratios = self._ratios(torch.stack(torch._foreach_norm(matrices)), torch.stack(torch._foreach_norm(moves)))
        torch._foreach_mul_(moves, list(ratios.unbind()))

    def _ratios(self, lengths: Tensor, steps: Tensor) -> Tensor:
        wanted = lengths
        if self._lamb.least is not None or self._lamb.largest is not None:
            wanted = lengths.clamp(self._lamb.least, self._lamb.largest)
        return torch.where((lengths > 0) & (steps > 0), wanted / steps, 1.0)

    def _trust_rows(self, weights: list[nn.Parameter], updates: list[Tensor]) -> None:
        """The same where processes have some rows each: sums of squares are added up over processes, all at once."""
        both = [*zip(weights, owns(weights), strict=True), *zip(weights, updates, strict=True)]
        squares = [self._squares(weight, rows) for weight, rows in both]
        lengths, steps = summed(weights[0], torch.cat(squares)).sqrt().chunk(2)
        each = self._ratios(lengths, steps).split([self._stacked.get(w, 1) for w in weights])
        for weight, update, ratios in zip(weights, updates, each, strict=True):
            update.mul_(ratios[self._matrix_of_rows(weight)].view(-1, *[1] * (update.dim() - 1)))

    def _squares(self, weight: nn.Parameter, rows: Tensor) -> Tensor:
        """(P,) of the P matrices of a weight, what this process's rows add to their squared norms."""
        sums = rows.new_zeros(self._stacked.get(weight, 1))
        return sums.index_add_(0, self._matrix_of_rows(weight), rows.flatten(1).square().sum(1))

    def _matrix_of_rows(self, weight: nn.Parameter) -> Tensor:
        """Which of the matrices each row of this process belongs to."""
        each, first = len(weight) // self._stacked.get(weight, 1), first_row(weight)
        return torch.arange(first, first + len(own(weight)), device=weight.device) // each

    def _apart(self, weights: list[nn.Parameter], tensors: Iterable[Tensor]) -> list[Tensor]:
        """The single matrices of tensors that lie as `weights` do, in the same memory."""
        pairs = zip(weights, tensors, strict=True)
        return [part for weight, tensor in pairs for part in tensor.chunk(self._stacked.get(weight, 1))]
