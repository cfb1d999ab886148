"""Models of each kind on the tiny encoder, their weights random."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from maskwright.base.choice import resolve
from maskwright.data.labels import Labels
from maskwright.tasks import Model, Task

KINDS = {
    "single": {"name": "classification"},
    "pair": {"name": "classification", "pair": "other"},
    "multi-label": {"name": "multi-label"},
    "regression": {"name": "regression", "label": "score"},
    "regression-pair": {"name": "regression", "label": "score", "pair": "other"},
}


@pytest.fixture(autouse=True)
def _quick(one_thread: None) -> None:
    """Tiny matrices are slower on several threads."""


@pytest.fixture
def build(tiny: Path) -> Callable[..., Model]:
    """A model of a kind in evaluation mode, fp32 unless said otherwise."""

    def make(kind: str, labels: tuple[str, ...] = ("bad", "good"), **options: Any) -> Model:
        task: Task = resolve(Task, KINDS[kind])
        torch.manual_seed(3)
        names = None if kind.startswith("regression") else Labels(labels)
        model = Model.build(tiny, task, names, **{"precision": "fp32", **options})
        with torch.no_grad():  # far enough from zero that predictions differ
            model.network.classifier.out.weight.mul_(5)
        model.network.eval()
        return model

    return make


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)
