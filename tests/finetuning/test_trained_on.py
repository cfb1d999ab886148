"""A finished model is trained on with all that it has learnt, and what is started anew is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

pytestmark = pytest.mark.usefixtures("undrawn")

STILL = {"train": {"epochs": 1, "lr": 1e-12}}  #: a training that ends where it starts


def test_a_tagger_goes_on_with_its_chains(tune: Callable[..., Any], reviews: dict[str, list[Any]]) -> None:
    words = [text.split() for text in reviews["text"]]
    tags = [["O", "B-thing", *["O"] * (len(row) - 2)] for row in words]
    given = {"task": {"name": "tagging", "crf": True}, "train": {"text": words, "label": tags}}
    first = tune(out="first", **given)
    again = tune(out="again", model=first.folder, settings=STILL, **given)
    moves = first.model.network.behind.state_dict()
    assert all(moves[part].any() for part in moves)
    for part, tensor in again.model.network.behind.state_dict().items():
        torch.testing.assert_close(tensor, moves[part], atol=1e-6, rtol=0)
    assert any(note.endswith("has learnt of which tags follow each other was kept.") for note in again.notes)


def test_joined_chunks_go_on_as_they_were(tune: Callable[..., Any]) -> None:
    given = {"long": "hierarchical", "max_length": 8}
    first = tune(out="first", **given)
    again = tune(out="again", model=first.folder, settings=STILL, **given)
    blocks = first.model.network.combine.state_dict()
    for part, tensor in again.model.network.combine.state_dict().items():
        torch.testing.assert_close(tensor, blocks[part], atol=1e-6, rtol=0)
    assert any(note.endswith("has learnt of how the chunks of a text are joined was kept.") for note in again.notes)


def test_the_head_of_an_order_goes_on(tune: Callable[..., Any], reviews: dict[str, list[Any]]) -> None:
    rows = {"text": reviews["text"], "label": [1 + i % 3 for i in range(len(reviews["text"]))]}
    first = tune(out="first", task="ordinal", train=rows)
    again = tune(out="again", model=first.folder, task="ordinal", train=rows, settings=STILL)
    assert any("is for the labels 1, 2, 3 too and was kept." in note for note in again.notes)
    heads = (run.model.network.classifier.out.weight for run in (first, again))
    torch.testing.assert_close(*heads, atol=1e-6, rtol=0)
    card = (first.folder / "README.md").read_text()
    assert "AutoModelForSequenceClassification" not in card
    assert "In transformers the outputs are questions" in card
