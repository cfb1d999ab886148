"""act(x W^T + b), by the product that is fastest on the device.

On CPU that is oneDNN's own linear kernel, the one torch.compile uses. Called as `F.linear`, fp32 goes to MKL, which
reaches less than half the speed on AMD processors, and both formats pay a pass for the bias and one for the
activation. Figures: docs/decisions/0005-products.md. Elsewhere, while a graph is traced, and for formats that oneDNN
does not take, `F.linear` does it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from maskwright.nn.activations import FUSED, Activation
from maskwright.nn.precision import current_scope

EVERY = slice(None)
PART = 384  #: least fp32 terms that are added up in one go; oneDNN's long sums are twice as far from exact as MKL's

_ops: Any = torch.ops.mkldnn


class Linear(nn.Linear):
    """act(x W^T + b): (..., H) -> (..., O). Under autocast the product runs in its format, as `nn.Linear`'s does."""

    def __init__(self, width: int, out: int, activation: Activation | None = None) -> None:
        super().__init__(width, out)
        self.activation = activation
        self._kept: dict[Any, tuple[tuple[Any, ...], Tensor, Tensor]] = {}

    def forward(self, x: Tensor, rows: slice = EVERY) -> Tensor:
        """With `rows`, only those outputs: (..., H) -> (..., len(rows))."""
        kind, scope = _format(x), current_scope()
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        if torch.is_grad_enabled():
            self._kept.clear()
        elif scope is not None and weight.dtype != kind and _by_onednn(x, weight, kind):
            return linear(x, *self._packed(kind, rows, scope), self.activation)
        if rows != EVERY:  # a slice's gradient is a pass over the whole weight: only where it is needed
            weight, bias = weight[rows], bias[rows]
        return linear(x, weight, bias, self.activation)

    def _packed(self, kind: torch.dtype, rows: slice, scope: object) -> tuple[Tensor, Tensor]:
        """Weight and bias in another format, as the kernel reads them, made once within `with precision(...)`.

        Not longer, as autocast does: that weights changed cannot always be seen (torch's fused optimizers do not count
        their versions up, nor does what is written through `.data`).
        """
        name, made_of = (kind, rows.start, rows.stop), (scope, self.weight, self.bias)
        kept = self._kept.get(name)
        if kept is None or any(a is not b for a, b in zip(kept[0], made_of, strict=True)):
            weight, bias = (t.detach()[rows].to(kind) for t in (self.weight, self.bias))
            kept = self._kept[name] = (made_of, _ops._reorder_linear_weight(weight), bias)
        return kept[1:]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}  # a copy packs its own


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, activation: Activation | None = None) -> Tensor:
    """x: (..., H), weight: (O, H), bias: (O,) -> (..., O)."""
    kind = _format(x)
    learns = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, weight, bias))
    ours = _by_onednn(x, weight, kind)
    if ours and not learns:
        x, weight, bias = x.to(kind), weight.to(kind), None if bias is None else bias.to(kind)
        if activation is None:
            return _product(x, weight, bias)
        if activation in FUSED:
            return _product(x, weight, bias, *FUSED[activation])
        y = _product(x, weight, bias)
    elif ours and kind == torch.float32:
        y = _Product.apply(x, weight, bias)
    else:  # bf16 with a gradient too: torch calls oneDNN itself there
        y = F.linear(x, weight, bias)
    return y if activation is None else activation(y)


def is_recorded() -> bool:
    """Whether a graph is being compiled, exported or traced. It must not depend on the sizes that it is recorded at."""
    return torch.compiler.is_compiling() or bool(torch.jit.is_tracing())  # type: ignore[attr-defined]


def _autocasts(x: Tensor) -> bool:
    kind = x.device.type
    return x.dtype != torch.float64 and torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


def _format(x: Tensor) -> torch.dtype:
    """The format of the product: autocast's where it is on (it leaves float64 alone), else that of x."""
    return torch.get_autocast_dtype(x.device.type) if _autocasts(x) else x.dtype


def _by_onednn(x: Tensor, weight: Tensor, kind: torch.dtype) -> bool:
    if is_recorded() or not x.is_cpu or x.numel() == 0 or not (weight.dtype == kind or _autocasts(x)):
        return False
    return kind in _formats() and bool(torch.backends.mkldnn.enabled)


@cache
def _formats() -> tuple[torch.dtype, ...]:
    """What oneDNN multiplies on this processor."""
    wanted = ("_linear_pointwise", "_reorder_linear_weight", "_is_mkldnn_bf16_supported")
    if not torch.backends.mkldnn.is_available() or not all(hasattr(_ops, name) for name in wanted):
        return ()
    return (torch.float32, torch.bfloat16) if _ops._is_mkldnn_bf16_supported() else (torch.float32,)


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
        ctx.save_for_backward(x if weight.requires_grad else None, weight)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        (dy,) = grads
        x, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        outs = dy.reshape(-1, dy.shape[-1])
        dx = dw = None
        if wanted[0]:
            dx = _onednn(dy, weight.t())
        if wanted[1]:
            rows = x.reshape(-1, x.shape[-1])
            # The same sums either way: the kernel is quicker when its result has the fewer rows.
            small = weight.shape[0] < weight.shape[1]
            dw = _onednn(outs.t(), rows.t()) if small else _onednn(rows.t(), outs.t()).t()
        return dx, dw, outs.sum(0) if wanted[2] else None
