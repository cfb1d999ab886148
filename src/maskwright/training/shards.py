"""Weights of which each process holds some rows (FSDP2's DTensors), for code that works on tensors.

A weight (R, ..) is cut along its rows as `torch.chunk` cuts it: process r of W has rows r n to (r + 1) n, with n = R /
W rounded up, so that the last ones may have fewer, or none. A tensor that is not cut is its own share, and whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.distributed as dist
from torch import Tensor


def is_cut(tensor: Tensor) -> bool:
    return hasattr(tensor, "device_mesh")


def own(tensor: Tensor) -> Tensor:
    """The rows that this process holds, in the same memory."""
    found: Tensor = tensor.detach().to_local() if is_cut(tensor) else tensor  # type: ignore[operator]
    return found


def owns(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [own(tensor) for tensor in tensors]


def whole(weight: Any, rows: Tensor) -> Tensor:
    """The whole of what lies as `weight` does, from the rows of each process. All must call it."""
    if not is_cut(weight):
        return rows
    mesh, each = weight.device_mesh, _most(weight)
    mine = rows.new_zeros(each, *rows.shape[1:])
    mine[: len(rows)] = rows
    found = rows.new_empty(mesh.size(), *mine.shape)
    dist.all_gather(list(found), mine, group=mesh.get_group())
    return found.flatten(0, 1)[: len(weight)]


def share(weight: Tensor, full: Tensor) -> Tensor:
    """This process's rows of a whole tensor that lies as `weight` does."""
    if not is_cut(weight):
        return full
    first = first_row(weight)
    return full[first : first + len(own(weight))]


def first_row(weight: Any) -> int:
    """Where this process's rows begin among all."""
    return min(weight.device_mesh.get_local_rank() * _most(weight), len(weight))


def _most(weight: Any) -> int:
    """How many rows the first process has."""
    most: int = -(-len(weight) // weight.device_mesh.size())
    return most


def summed(weight: Any, values: Tensor) -> Tensor:
    """The sum over the processes that share `weight`, in place."""
    dist.all_reduce(values, group=weight.device_mesh.get_group())
    return values
