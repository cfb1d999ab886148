"""act(x W^T + b), by the product that is fastest on the device.

On CPU that is oneDNN's own linear kernel, the one torch.compile uses. Called as `F.linear`, fp32 goes to MKL, which
reaches less than half the speed on AMD processors, and both formats pay a pass for the bias and one for the
activation. Figures: docs/decisions/0005-products.md. Elsewhere, while a graph is traced, and for formats that oneDNN
does not take, `F.linear` does it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from maskwright.base.runtime import processor
from maskwright.nn.activations import FUSED, Activation
from maskwright.nn.precision import current_scope

EVERY = slice(None)
PART = 384  #: least fp32 terms that are added up in one go; oneDNN's long sums are twice as far from exact as MKL's
FEW = 256  #: vectors for which a weight in its own format is read as it lies; packing it is a pass over it

Part = tuple[Tensor, Tensor, Tensor | None]  #: some of the terms of x W^T + b: (..., P), (O, P), (O,)

_ops: Any = torch.ops.mkldnn


class Linear(nn.Linear):
    """act(x W^T + b): (..., H) -> (..., O). Under autocast the product runs in its format, as `nn.Linear`'s does."""

    def __init__(self, width: int, out: int, activation: Activation | None = None, bias: bool = True) -> None:
        super().__init__(width, out, bias)
        self.activation = activation
        self._kept: dict[Any, tuple[tuple[Any, ...], Tensor, Tensor | None]] = {}

    def forward(self, x: Tensor, rows: slice = EVERY) -> Tensor:
        """With `rows`, only those outputs: (..., H) -> (..., len(rows))."""
        kind = _format(x)
        if torch.is_grad_enabled():
            self._kept.clear()
        elif _by_onednn(x, self.weight, kind):
            return self.add_up((x[..., part] for part in self.parts(kind)), kind, rows)
        weight: Tensor = self.weight
        bias: Tensor | None = self.bias
        if rows != EVERY:  # a slice's gradient is a pass over the whole weight: only where it is needed
            weight, bias = weight[rows], None if bias is None else bias[rows]
        return linear(x, weight, bias, self.activation)

    def parts(self, kind: torch.dtype) -> list[slice]:
        """Which of the H terms are added up in one go without a gradient; all of them, but for long sums in fp32."""
        return _parts(self.in_features, kind, self.activation)

    def add_up(self, parts: Iterable[Tensor], kind: torch.dtype, rows: slice = EVERY) -> Tensor:
        """`forward` by oneDNN without a gradient, of an x (..., H) whose parts come one by one."""
        sides = zip(parts, self.parts(kind), strict=True)
        return _sum(((x.to(kind), *self._read(x, kind, rows, part)) for x, part in sides), self.activation)

    def _read(self, x: Tensor, kind: torch.dtype, rows: slice, part: slice) -> tuple[Tensor, Tensor | None]:
        """Weight and bias, or part of them, as the kernel reads them, made once within `with precision(...)`.

        Not longer, as autocast does: that weights changed cannot always be seen (torch's fused optimizers do not count
        their versions up, nor does what is written through `.data`).
        """

        def as_it_lies() -> tuple[Tensor, Tensor | None]:
            bias: Tensor | None = self.bias
            return self.weight.detach()[rows, part].to(kind), None if bias is None else bias.detach()[rows].to(kind)

        scope = current_scope()
        few = x.numel() < FEW * x.shape[-1] and self.weight.dtype == kind  # then packing costs more than it saves
        if scope is None or few:
            return as_it_lies()
        name = kind, rows.start, rows.stop, part.start, part.stop
        made_of = scope, self.weight, self.bias
        kept = self._kept.get(name)
        if kept is None or any(a is not b for a, b in zip(kept[0], made_of, strict=True)):
            weight, bias = as_it_lies()
            kept = self._kept[name] = (made_of, _ops._reorder_linear_weight(weight.contiguous()), bias)
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
        return _sum(_cut(x, weight, bias, activation), activation)
    if ours and kind == torch.float32:
        y: Tensor = _Product.apply(x, weight, bias)
    else:  # bf16 with a gradient too: torch calls oneDNN itself there
        y = F.linear(x, weight, bias)
    return y if activation is None else activation(y)


def chain(x: Tensor, first: Linear, second: Linear) -> Tensor:
    """second(first(x)): (..., H) -> (..., O).

    Where the second adds up in parts, the first makes each when its turn comes: nothing is cut out of a wider tensor,
    and one part is held at a time.
    """
    kind = _format(x)
    if torch.is_grad_enabled() or not _by_onednn(x, second.weight, kind):
        y: Tensor = second(first(x))
        return y
    return second.add_up((first(x, part) for part in second.parts(kind)), kind)


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


def _parts(terms: int, kind: torch.dtype, activation: Activation | None) -> list[slice]:
    """PART terms each, or more where they do not come out even; EVERY where the sum is short, coarse or goes into an
    activation in the kernel."""
    count = terms // PART
    if count < 2 or kind != torch.float32 or activation in FUSED:
        return [EVERY]
    size = -(-terms // count)
    return [slice(start, start + size) for start in range(0, terms, size)]


def _cut(x: Tensor, weight: Tensor, bias: Tensor | None, activation: Activation | None) -> Iterator[Part]:
    return ((x[..., part], weight[:, part], bias) for part in _parts(x.shape[-1], x.dtype, activation))


def _sum(parts: Iterable[Part], activation: Activation | None) -> Tensor:
    """activation(x_1 W_1^T + x_2 W_2^T + ... + b), from each part's x, W and b."""
    fused = None if activation is None else FUSED.get(activation)
    y: Tensor | None = None
    for x, weight, bias in parts:
        if y is None:
            y = _onednn(x, weight, bias, *(fused or ()))
        else:
            y = _ops._linear_pointwise.binary(_dense(x), y, _dense(weight), None, "add")
    assert y is not None
    return y if activation is None or fused else activation(y)


def _onednn(x: Tensor, weight: Tensor, bias: Tensor | None = None, function: str = "none", variant: str = "") -> Tensor:
    y: Tensor = _ops._linear_pointwise(_dense(x), _dense(weight), bias, function, [], variant)
    return y


def _dense(t: Tensor) -> Tensor:
    """Rows or columns end to end: of other strides the kernel takes seconds."""
    return t if t.is_mkldnn or t.is_contiguous() or (t.dim() == 2 and t.t().is_contiguous()) else t.contiguous()


def _outer(dy: Tensor, x: Tensor) -> Tensor:
    """dy^T x, (O, H), from rows (N, O) and (N, H)."""
    if _by_mkl():
        return dy.t() @ x
    # The same sums either way: the kernel is quicker when its result has the fewer rows.
    return _onednn(dy.t(), x.t()) if dy.shape[1] < x.shape[1] else _onednn(x.t(), dy.t()).t()


@cache
def _by_mkl() -> bool:
    """Whether dW is MKL's: it takes both factors as they lie, where oneDNN first copies them, and on Intel's processors
    it is no slower at the product itself (docs/decisions/0005-products.md)."""
    return "Intel" in processor()


class _Product(torch.autograd.Function):
    """y = x W^T + b; dx = dy W, dW = dy^T x, db = the sum of dy over its rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x if weight.requires_grad else None, weight)
        return _sum(_cut(x, weight, bias, None), None)

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
            dw = _outer(outs, x.reshape(-1, x.shape[-1]))
        return dx, dw, outs.sum(0) if wanted[2] else None
