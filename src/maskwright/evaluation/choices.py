"""A judgement of choices as shapes that a report can draw: by their number and the right one's place, and mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np

from maskwright.data.table import Table as Rows
from maskwright.evaluation._mistakes import surest, worst_of
from maskwright.evaluation.outcome import Outcome
from maskwright.evaluation.slices import LEAST
from maskwright.runs.shapes import Cell, Shape, Table, Text, Texts
from maskwright.stats.intervals import wilson
from maskwright.tasks.choice import Choice


def choice_sections(outcome: Outcome, task: Choice, table: Rows) -> list[Shape]:
    targets = outcome.examples.targets
    assert targets is not None
    chances = task.chances(outcome.kept, outcome.calibration)
    said = np.array([int(p.argmax()) for p in chances])
    hits = said == np.array([one.right for one in targets])
    return [_kinds(outcome, said, hits), _mistakes(outcome, chances, said, hits, table)]


def _kinds(outcome: Outcome, said: np.ndarray, hits: np.ndarray) -> Table:
    """A model that knows nothing of a question is right as often as the number of its choices says."""
    targets = outcome.examples.targets
    assert targets is not None
    sizes, places = (np.array(each) for each in zip(*((len(t.choices), t.right) for t in targets), strict=True))
    groups = {f"{size} choices": sizes == size for size in np.unique(sizes)}
    groups |= {f"the right one is number {place + 1}": places == place for place in np.unique(places)}
    rows: list[list[Cell]] = []
    for name, inside in groups.items():
        count = int(inside.sum())
        if count >= LEAST:
            share = wilson(int(hits[inside].sum()), count)
            rows.append([name, count, float((1 / sizes[inside]).mean()), share])
    return Table(
        title="Kinds of questions",
        head=["questions", "number", "by chance", "accuracy"],
        rows=rows,
        note=f"The saved model; kinds of fewer than {LEAST} questions are left out. Intervals (95 %) are over "
        f"questions. It answers with number 1 in {(said == 0).mean():.1%} of them.",
    )


def _mistakes(outcome: Outcome, chances: list[np.ndarray], said: np.ndarray, hits: np.ndarray, table: Rows) -> Texts:
    targets, examples = outcome.examples.targets, outcome.examples
    assert targets is not None
    sure = np.array([float(p.max()) for p in chances])
    worst = surest(~hits, sure)

    def told(i: int) -> dict[str, Any]:
        own = targets[i].choices
        each = {f"choice {k}": f"{p:.3f}: {own[k - 1]}" for k, p in enumerate(chances[i], 1)}
        return {"true": own[targets[i].right], "answer": own[said[i]], "probability": float(sure[i]), **each}

    texts = [Text(examples.texts[i], None, {"where": table.where(i), **told(i)}) for i in worst]
    return Texts(
        title="Wrong, and sure of it",
        texts=texts,
        note=worst_of(worst, ~hits, "surest wrong choices"),
    )
