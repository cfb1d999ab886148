"""A run's judgement as shapes that a report can draw: tables, curves, a matrix, marked texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maskwright.data.table import Table as Rows
from maskwright.evaluation.slices import rarity, slices
from maskwright.evaluation.summary import Outcome
from maskwright.runs.shapes import Curve, Histogram, Line, Mark, Matrix, Series, Shape, Table, Text, Texts
from maskwright.stats.intervals import wilson
from maskwright.text.encodings import Encodings

MISTAKES = 10
DOTS = 500  #: a cloud of points is thinned to so many
BINS = 24


def sections(
    outcome: Outcome, sureness: Mapping[str, Any] | None, encodings: Mapping[str, Encodings], table: Rows, cut: int
) -> list[Shape]:
    """encodings: of each split; table: the reported rows; cut: the length from which on texts are cut."""
    lengths = _lengths(encodings, cut)
    if not outcome.classes:
        return [*_regression(outcome, table), lengths] if outcome.labels is None else [lengths]
    assert outcome.labels is not None
    targets, said = outcome.examples.targets, outcome.kept.argmax(-1)
    assert targets is not None
    probabilities = outcome.task.probabilities(outcome.kept, outcome.calibration)
    assert probabilities is not None
    names = list(outcome.labels.names)
    return [
        _classes(targets, said, names),
        _confusion(targets, said, names),
        *_sure(sureness),
        _slices(outcome, targets == said, encodings, table),
        _mistakes(outcome, said, probabilities.max(-1), table),
        lengths,
    ]


def _classes(targets: np.ndarray, said: np.ndarray, names: Sequence[str]) -> Table:
    rows = []
    for i, name in enumerate(names):
        true, given = targets == i, said == i
        hits = int((true & given).sum())
        both = int(true.sum() + given.sum())
        precision = wilson(hits, int(given.sum())).plain() if given.any() else None
        recall = wilson(hits, int(true.sum())).plain() if true.any() else None
        rows.append([name, int(true.sum()), precision, recall, 2 * hits / both if both else None])
    return Table(
        title="Class by class",
        head=["class", "rows", "precision", "recall", "F1"],
        rows=rows,
        note="The saved model. Intervals (95 %) are Wilson's, over examples.",
    )


def _confusion(targets: np.ndarray, said: np.ndarray, names: Sequence[str]) -> Matrix:
    cells = np.zeros((len(names), len(names)), np.int64)
    np.add.at(cells, (targets, said), 1)
    return Matrix(
        title="What is taken for what",
        rows=list(names),
        columns=list(names),
        cells=cells,
        row_name="true",
        column_name="predicted",
        note="Rows of the reported split, by the saved model.",
    )


def _sure(sureness: Mapping[str, Any] | None) -> list[Shape]:
    if sureness is None:
        return []
    curves = [Line(name=n, x=c["confidence"], y=c["accuracy"], kind="line") for n, c in sureness["curves"].items()]
    answered = sureness["risk_coverage"]
    out: list[Shape] = [
        Curve(
            title="Does it know how sure it is?",
            x="confidence",
            y="share that was right",
            lines=curves,
            diagonal=True,
            note="Bins of equally many rows; on the diagonal, nine in ten answers given with 90 % are right. Before "
            "and after the calibration.",
        ),
        Curve(
            title="If it answered only where it is surest",
            x="share of rows answered",
            y="share of wrong answers among them",
            lines=[Line(name="saved model", x=answered["coverage"], y=answered["risk"], kind="steps")],
            note=f"Risk and coverage; the area under the curve is {answered['area']:.4f}.",
        ),
    ]
    if "sets" in sureness:
        out.append(
            Table(
                title="Sets that hold the true label",
                head=["asked for", "held here", "labels in a set, mean"],
                rows=[[float(asked), s["coverage"], s["size"]] for asked, s in sureness["sets"].items()],
                note="Conformal sets: `maskwright predict --coverage 0.9`.",
            )
        )
    return out


def _slices(outcome: Outcome, hits: np.ndarray, encodings: Mapping[str, Encodings], table: Rows) -> Table:
    here, train = encodings[outcome.split], encodings["train"]
    seen = np.bincount(train.ids, minlength=int(max(train.ids.max(initial=0), here.ids.max(initial=0))) + 1)
    numbers = {"length in pieces": here.lengths, "rarity of its pieces, bits": rarity(here.ids, here.offsets, seen)}
    known = {outcome.task.text, outcome.task.pair, outcome.task.label}
    columns = {name: cells for name, cells in table.columns.items() if name not in known}
    found = slices(hits, numbers, columns)
    worse = sum(part.worse for part in found)
    said = f"{worse} of {len(found)} parts are resolvably worse" if worse else "No part is resolvably worse"
    rows = [[p.name, p.rows, p.accuracy.plain(), p.rest, p.p, "worse" if p.worse else ""] for p in found]
    return Table(
        title="Where it fails",
        head=["part", "rows", "accuracy", "the rest", "p (Holm)", ""],
        rows=rows,
        note=f"{said} than the rest of the rows (Fisher's exact test, corrected for all parts).",
    )


def _mistakes(outcome: Outcome, said: np.ndarray, sure: np.ndarray, table: Rows) -> Texts:
    assert outcome.labels is not None
    targets = outcome.examples.targets
    assert targets is not None
    wrong = np.flatnonzero(said != targets)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:MISTAKES]
    texts = [
        _text(outcome, table, int(i), {
            "true": outcome.labels[int(targets[i])], "answer": outcome.labels[int(said[i])],
            "probability": float(sure[i]),
        })
        for i in worst
    ]  # fmt: skip
    return Texts(
        title="Wrong, and sure of it",
        texts=texts,
        note=f"The surest {len(worst)} of {len(wrong):,} mistakes. Some may be mistakes of the labels.",
    )


def _regression(outcome: Outcome, table: Rows) -> list[Shape]:
    targets, said = outcome.examples.targets, outcome.kept[:, 0]
    assert targets is not None
    some = np.unique(np.linspace(0, len(said) - 1, min(DOTS, len(said))).astype(int))
    errors = said - targets
    counts, edges = np.histogram(errors, BINS)
    worst = np.argsort(-np.abs(errors), kind="stable")[:MISTAKES]
    texts = [_text(outcome, table, int(i), {"true": float(targets[i]), "answer": float(said[i])}) for i in worst]
    dots = Line(name="rows", x=targets[some], y=said[some], kind="points")
    return [
        Curve(
            title="Predicted beside true",
            x="true",
            y="predicted",
            lines=[dots],
            diagonal=True,
            note=f"{len(some)} rows.",
        ),
        Histogram(title="Errors", edges=edges, series=[Series("rows", counts)], x="predicted - true"),
        Texts(title="Furthest off", texts=texts),
    ]


def _text(outcome: Outcome, table: Rows, row: int, values: Mapping[str, Any]) -> Text:
    pairs = outcome.examples.pairs
    second = None if pairs is None else pairs[row]
    return Text(outcome.examples.texts[row], second, {"where": table.where(row), **values})


def _lengths(encodings: Mapping[str, Encodings], cut: int) -> Histogram:
    longest = max(int(e.full_lengths.max(initial=1)) for e in encodings.values())
    edges = np.unique(np.linspace(0, longest, BINS + 1).round())
    series = [Series(name, np.histogram(e.full_lengths, edges)[0]) for name, e in encodings.items()]
    lost = sum(e.truncated for e in encodings.values())
    return Histogram(
        title="How long the texts are",
        edges=edges,
        series=series,
        x="word pieces",
        note=f"{lost:,} texts are longer than the {cut} pieces that are read.",
        mark=Mark(cut, "cut") if lost else None,
    )
