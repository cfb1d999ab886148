"""Every task with its switches, and rows for any of them by the kind of its answers: what contract tests ask.

A task of a new file is asked by them the day it appears, where it takes some of the labels below.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from maskwright.base.choice import find, names, resolve
from maskwright.base.errors import UserError
from maskwright.base.ragged import flat
from maskwright.data.labels import Labels
from maskwright.data.read import read
from maskwright.data.table import Table
from maskwright.tasks import Examples, Model, Task

ROWS = 20
WORDS = "the film was wonderful and its story terrible but a song lovely or dull".split()
#: labels of classes, of which a task takes one column or the other
CLASSES = (["1", "2", "3"], ["entailment", "neutral", "contradiction"])


def variants() -> dict[str, dict[str, Any]]:
    """Each task of the folder as it is, with a second text where it may have one, and with each of its switches turned;
    by a name for the test."""
    out: dict[str, dict[str, Any]] = {}
    for name in names(Task):
        fields = find(Task, name).model_fields
        out[name] = {"name": name}
        if find(Task, name).pairs and fields["pair"].default is None:
            out[f"{name}-pair"] = {"name": name, "pair": "other"}
        switches = {key: field for key, field in fields.items() if field.annotation is bool}
        out |= {f"{name}-{key}": {"name": name, key: not field.default} for key, field in switches.items()}
    return out


class Asked:
    """A task that is settled on ROWS rows, some of them long: its labels, the rows as a table, as mappings without
    labels, and as examples."""

    task: Task
    labels: Labels | None
    table: Table
    rows: list[dict[str, Any]]
    examples: Examples

    def __init__(self, settings: dict[str, Any]) -> None:
        task: Task = resolve(Task, settings)
        for columns in _columns(task):
            self.table = read(columns)
            try:
                self.labels = task.discover(self.table)
            except UserError:
                continue
            self.task = task.settled_on(self.labels, self.table)
            self.examples = self.task.examples(self.table, self.labels)
            given = self.task.columns(with_label=False)
            cells = zip(*(columns[name] for name in given), strict=True)
            self.rows = [dict(zip(given, row, strict=True)) for row in cells]
            return
        raise AssertionError(f"The task {task.name} takes none of the labels for {task.answers!r}: add some here.")

    def model(self, folder: Path, **options: Any) -> Model:
        """On an encoder; what is not the encoder's has random numbers so large that answers differ, and no output is
        the largest everywhere."""
        torch.manual_seed(3)
        made = Model.build(folder, self.task, self.labels, **{"precision": "fp32", **options})
        for name, parameter in made.network.named_parameters():
            if not name.startswith("encoder."):
                nn.init.normal_(parameter, std=0.4)
        said = flat(made.outputs(made.inputs(self.examples)))
        with torch.no_grad():
            bias = made.last_layer.bias
            bias -= torch.from_numpy(np.median(said[:, : len(bias)], axis=0))
        made.network.eval()
        return made


def _columns(task: Task) -> Iterator[dict[str, list[Any]]]:
    """Columns of ROWS rows that a task may take, by the names that it has for them."""
    source = random.Random(1)
    sizes = [1, 30, 3, 12, 6]
    words = [source.choices(WORDS, k=sizes[i % 5]) for i in range(ROWS)]
    texts = [" ".join(row) for row in words]
    texts[5] = ""
    seconds = [" ".join(source.choices(WORDS, k=source.choice([1, 4, 25]))) for _ in range(ROWS)]
    base = {task.text: texts, **({task.pair: seconds} if task.pair else {})}
    match task.answers:
        case "class":
            yield from ({**base, task.label: [some[i % 3] for i in range(ROWS)]} for some in CLASSES)
        case "labels":
            yield {**base, task.label: [[], ["a"], ["a", "b"], ["c"]] * (ROWS // 4)}
        case "number":
            yield {**base, task.label: [float(i % 7) for i in range(ROWS)]}
        case "tags":
            tags = [["B-x" if word in ("film", "story", "song") else "O" for word in row] for row in words]
            yield {**base, task.text: words, task.label: tags}
        case "span":
            found = [[] if i % 3 == 2 else [{"text": s.split()[-1]}] for i, s in enumerate(seconds)]
            yield {**base, task.label: found}
        case "choice":
            some = [[" ".join(source.choices(WORDS, k=3)) for _ in range(2 + i % 3)] for i in range(ROWS)]
            yield {**base, str(task.pair): some, task.label: ["ABBA"[i % 4] for i in range(ROWS)]}
