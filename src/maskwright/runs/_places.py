"""Marked places of a text as HTML: what is true is underlined, an answer is shaded, and each says what it is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from maskwright.runs._page import e
from maskwright.runs._words import cut_mark
from maskwright.runs.shapes import PLACES, Place

SAID = {"right": "underlined and shaded: true, and answered", "true": "underlined: true", "answer": "shaded: answered"}


def marked(text: str, places: Sequence[Place], most: int) -> str:
    """The first `most` characters, in which places may overlap; one that begins behind them is not shown."""
    shown = [(place, min(place.end, most)) for place in places if place.start < most]
    whole = min(len(text), most)
    borders = sorted({0, whole, *(border for place, end in shown for border in (place.start, end))})
    out = ""
    for start, end in pairwise(borders):
        kinds = [kind for kind in PLACES if any(p.kind == kind and p.start <= start and end <= to for p, to in shown)]
        piece = e(text[start:end], end - start)
        out += f'<mark class="{" ".join(kinds)}">{piece}</mark>' if kinds else piece
        ended = [place for place, to in shown if to == end]
        out += "".join(f" <small>{e(f'{p.kind}: {p.name}' if p.name else p.kind, 80)}</small> " for p in ended)
    return out + e(cut_mark(text, most))


def key(places: Sequence[Place]) -> str:
    """What the marks of these places mean, in a sentence; empty where there are none."""
    there = {place.kind for place in places}
    said = "; ".join(SAID[kind] for kind in PLACES if kind in there)
    return f"{said[0].upper()}{said[1:]}." if said else ""
