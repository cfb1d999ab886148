"""What is judged: all that the seeds of a run said of the rows that it reports on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.data.labels import Labels
from maskwright.tasks import Examples, Task
from maskwright.tasks._calibration import Calibration


@dataclass(frozen=True)
class Outcome:
    """What all seeds of a run said of the rows that are reported on, and which of them was saved."""

    task: Task
    labels: Labels | None
    examples: Examples
    source: str  #: what a person calls the rows
    split: str
    seeds: Sequence[int]
    scores: Sequence[np.ndarray]  #: of each seed, (rows, classes)
    saved: int  #: the seed whose model is kept
    why: str  #: how it was chosen
    calibrations: Sequence[Calibration | None] = ()  #: of each seed's model, fitted on other rows; or none
    chosen_here: bool = False  #: whether these rows also chose checkpoints: the figures flatter then

    @property
    def calibration(self) -> Calibration | None:
        """That of the model that is saved."""
        return self.calibrations[list(self.seeds).index(self.saved)] if self.calibrations else None

    @property
    def kept(self) -> np.ndarray:
        """The scores of the model that is saved."""
        return self.scores[list(self.seeds).index(self.saved)]

    @property
    def classes(self) -> bool:
        """Whether each row has one class."""
        targets = self.examples.targets
        return self.labels is not None and targets is not None and targets.ndim == 1 and targets.dtype != object
