"""Rows of questions: where in their context the answers stand, however a file says it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskwright.base.errors import UserError


@dataclass(frozen=True)
class Answered:
    """A context and the true answers, (start, end) characters in it, as they were given; none where it has none.
    moved: how many did not stand where they were said to, and were found elsewhere."""

    context: str
    answers: tuple[tuple[int, int], ...]
    moved: int = 0

    @property
    def texts(self) -> list[str]:
        return [self.context[start:end] for start, end in self.answers]


def answered(context: str, cell: Any) -> Answered:
    """From a list of answers, each with `text` and `start` (or `answer_start`), from lists of these by name, as the
    library datasets has them, from a list of texts, or from one text; as JSON too. Raises UserError for an answer that
    does not stand in the context."""
    found, moved = [], 0
    for text, start in _listed(context, cell):
        bare = text.strip()
        if not bare:
            raise UserError("an answer is empty. A question that has none has an empty list of answers.")
        start = None if start is None else start + text.index(bare)  # white space around it is no part of it
        place = _place(context, bare, start)
        moved += start is not None and place != start
        found.append((place, place + len(bare)))
    return Answered(context, tuple(found), moved)


def _place(context: str, text: str, start: int | None) -> int:
    """Where a text stands: where it is said to, or at the place that is nearest to it; where nothing is said, at the
    first that is no part of a longer word, else at the first."""
    if start is not None and context.startswith(text, start):
        return start
    places, at = [], context.find(text)
    while at >= 0:
        places.append(at)
        at = context.find(text, at + 1)
    if not places:
        raise UserError(f"the answer {text[:60]!r} does not stand in the context.")
    if start is None:
        return next((place for place in places if _apart(context, place, place + len(text))), places[0])
    return min(places, key=lambda place: abs(place - start))


def _apart(context: str, start: int, end: int) -> bool:
    """Whether no word goes on at either border."""
    return not any(0 < at < len(context) and all(map(_of_words, context[at - 1 : at + 1])) for at in (start, end))


def _of_words(sign: str) -> bool:
    """A letter, a digit, or a mark, as the vowels of many scripts are."""
    return sign.isalnum() or unicodedata.category(sign)[0] == "M"


def _listed(context: str, cell: Any) -> list[tuple[str, int | None]]:
    if cell is None:
        raise UserError("there are no answers. A question that has none has an empty list of them.")
    if isinstance(cell, str):
        if cell.strip() in ("", "[]"):  # an empty list, as a frame writes it into a table
            return []
        if cell.strip() in context or not cell.lstrip().startswith(("[", "{")):
            return [(cell, None)]
        try:
            cell = json.loads(cell)
        except ValueError:
            raise UserError(f"the answers {cell[:40]!r} begin like JSON and are none.") from None
    if isinstance(cell, Mapping) and isinstance(cell.get("text"), list | tuple):
        starts = cell.get("answer_start", cell.get("start"))
        starts = [None] * len(cell["text"]) if starts is None else list(starts)
        if len(starts) != len(cell["text"]):
            raise UserError(f"there are {len(cell['text'])} texts of answers and {len(starts)} starts.")
        return [_one({"text": text, "start": start}) for text, start in zip(cell["text"], starts, strict=True)]
    if isinstance(cell, Mapping):
        return [_one(cell)]
    if isinstance(cell, Sequence):
        return [_one({"text": each} if isinstance(each, str) else each) for each in cell]
    raise UserError(f"the answers are {cell!r}; give a list, each with its text and where it starts.")


def _one(given: Any) -> tuple[str, int | None]:
    if not isinstance(given, Mapping) or not isinstance(given.get("text"), str):
        raise UserError(f"the answer {str(given)[:60]} has no text.")
    start = given.get("start", given.get("answer_start"))
    if start is not None and not (isinstance(start, int) and not isinstance(start, bool) and start >= 0):
        raise UserError(f"the answer {given['text'][:40]!r} starts at {start!r}; give a character, counted from 0.")
    return given["text"], start
