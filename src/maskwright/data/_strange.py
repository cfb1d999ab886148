"""The strangest rows: often a broken export, another language, a table, or a text in the wrong column.

A row's strangeness is the largest of four robust z-scores, (x - median) / (1.4826 MAD) over all rows of all splits:

- the logarithm of its length in characters, far up or far down;
- the share of its pieces that the vocabulary does not know;
- the share of its characters that are neither letters nor white space;
- the share of its letters that are not of the script that most letters have.

So the one measure that is largest is also the reason, in words. What is listed has a score of 3.5 or more (Iglewicz
and Hoaglin 1993). The spread is held from below, or in short, even texts a single comma would be strange.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from maskwright.data._finding import Finding, Side, percent, shortened
from maskwright.data._texts import unknown_pieces

LISTED = 10  #: rows
LEAST = 3.5  #: z-score of what is listed
_POINTS = 0x110000  # code points of Unicode
_SPREADS = (0.25, 0.05, 0.05, 0.05)  # least spread that a measure is held to have: a quarter of a doubling, 5 %
_REASONS: tuple[Callable[[float, float, str], str], ...] = (
    lambda x, middle, script: f"{2**x:,.0f} characters, where {middle:,.0f} are usual",
    lambda x, middle, script: f"{percent(x, 1)} of its pieces are unknown to the vocabulary",
    lambda x, middle, script: f"{percent(x, 1)} of its characters are neither letters nor spaces",
    lambda x, middle, script: f"{percent(x, 1)} of its letters are not {script.capitalize()}, as most letters are",
)


class _Row(NamedTuple):
    side: int
    row: int
    score: float
    reason: str


@dataclass(frozen=True)
class _Characters:
    """What each code point is."""

    letter: np.ndarray
    space: np.ndarray
    mark: np.ndarray  #: combining marks, which belong to the letter before them
    main: np.ndarray  #: letters of the script that is commonest
    script: str  #: its name


def strangest(sides: Sequence[Side], numbers: Sequence[np.ndarray]) -> list[Finding]:
    """The ten strangest rows with their reasons; of equal texts (by the numbers of `codes`) one, of empty ones none."""
    if not sum(map(len, sides)):
        return []
    known = _characters(sides)
    measured = np.concatenate([_measured(side, known) for side in sides])
    scores = np.stack([_z(column, least) for column, least in zip(measured.T, _SPREADS, strict=True)], axis=1)
    scores[:, 0] = np.abs(scores[:, 0])  # the others are strange only upwards
    texts, first = np.unique(np.concatenate(list(numbers)), return_index=True)
    candidates = np.sort(first[texts >= 0])
    best = scores.max(axis=1)
    ranked = candidates[np.argsort(-best[candidates], kind="stable")][:LISTED]
    starts = np.cumsum([0, *map(len, sides)])
    middle = float(np.exp2(np.median(measured[:, 0])))
    rows = []
    for at in ranked[best[ranked] >= LEAST]:
        side = int(np.searchsorted(starts, at, side="right")) - 1
        measure = int(scores[at].argmax())
        reason = _REASONS[measure](float(measured[at, measure]), middle, known.script)
        rows.append(_Row(side, int(at - starts[side]), float(best[at]), reason))
    return [_finding(sides, rows)] if rows else []


def _finding(sides: Sequence[Side], rows: Sequence[_Row]) -> Finding:
    where = tuple(f"{sides[r.side].where(r.row)}: {r.reason}" for r in rows)
    values = {
        "rows": [
            {
                "split": sides[r.side].name,
                "source": sides[r.side].table.source,
                "line": sides[r.side].table.lines[r.row],
                "score": round(r.score, 2),
                "reason": r.reason,
                "text": shortened(sides[r.side].text(r.row), 200),
            }
            for r in rows
        ]
    }
    count = "The strangest row, worth" if len(rows) == 1 else f"The {len(rows)} strangest rows, worth"
    return Finding("strange rows", "fact", f"{count} a look.", len(rows), where, values)


def _measured(side: Side, known: _Characters) -> np.ndarray:
    """(B, 4) the four measures of each row."""
    parts = [np.zeros((0, 3))]
    for block in side.blocks():
        points, ends = _points(block)
        sizes = np.diff(ends)
        letters, main = _sums(known.letter[points], ends), _sums(known.main[points], ends)
        signs = sizes - letters - _sums(known.space[points], ends) - _sums(known.mark[points], ends)
        parts.append(
            np.stack(
                [np.log2(np.maximum(sizes, 1)), signs / np.maximum(sizes, 1), 1 - main / np.maximum(letters, 1)], axis=1
            )
        )
        parts[-1][letters == 0, 2] = 0
    size, signs, others = np.concatenate(parts).T
    unknown = np.zeros(len(side))
    if side.encodings is not None:
        unknown = unknown_pieces(side) / np.maximum(side.encodings.lengths, 1)
    return np.stack([size, unknown, signs, others], axis=1)


def _z(values: np.ndarray, least: float) -> np.ndarray:
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    return (values - middle) / max(float(spread), least)


def _characters(sides: Sequence[Side]) -> _Characters:
    """The tables, filled for the code points that occur. A script is the first word of a letter's Unicode name."""
    counts = np.zeros(_POINTS, np.int64)
    for side in sides:
        for block in side.blocks():
            present, times = np.unique(_points(block)[0], return_counts=True)
            counts[present] += times
    letter, space, mark, main = (np.zeros(_POINTS, bool) for _ in range(4))
    scripts: dict[int, str] = {}
    for point in np.flatnonzero(counts).tolist():
        character = chr(point)
        letter[point], space[point] = character.isalpha(), character.isspace()
        mark[point] = unicodedata.category(character).startswith("M")
        if letter[point]:
            scripts[point] = unicodedata.name(character, "UNNAMED").partition(" ")[0]
    of: Counter[str] = Counter()
    for point, script in scripts.items():
        of[script] += int(counts[point])
    commonest = max(of, key=lambda script: (of[script], script), default="")
    main[[point for point, script in scripts.items() if script == commonest]] = True
    return _Characters(letter, space, mark, main, commonest)


def _points(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The code points of the texts end to end, and offsets (texts+1,)."""
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), "<u4")
    return points, np.concatenate([[0], np.cumsum([len(text) for text in texts], dtype=np.int64)])


def _sums(flags: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """How many flags are set within each text."""
    total = np.concatenate([[0], np.cumsum(flags)])
    return total[ends[1:]] - total[ends[:-1]]
