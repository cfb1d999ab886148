"""Memory of a prediction: it depends on the windows, and not on how many rows there are."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch

from maskwright.base.choice import resolve
from maskwright.data.labels import Labels
from maskwright.tasks import Bulk, Model, Task, ZeroShot, _stream

WINDOW = 32  #: rows of a window here
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
    """Peaks over four windows each, in one file: the first hold what is made once, and some more than others, as a
    thread that reads ahead is further or not."""
    texts = (f"the film was wonderful and the play number {i} was dull" for i in range(40 * WINDOW))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    bulk, peaks = Bulk(made(kind), tmp_path / "rows.jsonl"), []
    tracemalloc.start()
    try:
        for row, _ in enumerate(bulk.answers(), 1):
            if row % (4 * WINDOW) == 0:
                gc.collect()  # what only a collector frees waits for it, the longer the older it is
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.reset_peak()
    finally:
        tracemalloc.stop()
    assert len(peaks) == 10
    assert median(peaks[-4:]) < median(peaks[2:6]) + 2**16, "answers of so many rows would take more"
