"""A tagger's figures beside those of others, and what a tagger of others lets one doubt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import conlleval
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES

from maskwright.base.choice import resolve
from maskwright.base.ragged import objects
from maskwright.data.labels import Labels
from maskwright.data.read import read
from maskwright.data.tags import names
from maskwright.evaluation import evaluate
from maskwright.tasks import Model, Task
from maskwright.tasks.tagging import Tagging

NAMES = ("O", "B-person", "I-person", "B-place", "I-place")


def task(**options: Any) -> Tagging:
    found = resolve(Task, {"name": "tagging", "kind": "spans", **options})
    assert isinstance(found, Tagging)
    return found


def test_the_figures_of_others_stand_beside() -> None:
    """Tags that do not fit: conlleval begins a span at them, a strict reading has none, the best chain mends them."""
    made, labels = task(), Labels(NAMES)
    examples = made.examples(read({"text": ["Ada Lovelace met"], "label": [["B-person", "I-person", "O"]]}), labels)
    scores = objects([np.array([[0, 1.9, 2, 0, 0], [0, 0, 3, 0, 0], [3, 0, 0, 0, 0]], np.float32)])
    figures = made.metrics(scores, examples.targets)
    assert next(iter(figures)) == "f1"
    assert (figures["f1"], figures["f1_conlleval"], figures["f1_strict"]) == (1, 1, 0)


STRICT = [("IOB1", IOB1, "BI"), ("IOB2", IOB2, "BI"), ("IOBES", IOBES, "BIES"), ("BILOU", BILOU, "BILU")]


@given(st.sampled_from(STRICT), st.data())
def test_the_figures_of_others_are_theirs(kind: tuple[Any, type, str], data: st.DataObject) -> None:
    """Whatever the tags are, true ones and answers: seqeval's strict mode reads both to the letter of their scheme."""
    scheme, theirs, marks = kind
    tags = st.sampled_from(["O", *(f"{mark}-{label}" for mark in marks for label in ("l", "p"))])
    pairs = data.draw(st.lists(st.lists(st.tuples(tags, tags), min_size=1, max_size=6), min_size=1, max_size=4))
    true, said = ([[pair[side] for pair in row] for row in pairs] for side in (0, 1))
    made, labels = task(scheme=scheme, learnt=scheme), Labels(names(("l", "p"), scheme))
    examples = made.examples(read({"text": [["w"] * len(row) for row in pairs], "label": true}), labels)
    sure = np.eye(len(labels), dtype=np.float32)
    scores = objects([sure[[labels.names.index(tag) for tag in row]] for row in said])
    figures = made.metrics(scores, examples.targets)
    strict = f1_score(true, said, mode="strict", scheme=theirs, zero_division=0)
    assert figures["f1_strict"] == pytest.approx(strict)
    if scheme != "BILOU":  # neither seqeval's other mode nor conlleval knows its marks
        assert figures["f1_conlleval"] == pytest.approx(f1_score(true, said, zero_division=0))
        lines = [line for row in pairs for line in (*(f"w {one} {other}" for one, other in row), "")]
        overall = conlleval.evaluate(lines)["overall"]["chunks"]["evals"]
        assert figures["f1_conlleval"] == pytest.approx(overall["f1"])


def test_true_tags_that_break_their_scheme_are_no_spans_to_a_strict_reading() -> None:
    """Those of a file in its own scheme, whatever scheme is learnt."""
    table, labels = read({"text": [["Bo", "met"]], "label": [["I-person", "O"]]}), Labels(NAMES)
    scores = objects([np.eye(5, dtype=np.float32)[[1, 0]]])
    for scheme, f1 in (("IOB2", 0), ("IOB1", 1), ("auto", 1)):
        made = task(scheme=scheme)
        figures = made.metrics(scores, made.examples(table, labels).targets)
        assert (figures["f1"], figures["f1_conlleval"], figures["f1_strict"]) == (1, 1, f1)


def test_a_model_that_learnt_another_scheme_is_told(tiny: Path, reviews: dict[str, list[Any]]) -> None:
    """Of a tagger of IOB1, whose labels have the marks of IOB2 too: I- begins its spans."""
    made = Model.build(tiny, task(), Labels(NAMES), precision="fp32")
    made.network.eval()
    with torch.no_grad():
        made.network.classifier.out.bias[NAMES.index("I-place")] = 100
    rows = {"text": reviews["text"][:4], "label": [[[0, 3, "place"]]] * 4}
    notes = evaluate(made, rows).notes
    assert notes[-1] == (
        "In the likeliest tags 4 of 4 spans begin with I-, which IOB2 does not have: the model seems to have learnt "
        "IOB1. Read it so: --set task.learnt=IOB1."
    )
    made.task = task(learnt="IOB1")
    assert "IOB1" not in evaluate(made, rows).notes[-1]
    with torch.no_grad():
        made.network.classifier.out.bias[NAMES.index("B-place")] = 200
    made.task = task()
    assert "IOB1" not in evaluate(made, rows).notes[-1]
