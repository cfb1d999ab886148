"""Facts as HTML: one function for each shape. What is cut is said, and where the whole of it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch

import numpy as np

from maskwright.runs import _pictures
from maskwright.runs._page import DASHES, e, legend, paragraphs, scroll, style, table, terms
from maskwright.runs._places import key, marked
from maskwright.runs._words import number, spelt
from maskwright.runs.shapes import Cell, Curve, Histogram, Line, Matrix, Number, Sentences, Shape, Table, Texts

ROWS = 200  #: of a table
TEXTS = 100  #: marked texts
CHARACTERS = 2000  #: of one of them
LINES = len(DASHES) * 6  #: of a curve: as many as can be told apart
POINTS = 400  #: of a line: more than a picture has pixels for
GRID = 15  #: rows or columns up to which a matrix is a table of counts
PAIRS = 20  #: most confused pairs beside a heat map
WHOLE = "metrics.json"


@singledispatch
def draw(shape: Shape, whole: str = WHOLE) -> str:
    """A fact without its title. whole: the file that holds what is cut here."""
    raise TypeError(f"no drawing for {type(shape).__name__}")


@draw.register
def _(shape: Sentences, whole: str = WHOLE) -> str:
    return paragraphs(shape.sentences[:ROWS]) + cut("sentences", ROWS, len(shape.sentences), whole)


@draw.register
def _(shape: Table, whole: str = WHOLE) -> str:
    return (
        (table(shape.title, shape.head, shape.rows[:ROWS]) if shape.rows else "")
        + cut("rows", ROWS, len(shape.rows), whole)
        + paragraphs([shape.note], "note")
    )


@draw.register
def _(shape: Curve, whole: str = WHOLE) -> str:
    shown = replace(shape, lines=[thinned(one) for one in shape.lines[:LINES]])
    keys = []
    for i, one in enumerate(shown.lines):
        colour, dashes = style(i)
        keys.append((one.name, (colour, "points" if (one.kind or shape.kind) == "points" else dashes)))
    longest = max((len(one.x) for one in shape.lines), default=0)
    caption = (
        cut("lines", LINES, len(shape.lines), whole)
        + cut("points of a line, evenly spread", POINTS, longest, whole, "")
        + paragraphs([shape.note], "note")
    )
    return f"<figure>{_pictures.curve(shown)}{legend(keys)}</figure>\n{caption}"


@draw.register
def _(shape: Histogram, whole: str = WHOLE) -> str:
    shown = replace(shape, series=shape.series[:LINES])
    keys = [(one.name, style(i)) for i, one in enumerate(shown.series)]
    if shape.mark is not None:
        keys.append((f"{shape.mark.name}: {number(shape.mark.x)}", ("ink", "4 3")))
    caption = cut("series", LINES, len(shape.series), whole) + paragraphs([shape.note], "note")
    return f"<figure>{_pictures.histogram(shown)}{legend(keys)}</figure>\n{caption}"


@draw.register
def _(shape: Matrix, whole: str = WHOLE) -> str:
    note = paragraphs([shape.note], "note")
    if not shape.rows or not shape.columns:
        return note
    if max(len(shape.rows), len(shape.columns)) <= GRID:
        return _grid(shape) + note
    picture = scroll(shape.title, f'<figure class="broad">{_pictures.heat(shape)}</figure>')
    said = "Rows and columns stand in the order of the labels. The darker a cell, the larger its share of its row."
    pairs = _confused(shape, whole)
    beside = f'<div class="beside">\n{picture}{pairs}</div>\n' if pairs else picture
    return beside + paragraphs([said], "note") + note


@draw.register
def _(shape: Texts, whole: str = WHOLE) -> str:
    shown = ""
    for one in shape.texts[:TEXTS]:
        both = [(one.text, one.places)] + ([] if one.second is None else [(one.second, one.second_places)])
        quotes = "".join(f"<blockquote>{marked(text, places, CHARACTERS)}</blockquote>" for text, places in both)
        values = terms(((name, spelt(value)) for name, value in one.values.items()), "inline")
        shown += f'<div class="example">{quotes}{values}</div>\n'
    places = key([place for one in shape.texts for place in (*one.places, *one.second_places)])
    return shown + cut("texts", TEXTS, len(shape.texts), whole) + paragraphs([shape.note, places], "note")


def cut(what: str, shown: int, there: int, whole: str = WHOLE, first: str = "the first ") -> str:
    """The sentence that says what is not shown; none where all is."""
    if there <= shown:
        return ""
    return f'<p class="cut">Shown: {first}{shown:,} of {there:,} {e(what)}; all are in {e(whole)}.</p>\n'


def thinned(one: Line) -> Line:
    """A line of at most POINTS points, evenly spread over its own, both ends among them."""
    if len(one.x) <= POINTS:
        return one
    kept = np.linspace(0, len(one.x) - 1, POINTS).round().astype(int).tolist()

    def some(values: Sequence[Number]) -> list[Number]:
        return [values[i] for i in kept]

    low, high, sizes = (None if values is None else some(values) for values in (one.low, one.high, one.sizes))
    return replace(one, x=some(one.x), y=some(one.y), low=low, high=high, sizes=sizes)


def _grid(shape: Matrix) -> str:
    """Counts in a table, each cell shaded by its share of its row."""
    heads = "".join(f'<th scope="col" class="n">{e(name, 40)}</th>' for name in shape.columns)
    body = ""
    for name, row in zip(shape.rows, shape.cells, strict=True):
        total = sum(count for count in row if count is not None)
        cells = ""
        for column, count in zip(shape.columns, row, strict=True):
            share = count / total if count and total > 0 and math.isfinite(total) else 0.0
            same = " same" if column == name else ""
            cells += f'<td class="n{same}" style="--share: {min(max(share, 0.0), 1.0):.3f}">{number(count)}</td>'
        body += f'<tr><th scope="row">{e(name, 40)}</th>{cells}</tr>\n'
    corner = f"<td><small>{e(shape.row_name, 40)} \N{DOWNWARDS ARROW}</small></td>"
    top = f'<tr>{corner}<th scope="colgroup" colspan="{len(shape.columns)}">{e(shape.column_name, 40)}</th></tr>'
    head = f"<thead>{top}<tr><td></td>{heads}</tr></thead>"
    return scroll(shape.title, f'<table class="matrix">{head}\n<tbody>{body}</tbody></table>')


def _confused(shape: Matrix, whole: str) -> str:
    """The pairs of different names that met most often."""
    pairs: list[tuple[Cell, ...]] = [
        (name, column, count)
        for name, row in zip(shape.rows, shape.cells, strict=True)
        for column, count in zip(shape.columns, row, strict=True)
        if count and column != name
    ]
    if not pairs:
        return ""
    pairs.sort(key=lambda pair: -pair[2])  # type: ignore[operator]
    title = "Most confused pairs"
    rows = table(title, [shape.row_name, shape.column_name, "count"], pairs[:PAIRS])
    return f"<div>\n<h4>{title}</h4>\n{rows}{cut('pairs', PAIRS, len(pairs), whole)}</div>\n"
