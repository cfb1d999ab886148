"""Texts that stand more than once, within a split and across splits."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import combinations, repeat

import numpy as np

from maskwright.base.words import counted
from maskwright.data._finding import NAMED, Finding, Severity, Side, percent

SHARE = 0.01  #: of a split's rows: from here on a leak from train is an error, and repeats within are a warning
BETWEEN = "\x1f"  #: joins the texts of a pair; it counts as white space, so no squeezed text holds it


def key(text: str, pair: str | None = None) -> str:
    """What equal texts have in common: Unicode NFC, case folded, white space squeezed; of a pair both, in order."""
    if pair is not None:
        return f"{key(text)}{BETWEEN}{key(pair)}"
    folded = text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()
    return " ".join(folded.split())


def codes(sides: Sequence[Side]) -> tuple[list[np.ndarray], list[str]]:
    """For each side (B,) int64, equal numbers for texts with equal keys; and the key of each number.

    Numbers count from 0 in the order in which texts first appear. Empty texts are -1: they repeat nothing.
    """
    found: dict[str, int] = {}
    out = []
    for side in sides:
        keys = map(key, side.texts, repeat(None) if side.pairs is None else side.pairs)
        numbers = (found.setdefault(k, len(found)) if k.strip(BETWEEN) else -1 for k in keys)
        out.append(np.fromiter(numbers, np.int64, len(side)))
    return out, list(found)


def duplicates(sides: Sequence[Side], numbers: Sequence[np.ndarray]) -> list[Finding]:
    """Rows whose text stands in an earlier row of their split, and rows whose text stands in another split too.

    numbers: those of `codes`.
    """
    out = []
    for side, own in zip(sides, numbers, strict=True):
        first = partners(own, own)
        rows = np.flatnonzero((first >= 0) & (first != np.arange(len(own))))
        if len(rows):
            verb = "repeats" if len(rows) == 1 else "repeat"
            sentence = f"{part_of(rows, side)} {verb} the text of an earlier {side.name} row."
            severity: Severity = "warning" if len(rows) >= SHARE * len(side) else "fact"
            out.append(related("duplicates", severity, sentence, side, rows, side, first[rows], "as"))
    for (a, one), (b, two) in combinations(zip(sides, numbers, strict=True), 2):
        first = partners(one, two)
        rows = np.flatnonzero(first >= 0)
        if len(rows):
            severity = "error" if a.is_for_training and len(rows) >= SHARE * len(b) else "warning"
            verb = "has" if len(rows) == 1 else "have"
            sentence = f"{part_of(rows, b)} {verb} the text of {article(a.name)} row; figures on {b.name} flatter."
            out.append(related("leak", severity, sentence, b, rows, a, first[rows], "as"))
    return out


def partners(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """(len(two),) int64: for each number of `two` the first row of `one` that has it, or -1; -1 for -1 too."""
    texts, first = np.unique(one, return_index=True)
    at = place(texts, two)
    return np.where(at >= 0, first[at], -1) if len(texts) else at


def place(texts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each wanted number stands in the sorted `texts`, or -1; the empty text, which is -1, stands nowhere."""
    if not len(texts):
        return np.full(len(wanted), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(texts, wanted), len(texts) - 1)
    return np.where((texts[at] == wanted) & (wanted >= 0), at, -1)


def related(
    what: str,
    severity: Severity,
    sentence: str,
    side: Side,
    rows: np.ndarray,
    other: Side,
    others: np.ndarray,
    word: str,
) -> Finding:
    """A finding on `rows` of `side`, each of which has its partner in the same place of `others`, rows of `other`."""
    where = tuple(
        f"{side.where(int(row))}, {word} {other.where(int(partner))}"
        for row, partner in zip(rows[:NAMED], others[:NAMED], strict=True)
    )
    listed = side.listed(rows)
    theirs = [other.table.lines[int(row)] for row in others[: len(listed["lines"])]]
    values = {**listed, "other_split": other.name, "other_source": other.table.source, "other_lines": theirs}
    return Finding(what, severity, sentence, len(rows), where, values)


def part_of(rows: np.ndarray, side: Side) -> str:
    """`12 of 872 eval rows (1.4 %)`."""
    return f"{len(rows):,} of {counted(len(side), f'{side.name} row')} ({percent(len(rows), len(side))})"


def article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
