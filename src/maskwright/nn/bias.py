"""A number for each head and distance, added to scores (Shaw et al. 2018; Raffel et al. 2020, section 2.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskwright.nn.batch import Batch
from maskwright.nn.lookup import Lookup
from maskwright.nn.skew import distances, toeplitz


@dataclass
class Bias:
    """Of one batch, for every layer; `values` (A, 2T - 1) by distance from a query to a key."""

    values: Tensor
    _matrices: dict[int, Tensor] = field(default_factory=dict)

    def between_cells(self, length: int) -> Tensor:
        """(A, length, length) where queries and keys stand on the same cells; what lies outside T is 0."""
        if length not in self._matrices:
            self._matrices[length] = toeplitz(fitted(self.values.detach(), length)).contiguous()
        return self._matrices[length]

    def between(self, distance: Tensor) -> Tensor:
        """(C, Tq, Tk) distances -> (C, A, Tq, Tk)."""
        return self.values.detach()[:, self.places(distance)].transpose(0, 1)

    def places(self, distance: Tensor) -> Tensor:
        """Where distances stand in `values`; those of cells in different sequences, which nobody reads, stand at its
        ends."""
        reach = self.values.shape[1] // 2
        return (distance + reach).clamp(0, 2 * reach)


def fitted(values: Tensor, length: int) -> Tensor:
    """(..., 2T - 1) by distance -> (..., 2 length - 1), cut, or filled with 0."""
    room = length - (values.shape[-1] + 1) // 2
    return F.pad(values, (room, room))


class BucketBias(nn.Module):
    """One vector (A,) for each bucket of distances; buckets widen with distance (Raffel et al. 2020, section 2.1)."""

    def __init__(self, buckets: int, heads: int, furthest: int) -> None:
        """furthest: from this distance on all share the last bucket of their side."""
        super().__init__()
        self.buckets, self.furthest = buckets, furthest
        self.table = Lookup(buckets, heads)

    def forward(self, batch: Batch, rows: int) -> Bias:
        there = distances(max(batch.lengths, default=1), batch.ids.device)
        return Bias(self.table(self.bucket(there)).t())

    def bucket(self, distance: Tensor) -> Tensor:
        """Half the buckets for each side; of these half are one distance each, the others grow with its logarithm."""
        side = self.buckets // 2
        exact = side // 2
        far = distance.abs()
        growth = torch.log(far.float().clamp(min=1) / exact) / math.log(self.furthest / exact) * (side - exact)
        wide = (exact + growth.to(torch.int64)).clamp(max=side - 1)
        return torch.where(far < exact, far, wide) + (distance > 0) * side
