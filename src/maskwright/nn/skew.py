"""Numbers by distance, and the same by query and key: what relative positions are made of.

A query i and a key j of one sequence stand j - i apart. For T tokens that is -(T - 1) to T - 1, so that a row of
2T - 1 numbers, T - 1 being the place of distance 0, holds what query i has for every key: key j's is at T - 1 + j - i.
Row i's keys begin one place before row i - 1's, which is a stride: no index and no copy.
"""

from __future__ import annotations

import torch
from torch import Tensor


def by_key(x: Tensor) -> Tensor:
    """(..., T, 2T - 1), by distance -> a view of it (..., T, T): [i, j] is x[i, T - 1 + j - i]."""
    *lead, length, distances = x.shape
    assert distances == 2 * length - 1
    flat = x.contiguous().view(-1, length, distances)
    size, stride = (len(flat), length, length), (length * distances, distances - 1, 1)
    return flat.as_strided(size, stride, flat.storage_offset() + length - 1).view(*lead, length, length)


def by_distance(x: Tensor) -> Tensor:
    """(..., T, T), by key -> (..., T, 2T - 1), 0 where a distance has no key: the transpose of `by_key`."""
    *lead, length, _ = x.shape
    out = x.new_zeros(*lead, length, 2 * length - 1)
    by_key(out).copy_(x)
    return out


def toeplitz(x: Tensor) -> Tensor:
    """(..., 2T - 1), by distance -> (..., T, T): [i, j] is x[T - 1 + j - i]."""
    length = (x.shape[-1] + 1) // 2
    return x.unfold(-1, length, 1).flip(-2)


def along_diagonals(x: Tensor) -> Tensor:
    """(..., T, T) -> (..., 2T - 1) sums over each distance: the transpose of `toeplitz`."""
    return by_distance(x).sum(-2)


def distances(length: int, device: torch.device) -> Tensor:
    """(2T - 1,): -(T - 1) to T - 1."""
    return torch.arange(1 - length, length, device=device)
