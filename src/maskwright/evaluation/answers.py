"""A judgement of answers as shapes that a report can draw: kinds of questions, the threshold of none, mistakes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from maskwright.data.table import Table as Rows
from maskwright.evaluation._mistakes import around, surest, worst_of
from maskwright.evaluation.outcome import Outcome
from maskwright.evaluation.slices import LEAST
from maskwright.runs.shapes import Cell, Curve, Histogram, Line, Place, Series, Shape, Table, Text, Texts
from maskwright.stats.answers import exact, overlap
from maskwright.stats.intervals import bootstrap
from maskwright.stats.measures import mean
from maskwright.tasks.answer import Answer

POINTS = 100  #: of the curve
WORDS = ("what", "who", "when", "where", "which", "why", "how many", "how much", "how")


def answer_sections(outcome: Outcome, task: Answer, table: Rows) -> list[Shape]:
    targets = outcome.examples.targets
    assert targets is not None
    said = task.said(outcome.kept, targets, outcome.calibration)
    golds = [one.texts for one in targets]
    f1 = np.array([overlap(one, true) for one, true in zip(said, golds, strict=True)])
    right = np.array([exact(one, true) for one, true in zip(said, golds, strict=True)])
    has = np.array([bool(true) for true in golds])
    found = [_kinds(outcome.examples.texts, f1, right, has), _lengths(said, golds)]
    if task.none == "yes":
        found.append(_threshold(outcome, task, has))
    return [*found, _mistakes(outcome, task, f1, table)]


def _kind(question: str) -> str:
    plain = " ".join(re.findall(r"[a-z]+", question.lower()))
    places = {word: found.start() for word in WORDS if (found := re.search(rf"\b{word}\b", plain))}
    return min(places, key=lambda word: places[word], default="other")


def _kinds(questions: list[str], f1: np.ndarray, right: np.ndarray, has: np.ndarray) -> Table:
    kinds = np.array([_kind(question) for question in questions])
    groups = {"with an answer": has, "without one": ~has, **{kind: kinds == kind for kind in (*WORDS, "other")}}
    rows: list[list[Cell]] = []
    for name, inside in groups.items():
        if inside.sum() >= LEAST:
            each = bootstrap(mean(f1[inside]), int(inside.sum()))
            rows.append([name, int(inside.sum()), float(right[inside].mean()), each])
    return Table(
        title="Kinds of questions",
        head=["questions", "number", "exact match", "F1"],
        rows=rows,
        note=f"The saved model. Kinds are told by their first asking word; those of fewer than {LEAST} questions are "
        "left out. Intervals (95 %) are over questions.",
    )


def _lengths(said: list[str], golds: list[list[str]]) -> Histogram:
    sides = {
        "true": [len(true[0].split()) for true in golds if true],
        "answers": [len(one.split()) for one in said if one],
    }
    longest = max((n for lengths in sides.values() for n in lengths), default=1)
    edges = np.arange(0.5, min(longest, 30) + 1.5)
    series = [Series(name, np.histogram(np.minimum(lengths, 30), edges)[0]) for name, lengths in sides.items()]
    return Histogram(
        title="How long answers are", edges=edges, series=series, x="words", note="Of 30 words and more in one."
    )


def _threshold(outcome: Outcome, task: Answer, has: np.ndarray) -> Curve:
    """F1 for every threshold, and where the fitted one lies."""
    targets = outcome.examples.targets
    assert targets is not None
    always = task.model_copy(update={"none": "no"})
    texts = always.said(outcome.kept, targets)
    best = np.array([overlap(one, true.texts) for one, true in zip(texts, targets, strict=True)])
    doubts = np.array([task.found(one).doubt for one in outcome.kept])
    finite = doubts[np.isfinite(doubts)]
    places = np.quantile(finite, np.linspace(0, 1, POINTS)) if len(finite) else np.zeros(1)
    places = np.append(places[0] - 0.02 * max(np.ptp(places), 1.0), places)  # where no question is answered

    def f1(places: Iterable[float]) -> list[float]:
        return [float(np.where(doubts <= place, best, 1.0 * ~has).mean()) for place in places]

    known = outcome.calibration.thresholds if outcome.calibration else None
    here = known[0] if known else 0.0
    used = f"{here:.3f}, fitted on others" if known else "0, since no others were left to fit it on"
    return Curve(
        title="When to give no answer",
        x="threshold: how much likelier none must be, nats",
        y="F1",
        lines=[Line("saved model", places.tolist(), f1(places)), Line("in use", [here], f1([here]), kind="points")],
        note=f"Of these questions; the threshold in use is {used}.",
    )


def _mistakes(outcome: Outcome, task: Answer, f1: np.ndarray, table: Rows) -> Texts:
    """The surest of those that share no word with a true answer."""
    targets, examples = outcome.examples.targets, outcome.examples
    assert targets is not None
    assert examples.pairs is not None
    settled = task.settled(outcome.kept, outcome.calibration, task.main)  # so that chances follow the threshold
    found = [task.found(one) for one in settled]
    sure = np.array([each.probability for each in found])
    wrong = f1 == 0
    worst = surest(wrong, sure)

    def told(i: int) -> dict[str, Any]:
        return {
            "true": "; ".join(dict.fromkeys(targets[i].texts)) or "no answer",
            "answer": targets[i].context[found[i].start : found[i].end] or "no answer",
            "probability": float(sure[i]),
        }

    texts = []
    for i in worst:
        places = [Place(*place, "true") for place in sorted(set(targets[i].answers))]
        if found[i].end > found[i].start:
            places.append(Place(found[i].start, found[i].end, "answer"))
        shown, moved = around(targets[i].context, places)
        texts.append(Text(examples.texts[i], shown, {"where": table.where(i), **told(i)}, (), moved))
    return Texts(
        title="Wrong, and sure of it",
        texts=texts,
        note=worst_of(
            worst,
            wrong,
            "surest answers that share no word with a true one",
            "Shown is the context around the true answer and theirs, and the chance once the threshold is taken off.",
            "Each answer shares a word with a true one.",
        ),
    )
