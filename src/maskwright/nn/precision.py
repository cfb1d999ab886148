"""Which number format matrix products use."""

from __future__ import annotations

from typing import Literal

import torch


def precision(name: Literal["fp32", "bf16"], device: torch.device | str = "cpu") -> torch.autocast:
    """A context: matrix products in bf16 with fp32 parameters (autocast), or everything in fp32.

    Parameters stay fp32; sums that need it (softmax, norms, losses) run in fp32.
    """
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=name == "bf16")
