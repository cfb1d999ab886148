"""Which keys a query looks at."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Pattern:
    """Keys from `before` tokens before the query to `after` tokens behind it, in its own sequence; None: all of them.

    With `marked`, every query also looks at the tokens that the batch marks (`Batch.marked`), wherever they stand.
    """

    before: int | None = None
    after: int | None = None
    marked: bool = False

    @property
    def is_full(self) -> bool:
        return self.before is None and self.after is None

    @property
    def width(self) -> int | None:
        """How many tokens a query looks at by distance, itself included; None where that grows with the sequence."""
        return None if self.before is None or self.after is None else self.before + 1 + self.after

    def covers(self, length: int) -> bool:
        """Whether every token of a sequence sees all of it."""
        sides = (self.before, self.after)
        return all(side is None or side >= length - 1 for side in sides)

    def sees(self, queries: Tensor, keys: Tensor, marks: Tensor | None) -> Tensor:
        """From the places of queries (C, Tq) and keys (C, Tk) in the batch: (C, Tq, Tk) bool."""
        distance = keys[:, None, :] - queries[:, :, None]
        near = torch.ones_like(distance, dtype=torch.bool)
        if self.before is not None:
            near &= distance >= -self.before
        if self.after is not None:
            near &= distance <= self.after
        if self.marked and marks is not None:
            near |= marks[keys][:, None, :]
        return near


FULL = Pattern()
LEFT = Pattern(after=0)  #: nothing that comes later (a left-to-right model)
RIGHT = Pattern(before=0)


def window(tokens: int, marked: bool = False) -> Pattern:
    """`tokens` to either side."""
    return Pattern(tokens, tokens, marked)
