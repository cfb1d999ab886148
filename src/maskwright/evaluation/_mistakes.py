"""Mistakes that are worth a look: which of them a page shows, and which part of a long text.

Shapes: n rows that are judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from maskwright.runs.shapes import Place

SHOWN = 10  #: mistakes of a kind
WHOLE = 2000  #: characters of a text up to which all of it is shown; a page cuts longer ones there
AROUND = 120  #: characters on each side of a place
GAP = " ... "


def surest(wrong: np.ndarray, sure: np.ndarray) -> list[int]:
    """The rows that were wrong with the highest probability, that one first. wrong: (n,) bool; sure: (n,)."""
    rows = np.flatnonzero(wrong)
    return [int(i) for i in rows[np.argsort(-sure[rows], kind="stable")][:SHOWN]]


def most(wrong: np.ndarray) -> list[int]:
    """The rows with the most mistakes, of those that have some. wrong: (n,) how many each has."""
    return [int(i) for i in np.argsort(-wrong, kind="stable")[:SHOWN] if wrong[i]]


LABELS = "Some may be mistakes of the labels."


def worst_of(
    shown: Sequence[int], wrong: np.ndarray, what: str, more: str = "", none: str = "No answer is wrong."
) -> str:
    """How many are shown of those that are wrong, in a sentence. wrong: (n,) bool; what: "worst", or else, and these;
    more: a further sentence, where there are some; none: what is said where there are none."""
    how, _, these = what.partition(" ")
    return f"The {how} {len(shown)} of {int(wrong.sum()):,} {these}. {more}".rstrip() if wrong.any() else none


def in_view(text: str, places: Sequence[Place]) -> tuple[str, list[Place]]:
    """A text and its places; of a long one what stands around the places where truth and answer differ."""
    if len(text) <= WHOLE:
        return text, list(places)
    return around(text, [place for place in places if place.kind != "right"], places)


def around(text: str, places: Sequence[Place], marked: Sequence[Place] | None = None) -> tuple[str, list[Place]]:
    """The parts of a text around these places, its start where there are none; and where those that are `marked`, by
    default the same, are in them: the ones that stand in a part as a whole."""
    parts: list[tuple[int, int]] = []
    for place in sorted(places, key=lambda place: place.start) or [Place(0, 1)]:
        start, end = max(0, place.start - AROUND), min(len(text), place.end + AROUND)
        if parts and start <= parts[-1][1]:
            before = parts.pop()
            start, end = before[0], max(before[1], end)
        parts.append((start, end))
    shown, moved = "", list[Place]()
    for start, end in parts:
        shown += GAP if start else ""
        by = len(shown) - start
        inside = [p for p in (places if marked is None else marked) if start <= p.start and p.end <= end]
        moved += [replace(place, start=place.start + by, end=place.end + by) for place in inside]
        shown += text[start:end]
    return shown + (GAP if parts[-1][1] < len(text) else ""), moved
