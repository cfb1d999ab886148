"""Rows whose words or spans have labels, however a file says it: tags of words, or spans of characters.

All of it becomes characters of the text: words and spans as first and last (exclusive) character.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np

from maskwright.base.errors import UserError
from maskwright.data import tags as schemes
from maskwright.data.table import Table, plain
from maskwright.text.words import find

_WORD = re.compile(r"\S+")
JOINER = "\N{ZERO WIDTH JOINER}"  #: makes one sign of two, as emoji have
#: Characters that belong to the one in front of them and are no marks (category M) by their name: vowels and last
#: consonants of Hangul, the vowel am of Thai and Lao, skin tones, and the tags of flags such as that of Wales.
GOES_ON = re.compile("[\u1160-\u11ff\u0e33\u0eb3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
FLAGS = re.compile("[\U0001f1e6-\U0001f1ff]+$")  #: letters that make flags, two by two
WORDS = "words"  #: the column that says where words stand, of readers that know it


class AtWord(UserError):
    """A mistake at one of a row's words, counted from 0."""

    def __init__(self, word: int, said: str) -> None:
        super().__init__(said)
        self.word = word


class Span(NamedTuple):
    """A part of a text and its label."""

    start: int
    end: int
    label: str


Split = Literal["spaces", "signs"]  #: at white space; or runs of letters and digits, and signs one by one


@dataclass(frozen=True, eq=False)
class Labelled:
    """A text, its words (W, 2), and what its row says of them: a tag for each word, or spans. found: how the words were
    found, None where the row says where they stand; trimmed: spans that white space at their ends was cut off."""

    text: str
    words: np.ndarray
    tags: list[str] | None = None
    spans: list[Span] | None = None
    found: Split | None = None
    trimmed: int = 0

    def written(self) -> list[Span]:
        """The spans; of tags those that they write down, as conlleval reads them."""
        if self.spans is not None:
            return self.spans
        return [characters(self.words, inside) for inside in schemes.spans(self.tags or ())]


def characters(words: np.ndarray, inside: schemes.Words) -> Span:
    """A span of words as one of characters."""
    return Span(int(words[inside.first, 0]), int(words[inside.last - 1, 1]), inside.label)


def words_in(text: str, how: Split) -> np.ndarray:
    """(W, 2) int64: where the words of a text stand. None ends inside of what is read as one character."""
    if how == "signs":
        return find(text) if text.isascii() else _unhalved(text, find(text))
    return _bounds([list(word.span()) for word in _WORD.finditer(text)])


def joined(words: Sequence[str]) -> tuple[str, list[list[int]]]:
    """Words as a text, with a space between them, and where each stands in it: [first character, behind the last]."""
    bounds, at = [], 0
    for word in words:
        bounds.append([at, at + len(word)])
        at += len(word) + 1
    return " ".join(words), bounds


def text_of(cell: Any, bounds: Any = None) -> tuple[str, np.ndarray | None]:
    """The text of a cell, which may be a list of its words, and where these stand: as `bounds` says (a cell of another
    kind says nothing), or as they were joined; None where nothing says it. Raises UserError for what is no text, for a
    word without a character, and for bounds that do not lie in it one behind the other."""
    if isinstance(cell, list | tuple) and all(isinstance(word, str) for word in cell):
        text, places = joined(cell)
        return text, _filled(_bounds(places))
    if not isinstance(cell, str):
        raise UserError(f"{cell!r} stands where a text, or a list of words, is needed. Mend or remove the row.")
    if not _are_bounds(bounds):
        return cell, None
    words = _bounds(bounds)
    # Of a token with more words than letters, as Portuguese "à" is, all stand at its place.
    new = np.append(True, (np.diff(words, axis=0) != 0).any(1))[: len(words)]
    places = np.cumsum(new) - 1
    apart = words[new | (np.bincount(places)[places] <= words[:, 1] - words[:, 0])]
    if (np.diff(np.concatenate([[0], apart.ravel(), [len(cell)]])) < 0).any():
        raise UserError(f"the words {words.tolist()} do not lie in a text of {len(cell)} characters, in order.")
    return cell, _filled(words)


def _filled(words: np.ndarray) -> np.ndarray:
    empty = np.flatnonzero(words[:, 0] == words[:, 1])
    if len(empty):
        raise AtWord(
            int(empty[0]),
            f"word {empty[0] + 1} has no character, so nothing can be read from it. Remove it and its tag.",
        )
    return words


def rows(table: Table, text: str, label: str, how: Split | None = None) -> Iterator[Labelled]:
    """The rows of a table. how: the words of a text are found, where nothing says them; None: at white space where
    there are as many as tags, else by signs. Where tags say how many words there are, the other way is tried too.
    Raises UserError with the line of a row that does not hold together."""
    texts, cells = table.column(text), table.column(label)
    bounds = table.columns.get(WORDS) if text != WORDS else None
    for i, cell in enumerate(texts):
        try:
            yield _row(*text_of(cell, None if bounds is None else bounds[i]), cells[i], how)
        except AtWord as problem:
            word = problem.word if table.inner is not None else None  # it names the word, but not its line
            raise UserError(f"{table.where(i, word)}: {problem}") from None
        except UserError as problem:
            raise UserError(f"{table.where(i)}: {problem}") from None


def _row(text: str, words: np.ndarray | None, label: Any, how: Split | None) -> Labelled:
    given = [plain(entry) for entry in _listed(label)]
    if any(isinstance(entry, Mapping | list | tuple) for entry in given):
        spans, trimmed = _spans(given, text)
        own, by = _found(text, words, how)
        return Labelled(text, own, spans=spans, found=by, trimmed=trimmed)
    if not given:  # no span, or a text of no words
        own, by = _found(text, words, how)
        return Labelled(text, own, [] if not len(own) else None, [], by)
    tags = ["" if tag is None else str(tag) for tag in given]
    missing = next((word for word, tag in enumerate(tags) if not tag.strip()), None)
    if missing is not None:
        raise AtWord(missing, f"the tag of word {missing + 1} is missing.")
    if words is None:
        own, by = _counted(text, len(tags), how)
        return Labelled(text, own, tags, found=by)
    if len(words) != len(tags):
        raise UserError(f"there are {len(words)} words and {len(tags)} tags; each word needs one.")
    return Labelled(text, words, tags)


def _found(text: str, words: np.ndarray | None, how: Split | None) -> tuple[np.ndarray, Split | None]:
    if words is not None:
        return words, None
    return words_in(text, how or "signs"), how or "signs"


def _listed(label: Any) -> list[Any]:
    if label is None or (isinstance(label, str) and not label.strip()):
        raise UserError("there is no label. Give a tag for each word, or a list of spans, which may be empty: [].")
    if isinstance(label, str):
        if not label.lstrip().startswith("["):
            return label.split()
        try:
            label = json.loads(label)
        except ValueError:
            raise UserError(f"the label {label[:40]!r} begins like a list in JSON and is none.") from None
    if hasattr(label, "tolist"):
        label = label.tolist()
    if not isinstance(label, list | tuple):
        raise UserError(
            f"the label is {label!r}; give a list with a tag for each word, or of spans: "
            '[{"start": 0, "end": 4, "label": "person"}].'
        )
    return list(label)


def _spans(given: Sequence[Any], text: str) -> tuple[list[Span], int]:
    """In order, without white space at their ends, and of how many that was cut off."""
    out, trimmed = [], 0
    for entry in given:
        start, end, label = _three(entry)
        if not 0 <= start < end <= len(text):
            raise UserError(
                f"the span from {start} to {end} does not lie in a text of {len(text)} characters; start is its first "
                "character, counted from 0, and end the one behind its last."
            )
        halved = next((place for place in (start, end) if halves(text, place)), None)
        if halved is not None:
            raise UserError(
                f"the span from {start} to {end} cuts a character in two: {text[halved - 1 : halved + 1]!r} is a sign "
                "and what belongs to it. Count its marks too, or normalise the text (NFC) before the spans are made."
            )
        name = plain(label)
        if not isinstance(name, str | int | float) or isinstance(name, bool) or not str(name).strip():
            raise UserError(f"the span from {start} to {end} has the label {label!r}; give its name, or remove it.")
        part = text[start:end]
        first = int(start) + len(part) - len(part.lstrip())
        last = int(end) - len(part) + len(part.rstrip())
        if first >= last:
            raise UserError(f"the span from {start} to {end} holds nothing but white space. Mend or remove it.")
        trimmed += (first, last) != (start, end)
        out.append(Span(first, last, str(name)))
    out.sort()
    for one, other in pairwise(out):
        if other.start < one.end:
            raise UserError(
                f"the spans {text[one.start : one.end]!r} and {text[other.start : other.end]!r} overlap; each "
                "character can have one label."
            )
    return out, trimmed


def _three(entry: Any) -> tuple[int, int, Any]:
    """Start, end and label of a span."""
    try:
        start, end, label = (entry["start"], entry["end"], entry["label"]) if isinstance(entry, Mapping) else entry
    except KeyError as missing:
        raise UserError(f"a span lacks {missing}: {dict(entry)}. It needs start, end and label.") from None
    except (TypeError, ValueError):
        start = end = label = entry
    if isinstance(entry, str) or start is entry:
        raise UserError(f"{entry!r} stands among spans and is none; each has its start, end and label.")
    if not (_whole(start) and _whole(end)):
        raise UserError(f"the span from {start!r} to {end!r} is not counted in whole numbers; give characters, from 0.")
    return int(start), int(end), label


def halves(text: str, at: int) -> bool:
    """Whether a border here stands inside of what is read as one character: before a mark, or what else belongs to the
    one in front of it, before a joiner or between one and what it joins, or between the two letters of a flag (Unicode
    Standard Annex 29)."""
    if not 0 < at < len(text) or text[at - 1].isspace():
        return False
    if text[at - 1] == JOINER and not text[at].isspace() and unicodedata.category(text[at])[0] != "P":
        return True
    if text[at] == JOINER or unicodedata.category(text[at])[0] == "M" or GOES_ON.match(text[at]):
        return True
    before = FLAGS.search(text, 0, at) if FLAGS.match(text, at, at + 1) else None
    return before is not None and len(before[0]) % 2 == 1


def _unhalved(text: str, words: np.ndarray) -> np.ndarray:
    """Words as `find` gives them, those as one that are parts of a character: a hand and its colour, a letter and a
    mark behind a joiner."""
    apart = np.ones(len(words), bool)
    for i in np.flatnonzero(words[1:, 0] == words[:-1, 1]).tolist():
        apart[i + 1] = not halves(text, int(words[i, 1]))
    first = np.flatnonzero(apart)
    last = np.append(first[1:], len(words)) - 1
    return np.stack([words[first, 0], words[last, 1]], axis=1) if len(words) else words


def _whole(number: Any) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def _are_bounds(cell: Any) -> bool:
    return isinstance(cell, list | tuple) and all(
        isinstance(entry, list | tuple) and len(entry) == 2 and all(map(_whole, entry)) for entry in cell
    )


def _bounds(places: Sequence[Sequence[int]]) -> np.ndarray:
    return np.asarray(places, np.int64).reshape(-1, 2)


def _counted(text: str, count: int, how: Split | None) -> tuple[np.ndarray, Split]:
    """The words of a text that are so many; of both ways to find them `how` is tried first."""
    ways: tuple[Split, ...] = ("signs", "spaces") if how == "signs" else ("spaces", "signs")
    for way in ways:
        words = words_in(text, way)
        if len(words) == count:
            return words, way
    raise UserError(
        f"there are {count} tags, but the text has {len(text.split())} words between spaces. Give the text as a list "
        "of its words, one for each tag."
    )
