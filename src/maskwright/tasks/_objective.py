"""A task as an objective, and its examples as a feed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from maskwright.base.ragged import flat
from maskwright.data import batching
from maskwright.tasks._given import Given, Inputs, portioned
from maskwright.tasks._task import Task
from maskwright.text.encodings import Encodings
from maskwright.text.windows import Windowed
from maskwright.training.objective import Moment, Objective
from maskwright.training.settings import Train

WINDOW = 50  #: steps whose rows are sorted by length together when training in grouped order


@dataclass(frozen=True)
class Labelled:
    """B examples and their targets: B of them, or one for each token that is asked."""

    given: Given
    targets: Tensor


class TaskObjective(Objective):
    """The task's loss of its network."""

    def __init__(self, network: nn.Module, task: Task) -> None:
        super().__init__()
        self.network, self.task = network, task

    @property
    def same_passes(self) -> bool:  # type: ignore[override]
        """Not of texts in chunks, where a long one takes several."""
        return self.network.combine is None

    def forward(self, batch: Labelled) -> tuple[Tensor, int, dict[str, float]]:
        loss = self.task.loss(batch.given.scores(self.network), batch.targets, batch.given)
        return loss, len(batch.targets), {}


@dataclass(frozen=True)
class ExampleFeed:
    """Encoded examples in an order that the seed fixes, cut into steps by count or by tokens.

    Within a step the sequences stand by length: the sum of losses is the same in any order, and a step that is taken in
    pieces then has pieces of like lengths. Of texts in windows a step's rows are the windows of its texts; texts that
    nothing is asked of, since they have no words, are left out. Texts in chunks are whole, since one loss is of all of
    a text's chunks; one with more tokens than fit at once goes through the network in parts (`Given.most`).
    """

    encodings: Inputs
    targets: np.ndarray  #: `Task.wanted`: (B, ...), or of each window an array
    settings: Train
    seed: int
    marks: Callable[[Encodings], np.ndarray | None]  #: `Task.marks`

    def epoch(self, number: int) -> list[np.ndarray]:
        rows = batching.order(len(self.encodings), self.seed, number)
        windowed = self.encodings if isinstance(self.encodings, Windowed) else None
        if windowed is not None:
            rows = rows[windowed.counts[rows] > 0]
        steps = self._grouped(rows, number) if self.settings.order == "grouped" else self._cut(rows)
        return steps if windowed is None else [windowed.windows(step) for step in steps]

    def _grouped(self, rows: np.ndarray, number: int) -> list[np.ndarray]:
        """Sorted by length within windows of WINDOW steps, then the steps in an order of their own."""
        lengths, size = self.encodings.lengths, WINDOW * self.settings.batch_size
        windows = batching.by_count(rows, size)
        steps = self._cut(np.concatenate([w[np.argsort(lengths[w], kind="stable")] for w in windows]))
        return [steps[i] for i in batching.order(len(steps), self.seed + 1, number)]

    def _cut(self, rows: np.ndarray) -> list[np.ndarray]:
        if self.settings.batch_tokens is not None:
            return batching.by_tokens(rows, self.encodings.lengths, self.settings.batch_tokens)
        return batching.by_count(rows, self.settings.batch_size)

    def pieces(self, rows: np.ndarray) -> list[np.ndarray]:
        lengths = self._portions.lengths
        return batching.by_tokens(rows[np.argsort(lengths[rows], kind="stable")], lengths, self.settings.micro_tokens)

    def vocabulary(self) -> np.ndarray:
        return np.unique(self.encodings.ids)

    def fetch(self, rows: np.ndarray, device: torch.device, at: Moment | None = None) -> tuple[Labelled, int]:
        given = replace(Given.of(self._portions, rows, self.marks).to(device), most=self.settings.micro_tokens)
        targets = torch.from_numpy(flat(self.targets[rows]))
        return Labelled(given, targets.to(device)), len(given.batch.ids)

    @cached_property
    def _portions(self) -> Inputs:
        return portioned(self.encodings)
