"""A task as an objective, and its examples as a feed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from maskwright.data import batching
from maskwright.nn.batch import Batch
from maskwright.tasks._task import Task
from maskwright.text.encodings import Encodings
from maskwright.training.objective import Moment, Objective
from maskwright.training.settings import Train

WINDOW = 50  #: steps whose rows are sorted by length together when training in grouped order


@dataclass(frozen=True)
class Labelled:
    """B packed sequences and their B targets."""

    batch: Batch
    targets: Tensor


class TaskObjective(Objective):
    """The task's loss of its network."""

    def __init__(self, network: nn.Module, task: Task) -> None:
        super().__init__()
        self.network, self.task = network, task

    def forward(self, batch: Labelled) -> tuple[Tensor, int, dict[str, float]]:
        return self.task.loss(self.network(batch.batch), batch.targets), len(batch.targets), {}


@dataclass(frozen=True)
class ExampleFeed:
    """Encoded examples in an order that the seed fixes, cut into steps by count or by tokens.

    Within a step the sequences stand by length: the sum of losses is the same in any order, and a step that is taken in
    pieces then has pieces of like lengths.
    """

    encodings: Encodings
    targets: np.ndarray
    settings: Train
    seed: int
    marks: Callable[[Encodings], np.ndarray]  #: `Task.marks`

    def epoch(self, number: int) -> list[np.ndarray]:
        rows = batching.order(len(self.encodings), self.seed, number)
        if self.settings.order == "grouped":
            return self._grouped(rows, number)
        return self._cut(rows)

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
        ordered = rows[np.argsort(self.encodings.lengths[rows], kind="stable")]
        return batching.by_tokens(ordered, self.encodings.lengths, self.settings.micro_tokens)

    def vocabulary(self) -> np.ndarray:
        return np.unique(self.encodings.ids)

    def fetch(self, rows: np.ndarray, device: torch.device, at: Moment | None = None) -> tuple[Labelled, int]:
        batch = Batch.from_encodings(self.encodings, rows, self.marks).to(device)
        return Labelled(batch, torch.from_numpy(self.targets[rows]).to(device)), len(batch.ids)
