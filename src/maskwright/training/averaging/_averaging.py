"""The contract of an averaging: a pure function of how many weights there were, so that a resumed run needs no state of
it but the average itself."""

from __future__ import annotations

from abc import abstractmethod

from pydantic import Field

from maskwright.base.choice import Part


class Averaging(Part):
    """How weights of successive steps are weighed in their average, by which the network is judged and which it ends
    with."""

    start: float = Field(0.8, ge=0, lt=1)
    """Share of the steps before the first one whose weights count."""

    def counts(self, done: int, total: int) -> bool:
        """Whether the weights behind `done` of `total` steps, 1 .. total, belong to the average; the last always do."""
        return done > min(round(self.start * total), total - 1)

    @abstractmethod
    def share(self, count: int, total: int) -> float:
        """How much the newest of `count` weights makes up of their average, in (0, 1]; 1 for the first."""
