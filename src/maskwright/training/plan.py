"""Which rows each step takes, and when one evaluates."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from maskwright.training.objective import Feed, Moment


class Plan(Protocol):
    """All steps of a run. Any of them can be asked for, so resuming needs no replay."""

    @property
    def total(self) -> int:
        """How many steps there are."""

    def rows(self, step: int) -> np.ndarray:
        """The rows of step 0 .. total - 1."""

    def moment(self, step: int) -> Moment:
        """Where that step stands."""

    def evaluates(self, done: int, per_epoch: int) -> bool:
        """Whether an evaluation falls after `done` steps, 1 .. total. per_epoch: `Train.evaluations`."""


class Epochs:
    """Passes over all rows; a fraction of one at the end is cut at a whole step."""

    def __init__(self, feed: Feed, epochs: float) -> None:
        self.feed = feed
        whole, part = int(epochs), epochs - int(epochs)
        sizes = [len(feed.epoch(e)) for e in range(whole)]
        if part:
            sizes.append(max(1, round(part * len(feed.epoch(whole)))))
        self.ends = np.cumsum(sizes).tolist()
        self.total = int(self.ends[-1])
        self._cached: tuple[int, list[np.ndarray]] = (-1, [])

    def rows(self, step: int) -> np.ndarray:
        epoch = self._epoch(step)
        if self._cached[0] != epoch:
            self._cached = (epoch, self.feed.epoch(epoch))
        return self._cached[1][step - self._start(epoch)]

    def moment(self, step: int) -> Moment:
        return Moment(step, self.total, self._epoch(step))

    def evaluates(self, done: int, per_epoch: int) -> bool:
        """At equal distances, the last at each epoch's end."""
        epoch = self._epoch(done - 1)
        start = self._start(epoch)
        size = self.ends[epoch] - start
        marks = {start + round(size * (i + 1) / per_epoch) for i in range(per_epoch)}
        return done in marks

    def _epoch(self, step: int) -> int:
        return int(np.searchsorted(self.ends, step, side="right"))

    def _start(self, epoch: int) -> int:
        return self.ends[epoch - 1] if epoch else 0
