"""Answers that are parts of a text, spans or tags of words, as what can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from maskwright.base.errors import UserError
from maskwright.base.ragged import objects
from maskwright.data import tags as schemes
from maskwright.data.table import Table
from maskwright.data.tagged import WORDS, joined, rows
from maskwright.evaluation._answers import Column, Sides
from maskwright.evaluation._matching import parsed
from maskwright.stats import answers as answered
from maskwright.stats import spans as measured
from maskwright.stats.measures import Measure

Make = Callable[[Any, Any], dict[str, Measure]]


def parts(sides: Sides) -> tuple[Make, list[np.ndarray]] | None:
    """What to measure, and each side as (n,) of a set of spans, or of a tuple of tags a row; None where no cell holds a
    part of a text, and none is a list of tags.

    Where the truth is a list of tags that are no spans, answers with places are taken for the tags of its words. Raises
    UserError for a side that says it in another way.
    """
    given = sides.columns
    one, *again = (_with_bare(_read(column, ("[", "{")), sides.certain) for column in (given[0], *given[3:]))
    if _are_true_answers(one.cells, sides.asked) and _are_texts(given[1:3]):
        return _texts([one, *given[1:3], *again])
    columns = [_read(column, ("[",)) for column in given]
    if not any(_is_part(cell) for column in columns for cell in column.cells):
        return _words(columns) if _are_tags(columns) else None
    columns = _in_characters(columns, sides)
    truth = columns[0]
    if any(isinstance(entry, str) for cell in truth.cells if isinstance(cell, list) for entry in cell):
        return _words(columns)
    return measured.entities, [objects([_spans(cell, c, i) for i, cell in enumerate(c.cells)]) for c in columns]


def _read(column: Column, opening: tuple[str, ...]) -> Column:
    return replace(column, cells=[parsed(cell, opening) for cell in column.cells])


def _in_characters(columns: Sequence[Column], sides: Sides) -> list[Column]:
    """All sides with spans as tagging reads them from a file of the truth: however they are written there, tags as the
    spans that they write down, unless the answers are one for each word too; and without white space at their ends."""
    gold = sides.gold
    text = None if gold is None else _text_of(gold, sides)
    if gold is None or text is None:
        return list(columns)
    truth, said = columns[0], columns[1].cells
    if not all(isinstance(cell, list) and all(map(_is_span, cell)) for cell in truth.cells):
        found = list(rows(gold, text, sides.label))
        tags = [row.tags for row in found if row.tags]
        one_each = (isinstance(b, list) and len(a.tags or ()) == len(b) for a, b in zip(found, said, strict=True))
        if tags and (all(one_each) or not schemes.are_spans(tag for own in tags for tag in own)):
            return list(columns)
        truth = replace(truth, cells=[[span._asdict() for span in row.written()] for row in found])
    texts = [joined(cell)[0] if isinstance(cell, list) else cell for cell in gold.column(text)]
    return [
        replace(column, cells=[_trimmed(cell, own) for cell, own in zip(column.cells, texts, strict=True)])
        for column in (truth, *columns[1:])
    ]


def _text_of(gold: Table, sides: Sides) -> str | None:
    """The column of the texts, which may be lists of words; None where nothing says which."""
    known = [side.texts["text"] for side in (sides.a, sides.b) if "text" in side.texts]
    for name in (*known, "text", WORDS):
        cells = gold.columns.get(name, ())
        each = (part for cell in cells for part in (cell if isinstance(cell, list) else [cell]))
        if cells and all(isinstance(part, str) for part in each):
            return name
    return None


def _is_span(entry: Any) -> bool:
    return isinstance(entry, Mapping) and {"start", "end", "label"} <= set(entry)


def _trimmed(cell: Any, text: str) -> Any:
    """Spans without white space at their ends; what is none as it is."""
    if not isinstance(cell, list):
        return cell
    return [_bare(span, text) if _is_span(span) else span for span in cell]


def _bare(span: Mapping[str, Any], text: str) -> Mapping[str, Any]:
    start, end = span["start"], span["end"]
    if not (isinstance(start, int) and isinstance(end, int) and text[start:end].strip()):
        return span
    part = text[start:end]
    return {**span, "start": start + len(part) - len(part.lstrip()), "end": start + len(part.rstrip())}


def _with_bare(column: Column, certain: bool) -> Column:
    """True answers that are told by a single text, or by none, as lists, where no label can be meant."""
    if not certain:
        return column
    return replace(column, cells=[[c] * bool(c.strip()) if isinstance(c, str) else c for c in column.cells])


def _are_true_answers(cells: Sequence[Any], asked: bool) -> bool:
    """Whether each cell says true answers to a question. Plain texts may be labels as well: something has to say which,
    `asked` or an entry with its `text`."""
    said = asked or any(_has_text(each) for cell in cells for each in (cell if isinstance(cell, list) else [cell]))
    return said and all(_true_texts(cell) is not None for cell in cells)


def _has_text(cell: Any) -> bool:
    return isinstance(cell, Mapping) and "text" in cell


def _are_texts(columns: Sequence[Column]) -> bool:
    """Whether the answers of all sides but a second truth are texts, as those to questions are."""
    return all(isinstance(cell, str) for column in columns[:2] for cell in column.cells)


def _texts(columns: Sequence[Column]) -> tuple[Make, list[np.ndarray]]:
    """Lists of true answers, and one text a row, which is empty for none."""
    golds, *said = (list(column.cells) for column in columns)
    sides = [objects([_true_texts(cell) for cell in golds])]
    sides += [objects([cell if isinstance(cell, str) else _true_texts(cell) for cell in side]) for side in said]
    return answered.answers, sides


def _true_texts(cell: Any) -> tuple[str, ...] | None:
    """The texts of a list of true answers: each a text, or with its `text`; or lists by name, as the library datasets
    has them; or of a single one with its `text`. None for what is no such list."""
    if isinstance(cell, Mapping) and isinstance(cell.get("text"), list):
        cell = cell["text"]
    if _has_text(cell):
        cell = [cell]
    if not isinstance(cell, list):
        return None
    return tuple(str(one["text"] if _has_text(one) else one) for one in cell)


def _are_tags(columns: Sequence[Column]) -> bool:
    """Whether lists are tags, one a word: some have one twice, which no set of labels has, and all sides have as many
    in each row."""
    cells = [column.cells for column in columns]
    if not all(isinstance(cell, list) for side in cells for cell in side):
        return False
    again = any(len(cell) > len(set(map(str, cell))) for side in cells for cell in side)
    return again and all(len(set(map(len, row))) == 1 for row in zip(*cells, strict=True))


def _is_part(cell: Any) -> bool:
    return isinstance(cell, list) and any(isinstance(entry, Mapping) and "start" in entry for entry in cell)


def _spans(cell: Any, column: Column, row: int) -> frozenset[tuple[int, int, str]]:
    try:
        return frozenset((int(span["start"]), int(span["end"]), str(span["label"])) for span in cell)
    except (TypeError, KeyError, ValueError):
        raise UserError(
            f"{column.where(row)}: {str(cell)[:60]!r} is no list of spans, each with start, end and label, as the "
            "other side has them."
        ) from None


def _words(columns: Sequence[Column]) -> tuple[Make, list[np.ndarray]]:
    given = [[_tags(cell, column, i) for i, cell in enumerate(column.cells)] for column in columns]
    for column, side in zip(columns[1:], given[1:], strict=True):
        for row, (one, other) in enumerate(zip(given[0], side, strict=True)):
            if len(one) != len(other):
                raise UserError(f"{column.where(row)}: {len(other)} tags, but the text has {len(one)} words.")
    names = sorted({tag for side in given for tags in side for tag in tags})
    index = {name: i for i, name in enumerate(names)}
    sides = [objects([tuple(index[tag] for tag in tags) for tags in side]) for side in given]

    def make(targets: Any, said: Any) -> dict[str, Measure]:
        arrays = ([np.array(tags, np.int64) for tags in side] for side in (targets, said))
        return measured.words(*arrays, len(names))

    return make, sides


def _tags(cell: Any, column: Column, row: int) -> list[str]:
    if not isinstance(cell, list):
        raise UserError(f"{column.where(row)}: {str(cell)[:60]!r} is no list with a tag for each word.")
    return [str(entry["label"]) if isinstance(entry, Mapping) and "label" in entry else str(entry) for entry in cell]
