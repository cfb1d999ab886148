"""Activations by the names that published configurations use."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F

from maskwright.base.errors import UserError, unknown
from maskwright.nn.block import Activation

ACTIVATIONS: dict[str, Activation] = {
    "gelu": F.gelu,  # x Phi(x), exact (Hendrycks and Gimpel 2016)
    "gelu_new": partial(F.gelu, approximate="tanh"),
    "gelu_pytorch_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
    "swish": F.silu,
    "tanh": torch.tanh,
}


def activation(name: str) -> Activation:
    """The function called `name`. Raises UserError that lists the known ones."""
    if name not in ACTIVATIONS:
        raise UserError(unknown("activation", name, ACTIVATIONS))
    return ACTIVATIONS[name]
