"""The contract of what is trained."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn


class Objective(nn.Module):
    """A module whose forward gives a loss summed over items, how many items there were, and facts for the log.

    Sums, not means: the loop divides the gradient of the sums by the number of items in the whole step, so that a
    step in pieces (accumulation, several processes) equals the step in one.

    A loss that is made of several means, such as one over words and one over pairs, needs to know how many of each the
    whole step has, whatever pieces it comes in. It says in `counts` what is to be counted, and finds the sums in
    `totals` when its forward is called.
    """

    same_passes: ClassVar[bool] = True  #: whether every batch goes through the same blocks as often as another
    totals: Mapping[str, int] | None = None  #: `counts` of the whole step; None: the batch is the whole step

    def counts(self, batch: Any) -> dict[str, int] | None:
        """How many things of each kind a batch has; None where the loss is one sum, as most are."""
        return None

    def of_step(self, batch: Any) -> Mapping[str, int]:
        """The counts of the step that this batch is a piece of."""
        return self.totals or self.counts(batch) or {}

    @abstractmethod
    def forward(self, batch: Any) -> tuple[Tensor, int, dict[str, float]]:
        """(loss summed over items, number of items, facts).

        Facts are sums over the items too, such as the losses of the parts that the loss is made of; the log has their
        means beside the loss.
        """


@dataclass(frozen=True)
class Moment:
    """Where a step stands in its run; all counted from 0."""

    step: int
    total: int  #: steps of the run
    epoch: int  #: the pass over the rows

    @property
    def progress(self) -> float:
        """The share of the run that is behind, in [0, 1)."""
        return self.step / self.total


class Feed(Protocol):
    """Where a loop's batches come from. Each is a function of its rows and the moment, so resuming needs no replay."""

    def epoch(self, number: int) -> list[np.ndarray]:
        """The rows of each step of an epoch, in an order that the seed and the number fix."""

    def pieces(self, rows: np.ndarray) -> list[np.ndarray]:
        """A step's rows in pieces that fit in memory at once."""

    def vocabulary(self) -> np.ndarray | None:
        """(K,) every piece that a batch may hold, once; None where that is not known before."""

    def fetch(self, rows: np.ndarray, device: torch.device, at: Moment) -> tuple[Any, int]:
        """The batch of these rows and its number of tokens.

        at: when that is; masks, for one, differ from pass to pass, and may become fewer in the course of a run.
        """
