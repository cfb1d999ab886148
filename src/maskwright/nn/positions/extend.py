"""New rows behind the old ones, drawn like them."""

from __future__ import annotations

import torch
from torch import Tensor

from maskwright.nn.positions._positions import Positions


class Extend(Positions):
    """New positions are normal with the mean and spread of the old ones, number by number; texts that fitted before are
    as they were. The new positions mean nothing until they are trained."""

    def longer(self, table: Tensor, rows: int) -> Tensor:
        drawn = torch.randn(rows - len(table), table.shape[1], dtype=table.dtype, device=table.device)
        return torch.cat([table, drawn * table.std(0) + table.mean(0)])
