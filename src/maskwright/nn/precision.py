"""Which number format matrix products use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import torch

from maskwright.base import runtime

KERNELS = 128  #: that oneDNN keeps where products are in bf16

_scope: ContextVar[object | None] = ContextVar("scope", default=None)


@contextmanager
def precision(name: Literal["fp32", "bf16"], device: torch.device | str = "cpu") -> Iterator[None]:
    """Within it: matrix products in bf16 with fp32 parameters (autocast), or everything in fp32.

    Parameters stay fp32; sums that need it (softmax, norms, losses) run in fp32. What is cast or packed of a parameter
    may be kept until the end of it, so parameters that change inside are not seen to change.
    """
    kind = torch.device(device).type
    if name == "bf16" and kind == "cpu":
        runtime.bound_kernels(KERNELS)
    with within_scope(object()), torch.autocast(kind, torch.bfloat16, enabled=name == "bf16"):
        yield


@contextmanager
def within_scope(scope: object | None) -> Iterator[None]:
    """Within it `current_scope()` is this one: for what is computed again later, on another thread perhaps."""
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)


def current_scope() -> object | None:
    """What tells one `with precision(...)` from another; None outside of any."""
    return _scope.get()
