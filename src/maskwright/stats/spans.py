"""Entity F1 and tag accuracy as measures of whole texts: a resample draws texts, since words of one text come together.

Shapes: n texts, L labels.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

import numpy as np

from maskwright.stats.measures import Floats, Measure, ratio, share

Found = Sequence[Collection[Hashable]]  #: of each text its spans, each with its place and label


def entities(gold: Found, said: Found) -> dict[str, Measure]:
    """f1, precision and recall over the spans of all texts together: a span is right where its place and its label
    are. 0 where there is none at all."""
    hits, true, given = (np.zeros(len(gold)) for _ in range(3))
    for i, (one, other) in enumerate(zip(gold, said, strict=True)):
        hits[i], true[i], given[i] = len(set(one) & set(other)), len(set(one)), len(set(other))
    return {
        "f1": ratio(2 * hits, true + given, empty=0.0),
        "precision": ratio(hits, given, empty=0.0),
        "recall": ratio(hits, true, empty=0.0),
    }


def averaged(hits: Floats, true: Floats, given: Floats) -> Measure:
    """The mean F1 of the labels that stand in a text or an answer: (n, L) counts of each text's hits, and of its true
    and its given spans (or words) of each label."""

    def of(counts: Floats) -> Floats:
        above, below = 2 * (counts @ hits), counts @ (true + given)
        each = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        some = (below > 0).sum(1)
        total = each.sum(1)
        return np.divide(total, some, out=np.full(len(total), np.nan), where=some > 0)

    return Measure(of, 0.0, 1.0)


def by_label(gold: Found, said: Found, labels: Sequence[str]) -> tuple[Floats, Floats, Floats]:
    """Hits, true and given spans, (n, L) each; a span's last entry is its label."""
    place = {label: i for i, label in enumerate(labels)}
    out = tuple(np.zeros((len(gold), len(labels))) for _ in range(3))
    for i, (one, other) in enumerate(zip(gold, said, strict=True)):
        sides = set(one) & set(other), set(one), set(other)
        for counts, spans in zip(out, sides, strict=True):
            for span in spans:
                counts[i, place[span[-1]]] += 1  # type: ignore[index]
    return out[0], out[1], out[2]


def words(targets: Sequence[np.ndarray], said: Sequence[np.ndarray], classes: int) -> dict[str, Measure]:
    """accuracy, the share of all words whose tag is right; f1_macro over the tags; whole_texts, the share of texts
    where all are right. targets, said: of each text the tags of its words, (W,) indices."""
    hits, true, given = word_counts(targets, said, classes)
    right, sizes = hits.sum(1), true.sum(1)
    return {
        "accuracy": ratio(right, sizes),
        "f1_macro": averaged(hits, true, given),
        "whole_texts": share(right == sizes),
    }


def word_counts(
    targets: Sequence[np.ndarray], said: Sequence[np.ndarray], classes: int
) -> tuple[Floats, Floats, Floats]:
    """Of each text and tag, (n, classes) each: words that have it and were given it, that have it, that were given
    it."""
    hits, true, given = (np.zeros((len(targets), classes)) for _ in range(3))
    for i, (y, p) in enumerate(zip(targets, said, strict=True)):
        true[i], given[i] = np.bincount(y, minlength=classes), np.bincount(p, minlength=classes)
        hits[i] = np.bincount(y[y == p], minlength=classes)
    return hits, true, given
