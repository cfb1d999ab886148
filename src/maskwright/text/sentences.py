"""Running text as sentences.

nupunkt, an implementation of Punkt (Kiss and Strunk 2006) in Python alone, decides at full stops, question and
exclamation marks. It was chosen for its boundaries and its speed together: docs/decisions/0010-sentences.md. It knows
English abbreviations; other languages lose little by that, as the record shows. Stops of other scripts, which it does
not know and which are never part of an abbreviation, end a sentence wherever they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

# Chinese and Japanese; Devanagari; Arabic and Urdu; Armenian; Ethiopic; Burmese. Behind a stop its quote may close;
# BEHIND is where a sentence begins.
_STOPS = "。！？।॥؟۔։።။"
_CLOSING = "」』”’）"
BEHIND = re.compile(f"(?<=[{_STOPS}])(?![{_STOPS}{_CLOSING}])|(?<=[{_STOPS}][{_CLOSING}])(?![{_CLOSING}])")
_HAS_STOP = re.compile(f"[{_STOPS}]")


def split(text: str) -> list[str]:
    """The sentences of a paragraph in order, without white space around them; none for a text without words.

    Every character of the text but white space is in one of them. A line feed is white space like a blank: who has
    lines that are sentences of their own splits them first.
    """
    parts = BEHIND.split(text) if _HAS_STOP.search(text) else [text]
    return [stripped for part in parts for sentence in _tokenize()(part) if (stripped := sentence.strip())]


@cache
def _tokenize() -> Callable[[str], Iterator[str]]:
    from nupunkt import load  # only who splits waits for its abbreviations, some 20 ms

    tokenize: Callable[[str], Iterator[str]] = load("default").tokenize
    return tokenize
