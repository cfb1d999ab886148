"""What facts on data are made of: the sides that are looked at, and one `Finding` for each thing that was seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from maskwright.data.table import Table
from maskwright.text.encodings import Encodings
from maskwright.text.several import Several

Severity = Literal["error", "warning", "fact"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "fact")  #: the most serious first
NAMED = 5  #: rows that a finding names for a person
LISTED = 1000  #: rows that it lists for a program; how many are left out is said there
_BLOCK = 16_384  # texts taken at once, so that memory does not grow with their number


@dataclass(frozen=True)
class Finding:
    """One thing that was seen, in one sentence, with its count, its first rows and its plain values.

    error: figures or training will be wrong unless it is mended; warning: a person should look; fact: good to know.
    """

    kind: str  #: what was looked for, such as "duplicates"
    severity: Severity
    sentence: str
    count: int = 0  #: rows that it concerns (classes, where the sentence counts classes)
    where: tuple[str, ...] = ()  #: the first rows, with their source and line
    values: dict[str, Any] = field(default_factory=dict)  #: for JSON

    def plain(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "severity": self.severity,
            "sentence": self.sentence,
            "count": self.count,
            "where": list(self.where),
            "values": self.values,
        }


@dataclass(frozen=True, eq=False)
class Side:
    """One split of B rows: its texts, and what became of them.

    targets: (B,) whole numbers are classes, (B,) other numbers are scores, (B, C) marks the classes of each row;
    None, or anything else, where there is nothing to say of labels. encodings: B texts as pieces, as the encoder
    will see them.
    """

    name: str  #: train, eval or test
    table: Table  #: where the rows stand
    texts: Sequence[str]
    pairs: Sequence[str] | None = None
    targets: np.ndarray | None = None
    encodings: Encodings | Several | None = None

    def __post_init__(self) -> None:
        for given in (self.table, self.pairs, self.encodings):
            assert given is None or len(given) == len(self), f"{self.name}: {len(given)} for {len(self)} texts"

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def is_for_training(self) -> bool:
        return self.name == "train"

    def text(self, row: int) -> str:
        """All that a row says: a text, or both of a pair."""
        return self.texts[row] if self.pairs is None else f"{self.texts[row]} {self.pairs[row]}"

    def blocks(self) -> Iterator[list[str]]:
        """What the rows say, in order, some thousands at a time."""
        for start in range(0, len(self), _BLOCK):
            yield [self.text(row) for row in range(start, min(start + _BLOCK, len(self)))]

    def where(self, row: int) -> str:
        return self.table.where(row)

    def first(self, rows: Sequence[int] | np.ndarray) -> tuple[str, ...]:
        """Where the first of these rows stand."""
        return tuple(self.where(int(row)) for row in rows[:NAMED])

    def listed(self, rows: Sequence[int] | np.ndarray) -> dict[str, Any]:
        """Where these rows stand, for JSON: the source, the first `LISTED` lines, and how many more there are."""
        lines = [self.table.lines[int(row)] for row in rows[:LISTED]]
        return {
            "split": self.name,
            "rows": len(self),
            "source": self.table.source,
            "lines": lines,
            "lines_left_out": len(rows) - len(lines),
        }


def percent(part: float, whole: float) -> str:
    """`12 %`, `1.4 %`; what is hardly anything is not rounded to nothing, nor nearly all to all."""
    share = 100 * part / whole
    if share == 0 or share >= 100:
        return f"{share:.0f} %"
    if share < 0.1 or share > 99.9:
        return "under 0.1 %" if share < 0.1 else "over 99.9 %"
    return f"{share:.1f} %" if share < 10 or share > 99 else f"{share:.0f} %"


def shortened(text: str, most: int) -> str:
    """A text on one line, of at most `most` characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
