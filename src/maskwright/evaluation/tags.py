"""A tagger's judgement as shapes that a report can draw: label by label, tag by tag, and its worst texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from maskwright.data.table import Table as Rows
from maskwright.data.tagged import Span
from maskwright.evaluation._mistakes import LABELS, in_view, most, worst_of
from maskwright.evaluation.classes import confusion
from maskwright.evaluation.outcome import Outcome
from maskwright.runs.shapes import Cell, Matrix, Place, Shape, Table, Text, Texts
from maskwright.stats.intervals import Interval, over_examples
from maskwright.stats.measures import ratio
from maskwright.stats.spans import by_label, entities, word_counts
from maskwright.tasks.tagging import Tagging

NAMED = 6  #: mistakes of one text that are named
NOTHING = ""  #: no label, in the place of one
KINDS = ("right", "another label", "overlaps", "missed", "invented")

Paths = Sequence[np.ndarray]  #: of each text its words' tags
Spans = Sequence[set[Span]]  #: of each text


def tag_sections(outcome: Outcome, task: Tagging, table: Rows) -> list[Shape]:
    targets = outcome.examples.targets
    assert targets is not None
    assert outcome.labels is not None
    if task.kind == "words":
        names = outcome.labels.names
        true = np.concatenate([gold.tags for gold in targets])
        said = task.tags(outcome.kept, targets)
        whole = confusion(true, np.concatenate(said), names, "words")
        return [_tags(outcome, said, names), whole, _wrong_words(outcome, said, table)]
    gold, found = [set(each.spans) for each in targets], task.answered(outcome.kept, targets)
    others = task.read_otherwise(outcome.kept, targets)
    shapes = [_labels(gold, found, others), _became(gold, found), _taken(gold, found)]
    return [*shapes, _wrong_spans(outcome, gold, found, table)]


def _labels(gold: Spans, said: Spans, others: Mapping[str, Sequence[Spans]]) -> Table:
    """Precision, recall and F1 of each label, F1 with its interval over texts, and beside it the F1 of `others`: the
    true spans and the answers as conlleval and seqeval's strict mode read them."""
    labels = sorted({span.label for side in (*gold, *said) for span in side})
    hits, true, given = (counts.sum(0).astype(int).tolist() for counts in by_label(gold, said, labels))
    rows: list[list[Cell]] = []
    for i, label in enumerate(labels):
        precision, recall = (hits[i] / of[i] if of[i] else None for of in (given, true))
        f1 = [_f1(label, *sides) for sides in ((gold, said), *others.values())]
        rows.append([label, true[i], precision, recall, *f1])
    return Table(
        title="Label by label",
        head=["label", "spans", "precision", "recall", "F1", *(name.replace("f1_", "F1, ") for name in others)],
        rows=rows,
        note="The saved model. A span is right where its place and its label are. Beside F1 what conlleval and "
        "seqeval's strict mode find in the likeliest tag of each word. Intervals (95 %) are over texts.",
    )


def _f1(label: str, gold: Spans, said: Spans) -> Interval:
    sides = [[{span for span in each if span.label == label} for each in side] for side in (gold, said)]
    return over_examples(entities(*sides)["f1"], len(gold))


def _tags(outcome: Outcome, said: Paths, names: Sequence[str]) -> Table:
    """Precision, recall and F1 of each tag, F1 with its interval over texts, whose words come together."""
    targets = outcome.examples.targets
    assert targets is not None
    hits, true, given = word_counts([gold.tags for gold in targets], said, len(names))
    rows: list[list[Cell]] = []
    for i in np.flatnonzero((true + given).sum(0)):
        right, of, answers = (int(counts[:, i].sum()) for counts in (hits, true, given))
        f1 = over_examples(ratio(2 * hits[:, i], true[:, i] + given[:, i]), len(targets))
        rows.append([names[i], of, right / answers if answers else None, right / of if of else None, f1])
    return Table(
        title="Tag by tag",
        head=["tag", "words", "precision", "recall", "F1"],
        rows=rows,
        note="The saved model. Intervals (95 %) are over texts.",
    )


def _kind(span: Span, others: set[Span]) -> str:
    if span in others:
        return "right"
    if any((other.start, other.end) == (span.start, span.end) for other in others):
        return "another label"
    return "overlaps" if any(other.start < span.end and span.start < other.end for other in others) else "missed"


def _became(gold: Spans, said: Spans) -> Table:
    """What became of the true spans of each label, and how many answers touch none."""
    counts: dict[str, Counter[str]] = {}
    for true, found in zip(gold, said, strict=True):
        for span in true:
            counts.setdefault(span.label, Counter())[_kind(span, found)] += 1
        for span in found:
            if _kind(span, true) == "missed":
                counts.setdefault(span.label, Counter())["invented"] += 1
    rows: list[list[Cell]] = [[label, *(counts[label][kind] for kind in KINDS)] for label in sorted(counts)]
    return Table(
        title="What becomes of a span",
        head=["label", *KINDS],
        rows=rows,
        note="True spans: found exactly, found with another label, overlapped by an answer, or missed. Invented: "
        "answers of this label that touch no true span.",
    )


def _taken(gold: Spans, said: Spans) -> Matrix:
    """Labels of true spans by those of the answers that stand there; spans without a counterpart in a last column, and
    answers without one in a last row."""
    pairs = [pair for true, found in zip(gold, said, strict=True) for pair in _paired(true, found)]
    names = sorted({span.label for side in (*gold, *said) for span in side})
    place = {**{label: i for i, label in enumerate(names)}, None: len(names)}
    sides = (np.array([place[pair[side]] for pair in pairs], np.int64) for side in (0, 1))
    found = confusion(*sides, [*names, NOTHING], "spans")
    rows, columns = ([other if name == NOTHING else name for name in found.rows] for other in ("invented", "missed"))
    return replace(
        found,
        title="Which label is taken for which",
        rows=rows,
        columns=columns,
        note=f"{found.note} A true span is crossed with the answer that has its borders, else with the one that shares "
        "most characters with it; each answer is taken once, and those that are left are invented.",
    )


def _paired(true: set[Span], found: set[Span]) -> Iterator[tuple[str | None, str | None]]:
    """Labels of true spans and of their answers, None where there is none."""
    shared = [
        (one[:2] == other[:2], min(one.end, other.end) - max(one.start, other.start), one, other)
        for one in true for other in found if one.start < other.end and other.start < one.end
    ]  # fmt: skip
    left, free = set(true), set(found)
    for _, _, one, other in sorted(shared, key=lambda pair: (not pair[0], -pair[1], pair[2:])):
        if one in left and other in free:
            left.remove(one)
            free.remove(other)
            yield one.label, other.label
    yield from ((one.label, None) for one in left)
    yield from ((None, other.label) for other in free)


def _wrong_spans(outcome: Outcome, gold: Spans, said: Spans, table: Rows) -> Texts:
    wrong = np.array([len(true ^ found) for true, found in zip(gold, said, strict=True)])
    texts = outcome.examples.texts

    def told(i: int) -> tuple[dict[str, Any], list[Place]]:
        sides = {"missed": gold[i] - said[i], "invented": said[i] - gold[i]}
        kinds = {"right": gold[i] & said[i], "true": sides["missed"], "answer": sides["invented"]}
        places = [Place(span.start, span.end, kind, span.label) for kind, spans in kinds.items() for span in spans]
        values = {name: _listed(spans, texts[i]) for name, spans in sides.items()}
        return values, sorted(places, key=lambda place: (place.start, place.end))

    return _worst("Most spans wrong", wrong, "a wrong span", outcome, table, told)


def _listed(spans: set[Span], text: str) -> str:
    return _some([f"{text[span.start : span.end]} ({span.label})" for span in sorted(spans)]) or "nothing"


def _some(parts: Sequence[str]) -> str:
    more = f" and {len(parts) - NAMED} more" if len(parts) > NAMED else ""
    return "; ".join(parts[:NAMED]) + more


def _wrong_words(outcome: Outcome, paths: Paths, table: Rows) -> Texts:
    targets, labels = outcome.examples.targets, outcome.labels
    assert targets is not None
    assert labels is not None
    off = [np.flatnonzero(path != gold.tags) for path, gold in zip(paths, targets, strict=True)]

    def told(i: int) -> tuple[dict[str, Any], list[Place]]:
        text, gold, said = outcome.examples.texts[i], targets[i], paths[i]
        found = [(int(said[word]), int(gold.tags[word]), *gold.words[word].tolist()) for word in off[i]]
        named = [(f"{labels[one]}, in truth {labels[two]}", a, b) for one, two, a, b in found]
        places = [Place(a, b, "answer", name) for name, a, b in named]
        return {"wrong": _some([f"{text[a:b]}: {name}" for name, a, b in named])}, places

    return _worst("Most words wrong", np.array([len(words) for words in off]), "a wrong tag", outcome, table, told)


def _worst(
    title: str, wrong: np.ndarray, what: str, outcome: Outcome, table: Rows,
    told: Callable[[int], tuple[dict[str, Any], list[Place]]],
) -> Texts:  # fmt: skip
    """told: what is said of a text, and its marked places."""
    rows, texts = most(wrong), []
    for i in rows:
        values, places = told(i)
        shown, moved = in_view(outcome.examples.texts[i], places)
        texts.append(Text(shown, None, {"where": table.where(i), **values}, moved))
    return Texts(
        title=title,
        texts=texts,
        note=worst_of(rows, wrong > 0, f"worst texts with {what}", LABELS),
    )
