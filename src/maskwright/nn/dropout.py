"""Dropout whose random numbers are cheap.

On CPU, torch draws one Bernoulli number per element, which was 13 % of a fine-tuning step. Here one 64-bit draw of
numpy's SFC64 makes four decisions of 16 bits each: eight times faster, and a rate is met to 1 / 65,536 (0.1 becomes
6554 / 65536 = 0.100006; outputs are scaled by the exact rate used, so the expectation is exact). On other devices
torch's own generator draws. Measured in docs/decisions/0003-attention-and-dropout.md.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

STEPS = 65536  #: a 16-bit number decides over each element


class Noise:
    """The generator behind every dropout of this process; its state is part of a checkpoint."""

    def __init__(self, seed: int = 0) -> None:
        self.seed(seed)

    def seed(self, seed: int) -> None:
        self._bits = np.random.SFC64(np.random.SeedSequence([seed, 0xD50]))

    def state(self) -> dict[str, Any]:
        inner = self._bits.state
        return {"words": [int(w) for w in inner["state"]["state"]]}

    def restore(self, state: dict[str, Any]) -> None:
        inner: Any = self._bits.state
        inner["state"]["state"] = np.array(state["words"], dtype=np.uint64)
        inner["has_uint32"], inner["uinteger"] = 0, 0
        self._bits.state = inner

    def mask(self, shape: tuple[int, ...], rate: float, device: torch.device) -> Tensor:
        """fp32 of `shape`: 0 with probability `quantised(rate)`, else 1 / (1 - quantised(rate)).

        fp32 and not bool: on CPU a product with a bool tensor takes five times as long as one of floats.
        """
        threshold = round(rate * STEPS)
        scale = 1 / (1 - quantised(rate))
        if device.type != "cpu":
            draws = torch.randint(0, STEPS, shape, device=device, dtype=torch.int32)
            return (draws >= threshold).float().mul_(scale)
        count = math.prod(shape)
        words = self._bits.random_raw(-(-count // 4))
        # int16 is the 16-bit type that torch compares; the shift by half keeps the order.
        draws = torch.from_numpy(words.view(np.int16))[:count].view(shape)
        return torch.ge(draws, threshold - STEPS // 2, out=torch.empty(shape)).mul_(scale)


noise = Noise()


def quantised(rate: float) -> float:
    """The rate that is really applied: `rate` to the nearest 1 / 65,536."""
    return round(rate * STEPS) / STEPS


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: float) -> Tensor:
        mask = noise.mask(tuple(x.shape), rate, x.device)
        ctx.save_for_backward(mask)
        ctx.format = x.dtype
        return x * mask

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        (mask,) = ctx.saved_tensors
        return (grads[0] * mask).to(ctx.format), None


class Dropout(nn.Module):
    """x * mask / (1 - rate) in training, as fp32; x otherwise (Srivastava et al. 2014)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        assert 0 <= rate <= 0.999, f"a dropout rate of {rate} leaves nothing"
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        dropped: Tensor = _Drop.apply(x, self.rate)
        return dropped

    def extra_repr(self) -> str:
        return f"rate={self.rate}"
