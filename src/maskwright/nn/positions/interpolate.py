"""Positions pulled apart: the table is a curve, read at more places (Chen et al. 2023, section 2.3)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from maskwright.nn.positions._positions import Positions


class Interpolate(Positions):
    """The first and the last row stay; between them lie straight lines from row to row. Every old position moves, so
    short texts change too."""

    def longer(self, table: Tensor, rows: int) -> Tensor:
        curve = table.t()[None]  # (1, H, P)
        return F.interpolate(curve, size=rows, mode="linear", align_corners=True)[0].t().contiguous()
