"""Two ways in which a run stops early: a signal, which is obeyed after saving, and a number that is none."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from maskwright.base.errors import UserError
from maskwright.base.files import write_json
from maskwright.training.parallel import launched
from maskwright.training.shards import own


class Interrupted(BaseException):
    """SIGINT or SIGTERM came and the state was saved. `code` is what the process should exit with: 130 or 143.

    step: the last one that was made; None: the training had not begun.
    """

    def __init__(self, number: int, step: int | None) -> None:
        where = "before the first step" if step is None else f"after step {step}, which is saved"
        super().__init__(f"stopped by {signal.Signals(number).name} {where}")
        self.number, self.code = number, 128 + number


class Signals:
    """Remembers the first signal; a second SIGINT ends at once."""

    number: int | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number


@contextmanager
def listening() -> Iterator[Signals]:
    """Within it SIGINT and SIGTERM are remembered instead of obeyed (in the main thread; elsewhere it does nothing)."""
    heard = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield heard
        return
    before = {n: signal.signal(n, heard) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield heard
    except Exception:
        if launched():  # torchrun tells all to end as soon as one does: this one is ending, and says why first
            before[signal.SIGTERM] = signal.SIG_IGN
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def explain_nan(
    objective: nn.Module,
    again: Callable[[], Any],
    batches: list[Any],
    step: int,
    where: Path,
    culprit: str | None = None,
    keeps: bool = True,
) -> UserError:
    """Run a step again to find the first module whose output is not finite; keep its batches in `where`.

    keeps: False where several processes run it again together and another one's batches are kept.
    """
    first: list[str] = []

    def watch(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            bad = isinstance(output, Tensor) and not bool(torch.isfinite(output).all())
            if bad and not first:
                first.append(name)

        return hook

    hooks = [m.register_forward_hook(watch(n)) for n, m in objective.named_modules() if n]
    try:
        again()
    finally:
        for hook in hooks:
            hook.remove()
    weights = [n for n, p in objective.named_parameters() if not bool(torch.isfinite(own(p)).all())]
    if keeps:
        write_json(where, {"step": step, "batches": _plain(batches), "weights_not_finite": weights})
    cause = f"the first module with such an output is {first[0]}" if first else culprit or "only the loss is so"
    already = f" The weights {', '.join(weights[:3])} already held such numbers." if weights else ""
    return UserError(
        f"Step {step} gave a loss or gradient that is not a finite number: {cause}.{already} The batch is kept in "
        f"{where}. Usual remedies: a lower train.lr, a longer train.schedule.warmup, train.precision=fp32."
    )


def bad_gradient(objective: nn.Module) -> str:
    """What is wrong with gradients whose norm is not finite: the first parameter whose gradient is not."""
    for name, parameter in objective.named_parameters():
        if parameter.grad is not None and not bool(torch.isfinite(own(parameter.grad)).all()):
            return f"the forward pass is finite, the gradient of {name} is not"
    return "each gradient is finite, the norm of all together overflows"


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value if isinstance(value, (int, str, type(None))) else repr(value)
