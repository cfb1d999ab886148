"""How facts are spelt on the page and in the card: numbers, intervals, and texts that anybody may have written."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from maskwright.base.words import counted
from maskwright.runs.shapes import Cell
from maskwright.stats.intervals import Interval

#: What is invisible or turns the text around it: controls but tab and line feed, separators that break lines, bidi
#: embeddings, overrides and isolates, lone surrogates, and what is no character. Joiners of emoji and the marks of
#: right-to-left scripts stay.
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]")


def clean(text: object) -> str:
    """The text with all that is hidden in it made visible: a NUL is ⟨U+0000⟩."""
    plain = str(text).replace("\r\n", "\n").replace("\r", "\n")
    return HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", plain)


def short(text: object, most: int = 300) -> str:
    """A clean text of at most `most` characters of the given one; what is cut is marked with the whole length."""
    given = str(text)
    return clean(given[:most]) + cut_mark(given, most)


def cut_mark(text: str, most: int) -> str:
    """What stands behind the first `most` characters of a text: its whole length, or nothing where these are all."""
    return f"… [{len(text):,} characters]" if len(text) > most else ""


def line(text: object, most: int = 300) -> str:
    """The same on one line, with single spaces."""
    return " ".join(short(text, most).split())


def number(value: float | None) -> str:
    """A figure: whole numbers whole, others to three decimals or, where that says little, to three digits."""
    if value is None or not math.isfinite(value):
        return "undefined"
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    if value == 0 or 0.001 <= size < 1000:
        return f"{value:.3f}"
    return f"{value:,.0f}" if 1000 <= size < 1e6 else f"{value:.3g}"


def bounds(found: Interval) -> str:
    """An interval's bounds, or nothing where they are undefined."""
    known = math.isfinite(found.low) and math.isfinite(found.high)
    return f"{number(found.low)} to {number(found.high)}" if known else ""


def spelt(value: Cell, most: int = 300) -> str:
    """A cell on one line: 0.884 (0.868 to 0.899)."""
    if isinstance(value, Interval):
        inside = bounds(value)
        return f"{number(value.value)} ({inside})" if inside else number(value.value)
    return line(value, most) if isinstance(value, str) else number(value)


def promise(found: Interval) -> str:
    """What an interval is: 95 % interval over examples and seeds."""
    return f"{100 * found.level:.0f} % interval over {line(found.over)}"


def opening(sentence: Any) -> str:
    """A sentence with the capital letter that it begins with on a page; in a message it goes on."""
    text = str(sentence or "")
    return text[:1].upper() + text[1:]


def setting(value: Any) -> str:
    """A setting as a run file spells it: exactly, with none for nothing."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return line(value)


def flat(values: Mapping[str, Any], under: str = "", most: int = 20) -> Iterator[tuple[str, str]]:
    """Nested settings as (dotted name, value) in their order; a list of more than `most` values is counted."""
    for name, value in values.items():
        path = f"{under}.{name}" if under else str(name)
        if isinstance(value, Mapping) and value:
            yield from flat(value, path, most)
        elif isinstance(value, list | Mapping):
            simple = len(value) <= most and not any(isinstance(v, list | Mapping) for v in value)
            yield path, ", ".join(map(setting, value)) or "none" if simple else f"{len(value):,} values"
        else:
            yield path, setting(value)


def calibration(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was fitted on which rows as (name, value), for a person. found: as `Calibration.plain` in tasks gives it."""
    for name, value in found.items():
        if name == "conformal" and isinstance(value, Mapping):
            for share, quantile in value.items():
                yield f"sets that hold {_percent(share)}", _from(quantile)
        elif name == "thresholds" and isinstance(value, list):
            alone = len(value) == 1 and isinstance(value[0], float)
            yield ("threshold", number(value[0])) if alone else (
                "thresholds", f"one for each of {counted(len(value), 'label')}",
            )  # fmt: skip
        else:
            words = {"split": "fitted on the split", "rows": "rows of it"}.get(name, line(name))
            yield words, number(value) if isinstance(value, float) else setting(value)


def _percent(share: str) -> str:
    try:
        return f"{100 * float(share):.4g} %"
    except ValueError:
        return line(share, 40)


def _from(quantile: Any) -> str:
    """The rule of a conformal set: what the probability of a label in it may lack of 1."""
    if not isinstance(quantile, int | float):
        return "all labels: too few rows to leave any out"
    return f"labels of a probability of {number(1 - quantile)} or more"
