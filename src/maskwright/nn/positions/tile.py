"""The table again behind itself, as Longformer began from RoBERTa (Beltagy et al. 2020, section 5)."""

from __future__ import annotations

from torch import Tensor

from maskwright.nn.positions._positions import Positions


class Tile(Positions):
    """Position P + i begins as position i; texts that fitted before are as they were. Nearby order is right from the
    start, except where a copy ends."""

    def longer(self, table: Tensor, rows: int) -> Tensor:
        return table.repeat(-(-rows // len(table)), 1)[:rows].contiguous()
