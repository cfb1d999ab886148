"""Two systems' answers on the same rows: which is better, and could these rows tell?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskwright.base.errors import UserError, unknown
from maskwright.data.label_cells import LISTS
from maskwright.data.read import Source
from maskwright.evaluation._answers import PREDICTIONS, Sides, predictions, read_sides
from maskwright.evaluation._matching import check_truths, classes, numbers, sets
from maskwright.evaluation._parts import parts
from maskwright.stats import measures
from maskwright.stats.comparison import Verdict, holm, mcnemar, on_one_scale, sentence
from maskwright.stats.comparison import compare as paired
from maskwright.stats.measures import Measure

__all__ = ["PREDICTIONS", "Comparison", "comparable", "compare", "predictions", "read_sides"]

Measures = Callable[[Any, Any], dict[str, Measure]]  #: (targets, answers) -> the measures by name, the main one first


@dataclass(frozen=True)
class Comparison:
    """The verdict on each metric, the first of them in words."""

    a: str
    b: str
    rows: int
    verdicts: dict[str, Verdict]
    corrected: dict[str, float]  #: p of each metric, corrected for looking at all of them (Holm)
    sentence: str
    mcnemar: float | None = None  #: exact p on the rows that only one system got right, for classes
    notes: list[str] = field(default_factory=list)  #: what could not be checked, and labels that cannot match

    def plain(self) -> dict[str, Any]:
        """As JSON; undefined numbers are null."""
        told = {
            name: {**v.plain(), "p_holm": None if math.isnan(self.corrected[name]) else self.corrected[name]}
            for name, v in self.verdicts.items()
        }
        return {
            "a": self.a,
            "b": self.b,
            "rows": self.rows,
            "sentence": self.sentence,
            "differences": told,
            "mcnemar": self.mcnemar,
            "notes": self.notes,
        }


def compare(
    a: Source,
    b: Source,
    data: Source | None = None,
    label: str = "label",
    metric: str | None = None,
    separator: str | None = None,
) -> Comparison:
    """The paired verdict on two systems that answered the same rows in the same order.

    a, b: a run folder, a file, or rows with a column `prediction`, `labels`, `label` or `score`; the names `label` and
    `labels` are taken for answers only where the truth stands elsewhere. The truth stands in `data` under `label`, or
    in a column `target` of either side (a run folder has it). Answers are classes, sets of labels (lists, or texts cut
    at `separator`, by default the run's or a comma), numbers with fractions, spans of the text, a tag for each word, or
    answers to questions: by id, in a column `answer`, or beside a truth called `answers` or one of entries with `text`.
    metric: the one that the sentence is about; accuracy, kappa (of ranks), f1_macro, pearson or f1 unless stated.
    Raises UserError where the sides do not answer the same rows.
    """
    sides = read_sides(a, b, data, label)
    make, (y, *said), notes = comparable(sides, separator)
    if sides.again is not None:
        check_truths(sides, y, said.pop())
    names = list(make(y, said[0]))
    main = metric or names[0]
    if main not in names:
        raise UserError(unknown("metric", main, names))
    verdicts = {name: paired(_one(make, name), y, *(on_one_scale(side, name) for side in said)) for name in names}
    return Comparison(
        sides.a.name,
        sides.b.name,
        len(y),
        verdicts,
        holm({name: verdict.p for name, verdict in verdicts.items()}),
        sentence(sides.a.name, sides.b.name, main, verdicts[main], len(y)),
        mcnemar(y, *said) if y.dtype.kind == "i" else None,
        [*sides.notes, *notes],
    )


def comparable(sides: Sides, separator: str | None) -> tuple[Measures, list[np.ndarray], list[str]]:
    """What to measure, the columns of `Sides` as arrays, and notes: of parts of the texts, of sets of labels, of
    numbers where some have fractions and no run says that they are classes, else of classes, which a run of ranks has
    in an order."""
    known, columns = sides.known, sides.columns
    tagged = parts(sides)
    if tagged is not None:
        return *tagged, []
    listed = any(isinstance(cell, LISTS) for column in columns for cell in column.cells)
    if listed or sides.a.sets or sides.b.sets:
        stated = [separator, sides.a.separator, sides.b.separator]
        _, found, notes = sets(columns, known, next((s for s in stated if s), ","))
        return measures.multi_label, found, notes
    scores = None if known else numbers(columns)
    if scores is not None:
        return measures.regression, scores, []
    labels, found, notes = classes(columns, known)
    ranked = sides.a.ranked or sides.b.ranked
    if ranked and len(labels) > len(known[0]):
        notes.append("Not all labels here are ranks of the run, so how far off an answer is was not measured.")
        ranked = False

    def make(y: Any, said: Any) -> dict[str, Measure]:
        return (measures.ranks(y, said) if ranked else {}) | measures.classification(y, said, len(labels))

    return make, found, notes


def _one(make: Measures, name: str) -> Callable[[Any, Any], Measure]:
    return lambda targets, said: make(targets, said)[name]
