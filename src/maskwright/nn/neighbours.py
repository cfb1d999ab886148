"""The states of the tokens around each token, as a convolution reads them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from maskwright.nn.batch import Batch


def neighbour(x: Tensor, batch: Batch, offset: int) -> Tensor:
    """(N, H) -> (N, H): of each token the row of the one `offset` places on in its sequence, 0 beyond its ends.

    x may have blank rows behind, which become 0.
    """
    positions = batch.positions
    there = positions.roll(-offset, 0) == positions + offset  # at another sequence the count begins anew
    if batch.real is not None:
        there = there & batch.real.roll(-offset, 0)
    text = x[: len(positions)].roll(-offset, 0).masked_fill(~there[:, None], 0.0)
    blank = len(x) - len(positions)
    return torch.cat([text, x.new_zeros(blank, x.shape[1])]) if blank else text


class Convolution(nn.Module):
    """y_t = sum_o W_o x_(t + o) + b over `size` tokens with t in their middle; 0 stands beyond the ends."""

    def __init__(self, width: int, size: int, groups: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, width // groups, size))
        self.bias = nn.Parameter(torch.zeros(width))
        self.size, self.groups = size, groups

    def forward(self, x: Tensor, batch: Batch) -> Tensor:
        """(N, H) -> (N, H)."""
        half = (self.size - 1) // 2
        around = torch.stack([neighbour(x, batch, o - half) for o in range(self.size)], -1)  # (N, H, size)
        around = around.unflatten(1, (self.groups, -1)).flatten(2)  # (N, groups, H / groups * size)
        weight = self.weight.unflatten(0, (self.groups, -1)).flatten(2)
        return torch.einsum("ngi,goi->ngo", around, weight).flatten(1) + self.bias
