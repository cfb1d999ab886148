"""Activations by the names that published configurations use."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from maskwright.base.errors import UserError, unknown

Activation = Callable[[Tensor], Tensor]


def _gelu_tanh(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


ACTIVATIONS: dict[str, Activation] = {
    "gelu": F.gelu,  # x Phi(x), exact (Hendrycks and Gimpel 2016)
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "relu": F.relu,
    "silu": F.silu,
    "swish": F.silu,
    "tanh": torch.tanh,
}

#: activations that oneDNN applies to a product before it leaves the registers: its names for function and variant
FUSED: dict[Activation, tuple[str, str]] = {
    F.gelu: ("gelu", "none"),
    _gelu_tanh: ("gelu", "tanh"),
    F.relu: ("relu", ""),
    torch.tanh: ("tanh", ""),
}


def activation(name: str) -> Activation:
    """The function called `name`. Raises UserError that lists the known ones."""
    if name not in ACTIVATIONS:
        raise UserError(unknown("activation", name, ACTIVATIONS))
    return ACTIVATIONS[name]
