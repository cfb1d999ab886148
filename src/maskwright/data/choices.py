"""Rows of questions with choices: what these are, and which one is right, however a file says it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from maskwright.base.errors import UserError
from maskwright.base.words import counted

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
First = Literal["auto", "text", 0, 1]  #: the number of the first choice, where labels are such; or that they are texts


class Choices(NamedTuple):
    """The texts of a row's choices, and what the file calls each of them, where it does."""

    texts: tuple[str, ...]
    names: tuple[str, ...] | None = None


def choices(cells: Sequence[Any], columns: Sequence[str]) -> Choices:
    """From one cell that holds them all (a list of texts, lists of `text` and `label` as the library datasets has them,
    or JSON of either), or from a cell for each, of which the last ones may be empty. Raises UserError for less than
    two."""
    found = _listed(cells[0], columns[0]) if len(cells) == 1 else Choices(_apart(cells, columns))
    if len(found.texts) < 2:
        raise UserError(
            f"there {'is' if len(found.texts) == 1 else 'are'} {counted(len(found.texts), 'choice')} in "
            f"{', '.join(map(repr, columns))}; it takes two or more."
        )
    if found.names is not None and len(set(found.names)) < len(found.texts):
        raise UserError(f"the names of the choices are {', '.join(found.names)}; give each choice one of its own.")
    return found


def _listed(cell: Any, column: str) -> Choices:
    if isinstance(cell, str) and cell.lstrip().startswith(("[", "{")):
        try:
            cell = json.loads(cell)
        except ValueError:
            raise UserError(f"the choices {cell[:40]!r} begin like JSON and are none.") from None
    names = None
    if isinstance(cell, Mapping):
        names, cell = cell.get("label"), cell.get("text")
    if not isinstance(cell, list | tuple) or not all(isinstance(text, str) for text in cell):
        raise UserError(f"the column {column!r} holds {str(cell)[:60]!r}; give a list of texts, the choices.")
    if names is not None and len(names) != len(cell):
        raise UserError(f"there are {len(cell)} choices and {len(names)} names of them.")
    return Choices(tuple(cell), None if names is None else tuple(map(str, names)))


def _apart(cells: Sequence[Any], columns: Sequence[str]) -> tuple[str, ...]:
    """Empty cells at the end are choices that a row does not have; one in the middle is a slip."""
    texts = ["" if cell is None or cell != cell else cell for cell in cells]
    while texts and not str(texts[-1]).strip():
        texts.pop()
    for text, column in zip(texts, columns, strict=False):
        if not isinstance(text, str | int | float) or not str(text).strip():
            raise UserError(f"the choice in the column {column!r} is {text!r}; give a text.")
    return tuple(str(text) for text in texts)


def right(label: Any, given: Choices, first: First) -> int:
    """Which choice is the right one, from 0. label: what the file calls it, a letter, a number, or its text.

    Raises UserError for one that is none of these."""
    said, count = _said(label), len(given.texts)
    if given.names is not None and said in given.names:
        return given.names.index(said)
    place = None if first == "text" or given.names is not None else _place(said, 1 if first == "auto" else first)
    if place is not None and place >= count and said.isalpha():  # no letter of a place, so it may be a text
        place = None
    if place is None and given.texts.count(said) == 1:
        place = given.texts.index(said)
    if place is None or not 0 <= place < count:
        allowed = f"a letter up to {LETTERS[min(count, len(LETTERS)) - 1]}, a number, or the text of one"
        if given.names is not None:
            allowed = f"one of {', '.join(given.names)}"
        raise UserError(f"the label {said!r} names none of the {count} choices; give {allowed}.")
    return place


def _place(said: str, first: int) -> int | None:
    """Of a letter, or of a number."""
    if len(said) == 1 and said.upper() in LETTERS:
        return LETTERS.index(said.upper())
    return int(said) - first if said.isascii() and said.isdigit() else None


def counted_from(labels: Sequence[Any], given: Sequence[Choices]) -> First:
    """The number of the first choice, by all labels that are numbers: 0 where some are 0, 1 where some are those of a
    last choice, or stand beside letters; and "text" where all labels are texts of choices, and one of them can be
    nothing else.

    Raises UserError where nothing settles it."""
    pairs = [(_said(label), one) for label, one in zip(labels, given, strict=True)]
    plain = [(said, one) for said, one in pairs if one.names is None]
    numbers = [(int(said), one) for said, one in plain if said.isascii() and said.isdigit()]
    among = bool(plain) and all(one.texts.count(said) == 1 for said, one in plain)
    letters = any(len(said) == 1 and said.isalpha() for said, _ in plain)
    if not numbers:
        return "text" if among and letters else 1
    if among and any(len(said) > 1 and not (said.isascii() and said.isdigit()) for said, _ in plain):
        return "text"  # one is no letter and no number, and so are the others, though they look like places
    texts = len(numbers) == len(plain) and among
    if texts and any(number > len(one.texts) for number, one in numbers):
        return "text"
    if not texts and any(number == 0 for number, _ in numbers):
        return 0
    if not texts and (len(numbers) < len(plain) or any(number == len(one.texts) for number, one in numbers)):
        return 1
    found = [number for number, _ in numbers]
    allowed = "0, 1" + (", or text, since the choices are numbers too" if texts else "")
    raise UserError(
        f"the labels are numbers from {min(found)} to {max(found)}, and nothing says what the number of the first "
        f"choice is. Say it: --set task.first={allowed}."
    )


def _said(label: Any) -> str:
    if label is None or label != label or not str(label).strip():
        raise UserError("the label is empty. Fill it or remove the row.")
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    return str(label).strip()
