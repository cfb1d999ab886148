"""A network of a few weights with a feed of its own, so that what the loop does can be followed number by number."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskwright.nn.dropout import Dropout, noise
from maskwright.training.loop import Loop
from maskwright.training.objective import Moment, Objective
from maskwright.training.settings import Train

ROWS = 20


class Squares(Objective):
    """Squared error of a network with one block; `dropout` makes its steps depend on the generator's state."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.into, self.norm, self.drop, self.out = nn.Linear(3, 8), nn.LayerNorm(8), Dropout(dropout), nn.Linear(8, 1)
        self.blocks = nn.Sequential(nn.Linear(8, 8), nn.Tanh())

    def forward(self, batch: Any) -> tuple[Tensor, int, dict[str, float]]:
        x, y = batch
        found = self.out(self.drop(self.norm(self.blocks(torch.tanh(self.into(x)))))).squeeze(-1)
        return F.mse_loss(found.float(), y, reduction="sum"), len(y), {"offset": float((found - y).sum().detach())}


@dataclass
class Rows:
    """ROWS rows in steps of `size` and pieces of `piece`, in another order each epoch."""

    size: int = 4
    piece: int = 4

    def __post_init__(self) -> None:
        source = torch.Generator().manual_seed(1)
        self.x = torch.randn(ROWS, 3, generator=source)
        self.y = self.x.sum(-1) + 0.1 * torch.randn(ROWS, generator=source)

    def epoch(self, number: int) -> list[np.ndarray]:
        order = np.random.default_rng(number).permutation(ROWS)
        return [order[i : i + self.size] for i in range(0, ROWS, self.size)]

    def pieces(self, rows: np.ndarray) -> list[np.ndarray]:
        return [rows[i : i + self.piece] for i in range(0, len(rows), self.piece)]

    def vocabulary(self) -> None:
        return None

    def fetch(self, rows: np.ndarray, device: torch.device, at: Moment) -> tuple[Any, int]:
        return (self.x[rows], self.y[rows]), 3 * len(rows)


@pytest.fixture
def rows() -> type[Rows]:
    return Rows


@pytest.fixture
def squares() -> Callable[..., Squares]:
    """The network with the same weights each time, and the generator of dropout set back to its start."""

    def make(dropout: float = 0.0) -> Squares:
        torch.manual_seed(0)
        noise.seed(0)
        return Squares(dropout)

    return make


@pytest.fixture
def loop(tmp_path: Path, squares: Callable[..., Squares]) -> Callable[..., Loop]:
    """A loop over the rows in fp32 with 5 steps an epoch; keywords are settings of training."""

    def make(
        objective: Objective | None = None,
        feed: Any = None,
        folder: Path = tmp_path,
        evaluate: Any = None,
        allow_drift: bool = False,
        **settings: Any,
    ) -> Loop:
        common = {"precision": "fp32", "device": "cpu", "lr": 0.01, "log_steps": 1, "checkpoint_minutes": 0}
        train = Train(**{**common, "epochs": 2, **settings})
        network = squares() if objective is None else objective
        return Loop(network, feed or Rows(), train, folder, evaluate, quiet=True, allow_drift=allow_drift)

    return make


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread, which tiny matrices are quickest on, and no waiting for the disk, which only a power cut needs."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
