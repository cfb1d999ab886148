"""A table of vectors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Lookup(nn.Module):
    """(N,) indices -> (N, H) rows of `weight` (V, H)."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, width))  # drawn or read by whoever builds the network

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.weight)
