"""A run's judgement as shapes that a report can draw: tables, curves, a matrix, marked texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from maskwright.data.table import Table as Rows
from maskwright.evaluation._mistakes import LABELS, SHOWN, surest, worst_of
from maskwright.evaluation.answers import answer_sections
from maskwright.evaluation.choices import choice_sections
from maskwright.evaluation.classes import class_table, confusion, label_table
from maskwright.evaluation.outcome import Outcome
from maskwright.evaluation.slices import LEAST, Slice, error_slices, rarity, slices
from maskwright.evaluation.tags import tag_sections
from maskwright.runs.shapes import Cell, Curve, Histogram, Line, Mark, Series, Shape, Table, Text, Texts, cell
from maskwright.stats.intervals import wilson
from maskwright.tasks._calibration import Calibration
from maskwright.tasks._given import Inputs
from maskwright.tasks.answer import Answer
from maskwright.tasks.choice import Choice
from maskwright.tasks.classification import Classification
from maskwright.tasks.multi_label import MultiLabel
from maskwright.tasks.tagging import Tagging
from maskwright.text.groups import Grouped

DOTS = 500  #: a cloud of points is thinned to so many
BINS = 24
SCORES = {
    "error": "off by, on average (ECE)",
    "adaptive_error": "off by, class by class (ACE)",
    "log_loss": "log loss, nats",
    "brier": "Brier score",
}  #: what is told of probabilities, in words
BRIER = ("reliability", "resolution", "uncertainty", "within")  #: parts of the last


def sections(
    outcome: Outcome, sureness: Mapping[str, Any] | None, encodings: Mapping[str, Inputs], table: Rows, cut: int
) -> list[Shape]:
    """encodings: of each split; table: the reported rows; cut: the length from which on texts are cut."""
    if isinstance(outcome.task, Answer):
        found = answer_sections(outcome, outcome.task, table)
    elif isinstance(outcome.task, Choice):
        found = choice_sections(outcome, outcome.task, table)
    elif isinstance(outcome.task, Tagging):
        found = tag_sections(outcome, outcome.task, table)
    elif outcome.classes and sureness is not None:
        found = _classification(outcome, sureness, encodings, table)
    elif isinstance(outcome.task, MultiLabel) and sureness is not None:
        found = _multi_label(outcome, outcome.task, sureness, encodings, table)
    else:
        found = _regression(outcome, encodings, table) if outcome.labels is None else []
    return [*found, _lengths(encodings, cut)]


def _classification(
    outcome: Outcome, sureness: Mapping[str, Any], encodings: Mapping[str, Inputs], table: Rows
) -> list[Shape]:
    assert outcome.labels is not None
    assert isinstance(outcome.task, Classification)
    targets, said = outcome.examples.targets, outcome.task.said(outcome.kept)
    assert targets is not None
    probabilities = outcome.task.probabilities(outcome.kept, outcome.calibration)
    assert probabilities is not None
    names = outcome.labels.names
    return [
        class_table(targets, said, names),
        confusion(targets, said, names),
        _reliability(sureness, "share that was right", "nine in ten answers given with 90 % are right"),
        _answered(sureness),
        _scored(sureness),
        *([] if outcome.calibration is None else [_sets(sureness["sets"], outcome.calibration, len(targets))]),
        _fails("accuracy", slices(targets == said, *_parts(outcome, encodings, table)), "Fisher's exact test"),
        _mistakes(outcome, said, probabilities[np.arange(len(said)), said], table),
    ]


def _multi_label(
    outcome: Outcome,
    task: MultiLabel,
    sureness: Mapping[str, Any],
    encodings: Mapping[str, Inputs],
    table: Rows,
) -> list[Shape]:
    """A row is a hit where the answer is exactly its labels."""
    assert outcome.labels is not None
    assert outcome.examples.targets is not None
    targets = outcome.examples.targets.astype(bool)
    probabilities = task.probabilities(outcome.kept, outcome.calibration)
    thresholds = task.thresholds(outcome.calibration)
    said = probabilities >= thresholds
    hits = (targets == said).all(-1)
    return [
        label_table(targets, said, outcome.labels.names, np.broadcast_to(thresholds, len(outcome.labels))),
        _reliability(sureness, "share of rows that have the label", "nine in ten labels given 90 % are there"),
        _scored(sureness),
        _fails("exact match", slices(hits, *_parts(outcome, encodings, table)), "Fisher's exact test"),
        _wrong_labels(outcome, targets, said, probabilities, table),
    ]


def _reliability(sureness: Mapping[str, Any], y: str, meaning: str) -> Curve:
    """Probabilities beside what came true. y: what came true; meaning: of the diagonal."""
    curves = [
        Line(f"{when} calibration", each["confidence"], each["accuracy"], sizes=each["count"])
        for when, each in sureness["curves"].items()
    ]
    bins = [count for each in sureness["curves"].values() for count in each["count"]]
    return Curve(
        title="Does it know how sure it is?",
        x="probability given",
        y=y,
        lines=curves,
        diagonal=True,
        note=f"Each dot is a bin of {_range(bins)} probabilities, its area their number. On the diagonal, {meaning}.",
    )


def _answered(sureness: Mapping[str, Any]) -> Curve:
    found = sureness["risk_coverage"]
    return Curve(
        title="If it answered only where it is surest",
        x="share of rows answered",
        y="share of wrong answers among them",
        lines=[Line(name="saved model", x=found["coverage"], y=found["risk"], kind="steps")],
        note=f"Risk and coverage; the area under the curve is {found['area']:.4f}.",
    )


def _scored(sureness: Mapping[str, Any]) -> Table:
    whens = list(sureness["error"])
    rows = [[words, *(cell(sureness[name][when]) for when in whens)] for name, words in SCORES.items()]
    rows.insert(1, ["the same by chance alone", *(sureness["by_chance"][when]["mean"] for when in whens)])
    rows += [[f"of it {part}", *(sureness["brier_parts"][when][part] for when in whens)] for part in BRIER]
    return Table(
        title="How good its probabilities are",
        head=["", *(f"{when} calibration" for when in whens)],
        rows=rows,
        note="All but resolution are better the smaller they are. Brier score = reliability (how far bins are off) - "
        "resolution (how far apart they are in truth) + uncertainty (of the labels, whoever judges them) + within "
        "(what bins hide).",
    )


def _sets(sets: Mapping[str, Any], calibration: Calibration, rows: int) -> Table:
    body: list[list[Cell]] = []
    for asked, found in sets.items():
        least = max(0.0, 1 - calibration.quantile(float(asked)))  # without a quantile nothing is left out
        body.append([float(asked), wilson(round(found["coverage"] * rows), rows), found["size"], least])
    return Table(
        title="Sets that hold the true label",
        head=["asked for", "held here", "labels in it, mean", "from a probability of"],
        rows=body,
        note="Conformal sets, as maskwright predict --coverage gives them: all labels from a probability on. It is 0 "
        "where too few rows were left to fit it; all labels are in a set then. Intervals (95 %) are Wilson's, over "
        "examples.",
    )


def _range(counts: Sequence[int]) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _parts(
    outcome: Outcome, encodings: Mapping[str, Inputs], table: Rows
) -> tuple[dict[str, np.ndarray], dict[str, Sequence[Any]]]:
    """By what the rows may be told apart: numbers of their texts, and columns that the task does not read."""
    here, train = encodings[outcome.split], encodings["train"]
    seen = np.bincount(train.ids, minlength=int(max(train.ids.max(initial=0), here.ids.max(initial=0))) + 1)
    numbers = {"length in pieces": here.lengths, "rarity of its pieces, bits": rarity(here.ids, here.offsets, seen)}
    known = {*outcome.task.columns(), outcome.task.label}
    return numbers, {name: cells for name, cells in table.columns.items() if name not in known}


def _fails(figure: str, found: Sequence[Slice], test: str) -> Table:
    worse = sum(part.worse for part in found)
    said = f"{worse} of {len(found)} parts are resolvably worse" if worse else "No part is resolvably worse"
    said += f" than the rest of the rows ({test}, corrected for all parts)."
    if not found:
        said = f"There are too few rows for parts: a part and the rest need {LEAST} each."
    rows = [[p.name, p.rows, p.figure, p.rest, p.p, "worse" if p.worse else ""] for p in found]
    return Table(
        title="Where it fails",
        head=["part", "rows", figure, "the rest", "p (Holm)", ""],
        rows=rows,
        note=said,
    )


def _mistakes(outcome: Outcome, said: np.ndarray, sure: np.ndarray, table: Rows) -> Texts:
    assert outcome.labels is not None
    targets = outcome.examples.targets
    assert targets is not None
    wrong, names = said != targets, outcome.labels
    worst = surest(wrong, sure)

    def told(i: int) -> dict[str, Any]:
        return {"true": names[int(targets[i])], "answer": names[int(said[i])], "probability": float(sure[i])}

    return Texts(
        title="Wrong, and sure of it",
        texts=_texts(outcome, table, worst, told),
        note=worst_of(worst, wrong, "surest mistakes", LABELS),
    )


def _wrong_labels(
    outcome: Outcome, targets: np.ndarray, said: np.ndarray, probabilities: np.ndarray, table: Rows
) -> Texts:
    """The texts with the most wrong labels; of equally many those where it was surest of one of them."""
    labels = outcome.labels
    assert labels is not None
    wrong = targets != said
    count, most = wrong.sum(-1), (np.abs(probabilities - targets) * wrong).max(-1, initial=0)
    worst = [i for i in np.lexsort((-most, -count))[:SHOWN] if count[i]]

    def listed(row: np.ndarray) -> str:
        return ", ".join(labels[int(i)] for i in np.flatnonzero(row)) or "none"

    def told(i: int) -> dict[str, Any]:
        return {"true": listed(targets[i]), "answer": listed(said[i]), "wrong labels": int(count[i])}

    return Texts(
        title="Most labels wrong",
        texts=_texts(outcome, table, worst, told),
        note=worst_of(worst, count > 0, "worst rows with a wrong label", LABELS),
    )


def _regression(outcome: Outcome, encodings: Mapping[str, Inputs], table: Rows) -> list[Shape]:
    targets, said = outcome.examples.targets, outcome.kept[:, 0]
    assert targets is not None
    some = np.unique(np.linspace(0, len(said) - 1, min(DOTS, len(said))).astype(int))
    errors = said.astype(np.float64) - targets
    counts, edges = np.histogram(errors, BINS)
    worst = np.argsort(-np.abs(errors), kind="stable")[:SHOWN]
    texts = _texts(outcome, table, worst, lambda i: {"true": float(targets[i]), "answer": float(said[i])})
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
        _fails(
            "mean absolute error",
            error_slices(errors, *_parts(outcome, encodings, table)),
            "Mann and Whitney's test of the absolute errors",
        ),
        Texts(title="Furthest off", texts=texts),
    ]


def _texts(outcome: Outcome, table: Rows, rows: Iterable[int], told: Callable[[int], Mapping[str, Any]]) -> list[Text]:
    """The texts of some rows, where each stands, and what is told of it."""
    firsts, pairs = outcome.examples.texts, outcome.examples.pairs
    chosen = map(int, rows)
    return [Text(firsts[i], None if pairs is None else pairs[i], {"where": table.where(i), **told(i)}) for i in chosen]


def _lengths(encodings: Mapping[str, Inputs], cut: int) -> Histogram:
    longest = max(int(e.full_lengths.max(initial=1)) for e in encodings.values())
    edges = np.unique(np.linspace(0, longest, BINS + 1).round())
    series = [Series(name, np.histogram(e.full_lengths, edges)[0]) for name, e in encodings.items()]
    windowed = sum(e.windowed for e in encodings.values())
    lost = sum(e.truncated for e in encodings.values())
    note = f"{lost:,} texts are longer than the {cut} pieces that are read."
    if windowed:
        joined = any(isinstance(e, Grouped) for e in encodings.values())
        how = "chunks" if joined else "windows that overlap"
        also = f" Of {lost:,} the first text, which stands in each, was cut." if lost else ""
        note = f"{windowed:,} texts are longer than {cut} pieces and were read in {how}.{also}"
    return Histogram(
        title="How long the texts are",
        edges=edges,
        series=series,
        x="word pieces",
        note=note,
        mark=Mark(cut, "cut") if lost else None,
    )
