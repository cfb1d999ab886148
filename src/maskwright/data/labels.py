"""`Labels`: the classes of a task, in an order that is the same wherever they are found again."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskwright.base.errors import UserError, unknown
from maskwright.base.words import counted

_INTEGER = re.compile(r"[+-]?[0-9]+")
#: what tables write where a cell is missing, without case
_MISSING = frozenset(("nan", "none", "null", "nil", "n/a", "na", "<na>", "#n/a"))
_NAMED = 3  # pairs of labels that a sentence names
_FEW = 20  # labels that stand in one row only: so many may be the rare classes of a small set


@dataclass(frozen=True)
class Labels:
    """Class names by index: in numeric order when all are integers, else sorted."""

    names: tuple[str, ...]

    @classmethod
    def discover(cls, values: Iterable[Any], where: Callable[[int], str]) -> Labels:
        """The set of `values`. `where(i)` says where value i stands, for messages.

        Raises UserError for an empty label, for fewer than two classes, for names that differ only in the spaces
        around them or in Unicode's spelling of one text, and for a column that does not hold classes: more than half
        of its rows have a label that no other row has, and there are more than 20 of those.
        """
        first: dict[str, int] = {}
        counts: Counter[str] = Counter()
        for row, value in enumerate(values):
            name = _name(value, row, where)
            first.setdefault(name, row)
            counts[name] += 1
        if not first:
            raise UserError("There are no labels: no rows were given.")
        if len(first) == 1:
            all_rows = "The only row has" if counts.total() == 1 else f"All {counts.total():,} rows have"
            onwards = "" if counts.total() == 1 else " onwards"
            raise UserError(
                f"{all_rows} the label {next(iter(first))!r} ({where(0)}{onwards}); a classifier needs at least two "
                "classes. Check which column holds the label."
            )
        _refuse_twins(first, where)
        _refuse_what_does_not_repeat(counts, where)
        return cls.of(first)

    @classmethod
    def of(cls, names: Iterable[str]) -> Labels:
        """Names in the order of a set, however they were met; none of them is doubted."""
        found = set(names)
        by_number = all(_INTEGER.fullmatch(name) for name in found)
        return cls(tuple(sorted(found, key=(lambda name: (int(name), name)) if by_number else None)))

    def encode(self, values: Iterable[Any], where: Callable[[int], str]) -> np.ndarray:
        """The index of each value, (rows,) int64. Raises UserError for a label that is not in the set."""
        index = {name: i for i, name in enumerate(self.names)}
        given = [_name(value, i, where) for i, value in enumerate(values)]
        strange = Counter(name for name in given if name not in index)
        if strange:
            row, name = next((i, name) for i, name in enumerate(given) if name in strange)
            twin = next((n for n in self.names if _composed(n) == _composed(name)), None)
            if twin is not None:
                raise UserError(f"{where(row)}: {_twins(name, twin)}")
            more = f" {len(strange) - 1} other labels are not in the set either." if len(strange) > 1 else ""
            more = more.replace("1 other labels are", "1 other label is") if len(strange) == 2 else more
            raise UserError(
                f"{where(row)}: {unknown('label', name, self.names)} It stands in "
                f"{counted(strange[name], 'row')}.{more}"
            )
        return np.fromiter((index[name] for name in given), dtype=np.int64, count=len(given))

    def doubtful(self, counts: Sequence[int] | None = None) -> list[str]:
        """What is allowed but looks like a slip, one sentence each, for a run's notes: labels that are nearly one,
        labels that look like missing values, and numbers with fractions, which are rarely classes.

        counts: the rows of each label, to be told beside its name.
        """
        rows = dict(zip(self.names, counts, strict=True)) if counts is not None else {}

        def told(name: str, show: Callable[[str], str] = repr) -> str:
            return f"{show(name)} ({counted(rows[name], 'row')})" if rows else show(name)

        notes, paired = [], set()
        for how, key, show in _NEARLY_ONE:
            seen: dict[Any, str] = {}
            pairs = [
                (other, name)
                for name in self.names
                if (other := seen.setdefault(key(name), name)) != name and name not in paired
            ]
            paired |= {name for _, name in pairs}
            if pairs:
                named = ", and ".join(f"{told(a, show)} and {told(b, show)}" for a, b in pairs[:_NAMED])
                more = f" (and {len(pairs) - _NAMED:,} more such pairs)" if len(pairs) > _NAMED else ""
                notes.append(f"The labels {named} differ only in {how}{more}; they are separate classes.")
        missing = [name for name in self.names if name.strip().casefold() in _MISSING]
        if missing:
            named = ", ".join(map(told, missing))
            what = f"The label {named} looks" if len(missing) == 1 else f"The labels {named} look"
            notes.append(
                f"{what} like a missing value; it is a class here. Remove such rows if it is not meant as one."
            )
        fractions = [name for name in self.names if isinstance(n := _number(name), float) and not n.is_integer()]
        if fractions and all(isinstance(_number(name), float) for name in self.names):
            notes.append(
                f"All {len(self.names):,} labels are numbers, some with fractions ({fractions[0]}): if they are "
                f"amounts and not classes, use --task regression."
            )
        return notes

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> str:
        return self.names[index]


def _name(value: Any, row: int, where: Callable[[int], str]) -> str:
    """A label as text: JSON's true and 1 are `true` and `1`, as they stand in the file."""
    if isinstance(value, str) and value.strip():
        return value
    if value is None or isinstance(value, str) or value != value:  # only NaN differs from itself
        raise UserError(f"{where(row)}: the label is empty. Fill it or remove the row.")
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | float | np.integer | np.floating):
        return str(value)
    raise UserError(f"{where(row)}: the label is {value!r}, a {type(value).__name__}. Give a text or a number.")


def _refuse_twins(first: dict[str, int], where: Callable[[int], str]) -> None:
    """`first`: the row where each name first stands. Raises UserError for two names that a person cannot tell apart."""
    bare: dict[str, str] = {}
    for name, row in first.items():
        other = bare.setdefault(_composed(name).strip(), name)
        if other == name:
            continue
        if name.strip() == other.strip():
            raise UserError(f"{where(row)}: the labels {name!r} and {other!r} differ only in spaces. Make them one.")
        raise UserError(f"{where(row)}: {_twins(name, other)}")


def _twins(name: str, other: str) -> str:
    return (
        f"the labels {name!a} and {other!a} are one text, {name}, in two spellings of Unicode: a letter and "
        f"its mark are one character or two. Write both the same way, for example in the form NFC."
    )


def _refuse_what_does_not_repeat(counts: Counter[str], where: Callable[[int], str]) -> None:
    once = [name for name, count in counts.items() if count == 1]
    if len(once) > _FEW and 2 * len(once) > counts.total():
        raise UserError(
            f"{where(0)} onwards: {len(counts):,} different labels stand in {counts.total():,} rows, {len(once):,} of "
            f"them in one row only ({', '.join(map(repr, once[:3]))}, ...). A classifier needs classes that come "
            f"again: check which column holds the label; for numbers use --task regression."
        )


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _number(name: str) -> float | str:
    """A name as the number that it writes; one that writes none, nan and inf among them, as it is."""
    try:
        number = float(name)
    except ValueError:
        return name
    return number if math.isfinite(number) else name


def _seen(name: str) -> str:
    """A name without what leaves no trace on a screen: joiners, marks of direction, variants of emoji, extra spaces."""
    kept = (c for c in name if unicodedata.category(c) != "Cf" and not "\ufe00" <= c <= "\ufe0f")
    return " ".join("".join(kept).split())


# How two names may differ, what they then have in common, and how to show them.
_NEARLY_ONE: tuple[tuple[str, Callable[[str], Any], Callable[[str], str]], ...] = (
    ("upper and lower case", str.casefold, repr),
    ("how the number is written", _number, repr),
    ("spaces or characters that cannot be seen", _seen, ascii),
    ("upper and lower case and in spaces", lambda name: _seen(name).casefold(), repr),
)
