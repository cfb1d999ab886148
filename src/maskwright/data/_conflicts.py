"""Equal texts with labels that contradict each other: no model can have both right."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from maskwright.base.words import counted
from maskwright.data._finding import NAMED, Finding, Side
from maskwright.data._same import article, part_of, partners, place, related
from maskwright.data._targets import kind, said

SLACK = 0.1  #: of the range of all scores: scores of equal texts that lie further apart contradict each other


class _Span(NamedTuple):
    """The texts of a side, sorted, with the least and the greatest label that each has there."""

    texts: np.ndarray
    least: np.ndarray
    most: np.ndarray


def conflicts(sides: Sequence[Side], numbers: Sequence[np.ndarray], names: Sequence[str] = ()) -> list[Finding]:
    """Equal texts with different labels, within a split and across splits.

    numbers: those of `codes`; names: of the classes. Scores contradict each other when they lie further apart than a
    tenth of the range of all scores. Across splits a row counts when its text has one label in the other split, and
    not the row's own.
    """
    labelled = [(side, own) for side, own in zip(sides, numbers, strict=True) if kind(side)]
    kinds = {kind(side) for side, _ in labelled}
    if len(kinds) != 1:
        return []
    values = _comparable([np.asarray(side.targets) for side, _ in labelled])
    slack = SLACK * float(np.ptp(np.concatenate(values))) if kinds == {"scores"} else 0.0
    spans = [_span(own, labels) for (_, own), labels in zip(labelled, values, strict=True)]
    out = []
    for (side, own), labels, span in zip(labelled, values, spans, strict=True):
        texts = span.texts[span.most - span.least > slack]
        if len(texts):
            out.append(_within(side, own, labels, texts, names))
    for i, j in combinations(range(len(labelled)), 2):
        (a, one), (b, two) = labelled[i], labelled[j]
        at = place(spans[i].texts, two)
        seen = np.flatnonzero(at >= 0)
        least, most, labels = spans[i].least[at[seen]], spans[i].most[at[seen]], values[j][seen]
        apart = np.maximum(np.abs(labels - least), np.abs(labels - most)) > slack
        rows = seen[apart & (most - least <= slack)]
        if len(rows):
            out.append(_across(b, rows, a, partners(one, two)[rows], names))
    return out


def _comparable(targets: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The labels of each side as (B,) numbers that are equal when the labels are: of marks, one a combination."""
    if targets[0].ndim == 1:
        return [t.astype(np.float64) for t in targets]
    together = np.unique(np.concatenate(targets), axis=0, return_inverse=True)[1].reshape(-1).astype(np.float64)
    return np.split(together, np.cumsum([len(t) for t in targets])[:-1])


def _span(own: np.ndarray, labels: np.ndarray) -> _Span:
    rows = np.flatnonzero(own >= 0)
    rows = rows[np.argsort(own[rows], kind="stable")]
    texts, starts = np.unique(own[rows], return_index=True)
    if not len(texts):
        return _Span(texts, labels[:0], labels[:0])
    return _Span(texts, np.minimum.reduceat(labels[rows], starts), np.maximum.reduceat(labels[rows], starts))


def _within(side: Side, own: np.ndarray, labels: np.ndarray, texts: np.ndarray, names: Sequence[str]) -> Finding:
    rows = np.flatnonzero(np.isin(own, texts))
    where = []
    for text in list(dict.fromkeys(own[rows].tolist()))[:NAMED]:
        same = rows[own[rows] == text]
        one, other = sorted((int(same[labels[same].argmin()]), int(same[labels[same].argmax()])))
        where.append(_both(side, one, side, other, names))
    what = "score" if kind(side) == "scores" else "label"
    verb = "stands" if len(texts) == 1 else "stand"
    sentence = f"{counted(len(texts), f'{side.name} text')} {verb} in {len(rows):,} rows with more than one {what}."
    return Finding("conflicts", "warning", sentence, len(rows), tuple(where), side.listed(rows) | {"texts": len(texts)})


def _across(side: Side, rows: np.ndarray, other: Side, others: np.ndarray, names: Sequence[str]) -> Finding:
    what = "score" if kind(side) == "scores" else "label"
    verb = "has" if len(rows) == 1 else "have"
    sentence = f"{part_of(rows, side)} {verb} the text of {article(other.name)} row but another {what}."
    found = related("conflicts", "warning", sentence, side, rows, other, others, "as")
    where = [
        _both(side, int(row), other, int(partner), names)
        for row, partner in zip(rows[:NAMED], others[:NAMED], strict=True)
    ]
    return Finding(found.kind, found.severity, sentence, found.count, tuple(where), found.values)


def _both(side: Side, row: int, other: Side, partner: int, names: Sequence[str]) -> str:
    return f"{side.where(row)} says {said(side, row, names)}, {other.where(partner)} says {said(other, partner, names)}"
