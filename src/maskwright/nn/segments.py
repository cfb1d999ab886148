"""Sums over groups of rows: R rows, each of one of G groups."""

from __future__ import annotations

import torch
from torch import Tensor


def log_sum_exp(scores: Tensor, group: Tensor, count: int) -> Tensor:
    """(G, ...) the logarithm of the sum of exponentials of each group's rows. scores: (R, ...); group: (R,) from 0 to
    `count` - 1, in any order; each has a row."""
    shape = count, *scores.shape[1:]
    places = group.reshape(-1, *[1] * (scores.dim() - 1)).expand_as(scores)
    most = torch.full(shape, -torch.inf, dtype=scores.dtype, device=scores.device)
    most = most.scatter_reduce(0, places, scores.detach(), "amax")
    sums = torch.zeros_like(most).index_add(0, group, (scores - most[group]).exp())
    return most + sums.log()
