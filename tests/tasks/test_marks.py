"""A task chooses the tokens that see everything; they are data of the batches that training and predicting make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import tiny as tiny_config

from maskwright.data.labels import Labels
from maskwright.models import family, random_network, save_network
from maskwright.nn import Batch
from maskwright.tasks import Model
from maskwright.tasks._objective import ExampleFeed
from maskwright.tasks.classification import Classification
from maskwright.text.encodings import Encodings
from maskwright.text.tokenizer import Tokenizer
from maskwright.training.settings import Train

TEXTS = ["a wonderful film with a long and charming story", "", "the dull and boring play was awful", "book"] * 3


class Everything(Classification):
    def marks(self, pieces: Encodings) -> np.ndarray:
        return np.ones(len(pieces.ids), dtype=bool)


@pytest.fixture
def build(tiny: Path, tmp_path: Path) -> Callable[[Classification], Model]:
    """A Longformer whose windows are shorter than the texts, for a task."""
    kind, tokenizer = family("longformer"), Tokenizer.from_folder(tiny)
    sizes = {**tiny_config(kind).model_dump(), "vocabulary": tokenizer.size, "window": 2, "initial_std": 0.5}
    config = kind.Config(**sizes)
    torch.manual_seed(0)
    save_network(tmp_path / "longformer", random_network(kind, config, "classification"), kind, config, {})
    tokenizer.save(tmp_path / "longformer")

    def make(task: Classification) -> Model:
        return Model.build(tmp_path / "longformer", task, Labels(("bad", "good")), precision="fp32", finished=True)

    return make


def test_the_first_piece_of_each_text_is_marked(build: Callable[[Classification], Model]) -> None:
    model = build(Classification())
    encodings = model.encode(TEXTS)
    marked = model.task.marks(encodings)
    assert np.flatnonzero(marked).tolist() == encodings.offsets[:-1].tolist()
    batch = Batch.from_encodings(encodings, [3, 0], model.task.marks)
    assert batch.marked is not None
    assert batch.marked.nonzero().flatten().tolist() == batch.offsets[:-1].tolist()


def test_a_text_of_no_pieces_has_no_mark() -> None:
    """Of a tokenizer that adds none of its own."""
    pieces = Encodings(np.arange(3), np.zeros(3, np.uint8), np.array([0, 0, 2, 2, 3, 3]), np.array([0, 2, 0, 1, 0]), 0)
    assert Classification().marks(pieces).tolist() == [True, False, True]


def test_predictions_follow_the_task(build: Callable[[Classification], Model]) -> None:
    usual, wide = build(Classification()), build(Everything())
    encodings = usual.encode(TEXTS)
    assert np.abs(usual.scores(encodings) - wide.scores(encodings)).max() > 1e-3
    batch = Batch.from_encodings(encodings)
    with torch.no_grad():
        default = usual.network.eval()(batch)  # the head's own choice, where nobody marks
    torch.testing.assert_close(torch.from_numpy(usual.scores(encodings)), default, atol=1e-6, rtol=0)


@pytest.mark.parametrize("task", [Classification, Everything])
def test_training_follows_the_task(build: Callable[[Classification], Model], task: type[Classification]) -> None:
    model = build(task())
    encodings = model.encode(TEXTS)
    feed = ExampleFeed(encodings, np.zeros(len(TEXTS), np.int64), Train(), 0, model.task.marks)
    rows = np.array([2, 0, 3])
    fetched, _ = feed.fetch(rows, torch.device("cpu"))
    assert fetched.given.batch.marked is not None
    assert fetched.given.batch.marked.tolist() == model.task.marks(encodings.select(rows)).tolist()
