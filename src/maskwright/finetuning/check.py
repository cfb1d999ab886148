"""Look at the rows of a fine-tuning run before it is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.base.errors import UserError
from maskwright.data.facts import Facts, Finding, Side, examine, kind
from maskwright.data.labels import Labels
from maskwright.data.read import Source
from maskwright.data.table import NoColumn
from maskwright.finetuning._rows import read_rows
from maskwright.finetuning.settings import FILES, Finetune, gather_rows
from maskwright.models import locate, show
from maskwright.tasks import Examples, Task, check_length
from maskwright.tasks._joined import check_long
from maskwright.text.tokenizer import Tokenizer


def check_data(
    config: str | Path | Mapping[str, Any] | None = None,
    *,
    train: Source | None = None,
    eval: Source | None = None,
    test: Source | None = None,
    corpus: str | Path | Sequence[str | Path] = (),
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> Facts:
    """Facts on the rows that `finetune` would be given with the same arguments; any one split is enough.

    Repeats within and across splits, contradicting labels, class balance or the range of scores, and strange rows. With
    `model`, also lengths in its pieces, what would be cut, as the task and `long` read texts, and what its vocabulary
    lacks. corpus: files of text that the encoder was trained on, in which the rows are looked for; in a run it is the
    setting data.corpus. What the task would refuse of labels is an error among the findings; what cannot be read at all
    raises UserError.
    """
    given = dict(zip(FILES, (train, eval, test), strict=True))
    if isinstance(corpus, str | Path) or len(corpus):
        options["corpus"] = corpus
    asked, sources = gather_rows(config, options, settings or {}, given)
    sides, findings, task = [], [], asked.task
    for name, source in sources.items():
        if source is not None:
            # The label's column is asked for later: a file that lacks it can still be looked at.
            table = read_rows(asked, source, task.columns(with_label=False))
            task = task.spelled(table)
            sides.append(Side(name, table, *task.texts(table)))
            findings += [Finding("reading", "fact", note) for note in table.notes]
    if not sides:
        raise UserError("There are no rows to check: give --train FILE, --eval FILE, --test FILE or several of them.")
    sides, labels, refused = _labelled(sides, task)
    findings += _doubtful(sides[0], labels)
    if sides[0].targets is not None:
        task = task.settled_on(labels, sides[0].table)
    check_long(asked.long, task)
    tokenizer, max_length = _tokenizer(asked)
    if tokenizer is not None and max_length is not None:
        read = [task.inputs(tokenizer, _examples(side, task, labels), max_length, asked.long) for side in sides]
        sides = [replace(side, encodings=inputs) for side, inputs in zip(sides, read, strict=True)]
    findings += [Finding("reading", "fact", note) for side in sides for note in _remarks(side, task, labels)]
    seen = examine(
        sides,
        names=labels.names if labels else (),
        tokenizer=tokenizer,
        max_length=max_length,
        corpus=asked.data.corpus,
    )
    if tokenizer is None:
        findings.append(Finding("pieces", "fact", "Nothing was counted in pieces, since no model was named."))
    return Facts.of([*refused, *seen.findings, *findings])


def _labelled(sides: Sequence[Side], task: Task) -> tuple[list[Side], Labels | None, list[Finding]]:
    """The sides with their targets; where the task refuses the labels, without, and with its sentence as an error.

    The label set is that of the first side, which is the training rows where they are given.
    """
    try:
        labels = task.discover(sides[0].table)
    except NoColumn as problem:
        return list(sides), None, [_refusal(sides[0], UserError(task.absent(problem, "--{} NAME")))]
    except UserError as problem:
        return list(sides), None, [_refusal(sides[0], problem)]
    out, refused = [], []
    for side in sides:
        try:
            out.append(replace(side, targets=task.targets(side.table, labels)))
        except UserError as problem:
            out.append(side)
            refused.append(_refusal(side, problem))
    return out, labels, refused


def _doubtful(side: Side, labels: Labels | None) -> list[Finding]:
    """Labels that look like slips, with their rows on the side that the set is from."""
    if labels is None:
        return []
    counts = None
    if kind(side) in ("classes", "marks"):
        targets = np.asarray(side.targets)
        found = targets.sum(axis=0) if targets.ndim == 2 else np.bincount(targets, minlength=len(labels))
        counts = [int(count) for count in found]
    return [
        Finding("doubtful labels", "warning", note, values={"split": side.name, "source": side.table.source})
        for note in labels.doubtful(counts)
    ]


def _remarks(side: Side, task: Task, labels: Labels | None) -> list[str]:
    """What a run would say of the labels of a side, and of those that it cannot learn once texts are pieces."""
    if side.targets is None:
        return []
    notes = task.notes(task.examples(side.table, labels), labels)
    lost = [] if side.encodings is None else task.lost(side.targets, side.encodings)
    return [f"{side.name}: {note}" for note in [*notes, *lost]]


def _examples(side: Side, task: Task, labels: Labels | None) -> Examples:
    """The rows as a run has them; where their labels were refused, without."""
    if side.targets is not None:
        return task.examples(side.table, labels)
    names = side.table.columns
    return task.gather(
        [task.example(dict(zip(names, cells, strict=True))) for cells in zip(*names.values(), strict=True)]
    )


def _refusal(side: Side, problem: UserError) -> Finding:
    return Finding("labels", "error", str(problem), values={"split": side.name, "source": side.table.source})


def _tokenizer(asked: Finetune) -> tuple[Tokenizer | None, int | None]:
    """The tokenizer of the model and the most pieces that it would see, when a model was named."""
    if "model" not in asked.model_fields_set:
        return None, None
    folder = locate(asked.model)
    tokenizer, shown = Tokenizer.from_folder(folder, asked.normalise), show(folder)
    limit = None if asked.positions is not None else shown.limit
    return tokenizer, check_length(asked.long.length(asked.max_length, shown.limit, shown.usual), limit, shown.usual)
