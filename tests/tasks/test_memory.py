"""Memory of a prediction: it depends on the windows, and not on how many rows there are."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from maskwright.base.choice import resolve
from maskwright.data.labels import Labels
from maskwright.tasks import Bulk, Model, Task, ZeroShot, _bulk, _stream

WINDOW = 32  #: rows of a window here, and of a block of answers
LABELS: dict[str, Any] = {
    "classification": ("bad", "good"),
    "tagging": ("B-thing", "I-thing", "O"),
    "entailment": ("entailment", "neutral"),
    "regression": None,
}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "single": ("classification", {}),
    "number": ("regression", {}),
    "chunks": ("classification", {"long": "chunk-mean", "max_length": 8}),
    "windows": ("tagging", {"max_length": 8}),
    "told": ("entailment", {}),
}


@pytest.fixture
def made(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Model]:
    monkeypatch.setattr(_stream, "WINDOW", WINDOW)
    monkeypatch.setattr(_bulk, "BLOCK", WINDOW)

    def go(kind: str) -> Model:
        task, options = KINDS[kind]
        labels = None if LABELS[task] is None else Labels(LABELS[task])
        torch.manual_seed(0)
        found = Model.build(tiny, resolve(Task, task), labels, precision="fp32", **options)
        found.network.eval()
        return ZeroShot(found, ["film", "play"]).model if kind == "told" else found

    return go


@pytest.mark.parametrize("kind", KINDS)
def test_it_does_not_grow_with_the_file(made: Callable[[str], Model], kind: str, tmp_path: Path) -> None:
    model, path = made(kind), tmp_path / "rows.jsonl"

    def peak(count: int) -> int:
        lines = (f'{{"text": "the film was wonderful and the play number {i} was dull"}}\n' for i in range(count))
        path.write_text("".join(lines))
        tracemalloc.start()
        try:
            assert Bulk(model, path).write(tmp_path / "answers.jsonl")["rows"] == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2 * WINDOW)  # what is made once
    few, many = peak(4 * WINDOW), peak(24 * WINDOW)
    assert many < 1.1 * few + 2**15
