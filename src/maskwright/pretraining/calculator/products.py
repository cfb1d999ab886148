"""How fast this machine multiplies matrices of a network's own shapes."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Literal

import torch

from maskwright.base import runtime
from maskwright.nn.linear import linear
from maskwright.pretraining.calculator.machines import Machine

REPEATS = 5  #: of which the fastest counts, since what disturbs only slows down
ROWS = 4096  #: of a product, at most
LEAST = 0.05  #: seconds of one repeat
#: The share of that rate that a training reaches, unless another is stated; what `bench` asks of ours at least
REACHED = 0.60

Shape = tuple[int, int, int]  #: (rows, in, out)


def shapes(width: int, inner: int, rows: int) -> list[Shape]:
    """Of a block's four products: queries, keys and values; output; into and out of the feed-forward layer."""
    return [(rows, width, 3 * width), (rows, width, width), (rows, width, inner), (rows, inner, width)]


@torch.no_grad()
def rate(given: Sequence[Shape], precision: Literal["fp32", "bf16"], device: torch.device) -> float:
    """FLOP/s of products of these shapes, each as often as the others, by the fastest of `REPEATS` runs of each."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    work = seconds = 0.0
    for rows, into, out in given:
        x, weight = (torch.randn(n, into, device=device, dtype=kind) for n in (rows, out))
        count, spent = 1, _timed(x, weight, 1)  # the first makes the kernel
        while (spent := _timed(x, weight, count)) < LEAST:
            count = max(2 * count, int(count * LEAST / max(spent, 1e-6)))
        spent = min(_timed(x, weight, count) for _ in range(REPEATS))
        work += 2.0 * rows * into * out
        seconds += spent / count
    return work / seconds


def _timed(x: torch.Tensor, weight: torch.Tensor, count: int) -> float:
    _wait(x.device)
    start = time.perf_counter()
    for _ in range(count):
        linear(x, weight)
    _wait(x.device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def this_machine(given: Sequence[Shape], precision: Literal["fp32", "bf16"], device: torch.device) -> Machine:
    """What is here as a `Machine`, whose peak is what the probe reached."""
    found = rate(given, precision, device)
    half, fp32 = (found, None) if precision == "bf16" else (None, found)
    name = str(runtime.facts(device)["device"])
    if device.type == "cpu":
        memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        name = f"this processor, {torch.get_num_threads()} threads"
    else:
        memory = float(torch.accelerator.get_memory_info(device)[1])
    source = f"measured here: {REPEATS} runs of matrix products of the network's shapes, the fastest of each"
    return Machine(name, half, fp32, memory, None, None, source, device.type == "cuda")
