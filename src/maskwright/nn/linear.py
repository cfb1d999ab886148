"""act(x W^T + b), by the product that is fastest on the device.

On CPU that is oneDNN's own linear kernel, the one torch.compile uses. Called as `F.linear`, fp32 goes to MKL, which
reaches less than half the speed on AMD processors, and both formats pay a pass for the bias and one for the
activation. Figures: docs/decisions/0005-products.md. Elsewhere, while a graph is traced, and for formats that oneDNN
does not take, `F.linear` does it.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from maskwright.nn.activations import FUSED, Activation

FORMATS = (torch.float32, torch.bfloat16)
EVERY = slice(None)
PART = 384  #: fp32 terms that oneDNN adds up in one go; its longer sums are twice as far from exact as MKL's

_ops: Any = torch.ops.mkldnn
OFFERED = hasattr(_ops, "_linear_pointwise") and hasattr(_ops, "_reorder_linear_weight")


class Linear(nn.Linear):
    """act(x W^T + b): (..., H) -> (..., O). Under autocast the product runs in its format, as `nn.Linear`'s does."""

    def __init__(self, width: int, out: int, activation: Activation | None = None) -> None:
        super().__init__(width, out)
        self.activation = activation
        self._kept: dict[Any, tuple[Any, Tensor, Tensor]] = {}

    def forward(self, x: Tensor, rows: slice = EVERY) -> Tensor:
        """With `rows`, only those outputs: (..., H) -> (..., len(rows))."""
        kind = _format(x)
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        if torch.is_grad_enabled():
            self._kept.clear()
        elif weight.dtype != kind and not weight.is_inference():
            return linear(x, *self._cast(kind, rows, packed=_by_onednn(x, kind)), self.activation)
        if rows != EVERY:  # a slice's gradient is a pass over the whole weight: only where it is needed
            weight, bias = weight[rows], bias[rows]
        return linear(x, weight, bias, self.activation)

    def _cast(self, kind: torch.dtype, rows: slice, packed: bool) -> tuple[Tensor, Tensor]:
        """Weight and bias in another format, cast once and again after they changed; `packed` as the kernel reads it.

        That they changed is told by their versions. torch's fused optimizers do not count one up (our loop does it
        for them), therefore whoever computes with a gradient, as one must before a step, finds nothing kept
        afterwards. A tensor of inference mode has no version, and nothing is kept of one.
        """
        pair, name = (self.weight.detach(), self.bias.detach()), (kind, packed, rows.start, rows.stop)
        state = [(t.data_ptr(), t._version) for t in pair]
        if name not in self._kept or self._kept[name][0] != state:
            weight, bias = (t[rows].to(kind) for t in pair)
            self._kept[name] = (state, _ops._reorder_linear_weight(weight) if packed else weight, bias)
        return self._kept[name][1:]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}  # a copy casts its own


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, activation: Activation | None = None) -> Tensor:
    """x: (..., H), weight: (O, H), bias: (O,) -> (..., O)."""
    kind = _format(x)
    learns = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, weight, bias))
    if not learns and _by_onednn(x, kind):
        x, weight, bias = x.to(kind), weight.to(kind), None if bias is None else bias.to(kind)
        if activation is None:
            return _product(x, weight, bias)
        if activation in FUSED:
            return _product(x, weight, bias, *FUSED[activation])
        y = _product(x, weight, bias)
    elif learns and kind == torch.float32 and _by_onednn(x, kind):
        y = _Product.apply(x, weight, bias)
    else:  # bf16 with a gradient too: torch calls oneDNN itself there
        y = F.linear(x, weight, bias)
    return y if activation is None else activation(y)


def _format(x: Tensor) -> torch.dtype:
    """The format of the product: autocast's where it is on, else that of x."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


def _by_onednn(x: Tensor, kind: torch.dtype) -> bool:
    if not x.is_cpu or kind not in FORMATS or x.numel() == 0 or torch.compiler.is_compiling():
        return False
    return OFFERED and torch.backends.mkldnn.is_available() and bool(torch.backends.mkldnn.enabled)


def _product(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, function: str = "none", variant: str = ""
) -> Tensor:
    """function(x W^T + b), of fp32 in parts that are short enough to be added up exactly enough."""
    parts = x.shape[-1] // PART
    if x.dtype != torch.float32 or parts < 2 or function != "none":
        return _onednn(x, weight, bias, function, variant)
    (first, *rest) = zip(x.chunk(parts, -1), weight.chunk(parts, -1), strict=True)
    y = _onednn(*first, bias)
    for some, columns in rest:
        y = _ops._linear_pointwise.binary(_dense(some), y, _dense(columns), None, "add")
    return y


def _onednn(x: Tensor, weight: Tensor, bias: Tensor | None = None, function: str = "none", variant: str = "") -> Tensor:
    y: Tensor = _ops._linear_pointwise(_dense(x), _dense(weight), bias, function, [], variant)
    return y


def _dense(t: Tensor) -> Tensor:
    """Rows or columns end to end: of other strides the kernel takes seconds."""
    return t if t.is_mkldnn or t.is_contiguous() or (t.dim() == 2 and t.t().is_contiguous()) else t.contiguous()


class _Product(torch.autograd.Function):
    """y = x W^T + b; dx = dy W, dW = dy^T x, db = the sum of dy over its rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        (dy,) = grads
        x, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        rows, outs = x.flatten(0, -2), dy.flatten(0, -2)
        dx = dw = None
        if wanted[0]:
            dx = _onednn(dy, weight.t())
        if wanted[1] and weight.shape[0] < weight.shape[1]:
            dw = _onednn(outs.t(), rows.t())
        elif wanted[1]:  # the same sums: the kernel is quicker when its result has the fewer rows
            dw = _onednn(rows.t(), outs.t()).t()
        return dx, dw, outs.sum(0) if wanted[2] else None
