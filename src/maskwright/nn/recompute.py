"""Gradient checkpointing: what a block computes on its way is not kept, but computed again when gradients need it.

Of a block only its input stays, instead of some thirty tensors of that size and the attention probabilities; the
backward pass takes about a third longer (Chen et al. 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from torch import Tensor
from torch.utils.checkpoint import checkpoint

from maskwright.nn.dropout import noise
from maskwright.nn.precision import current_scope, within_scope


def recomputed(block: Callable[..., Tensor], *given: Any) -> Tensor:
    """block(*given), whose gradients are the same to the bit as without this.

    The second time dropout draws what it drew the first time, from `noise` and from torch's generators, and autocast is
    as it was.
    """
    y: Tensor = checkpoint(block, *given, use_reentrant=False, context_fn=_both_times)
    return y


def _both_times() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _as_before(noise.state(), current_scope())


@contextmanager
def _as_before(drawn: dict[str, Any], scope: object | None) -> Iterator[None]:
    """Within it `noise` stands where it stood; behind it, where the forward passes left it."""
    now = noise.state()
    noise.restore(drawn)
    try:
        with within_scope(scope):
            yield
    finally:
        noise.restore(now)
