"""Is line 1 a header? Wrong either way hurts: a row is lost, or the header becomes a row with a label of its own."""

from __future__ import annotations

from collections.abc import Sequence

from maskwright.base.errors import UserError

_SAMPLE = 1000  # rows that are looked at
_LONGEST = 64  # characters of a cell that may still be a name


def detect(rows: list[list[str]], needs: Sequence[str], where: str) -> tuple[bool, bool]:
    """Whether the first row is a header, and whether that is a guess. `where`: the file and line of the first row."""
    first = rows[0]
    looks_like_header = _are_names(first) and _evidence(rows) >= 0
    if needs and all(need.isdigit() for need in needs):
        counted = [[str(i + start) for i in range(len(first))] for start in (0, 1)]
        if len(first) > 1 and first in counted and set(needs) <= set(first):
            return True, True
        if looks_like_header and _evidence(rows) > 0:
            raise UserError(
                f"{where} reads like a header ({', '.join(first)}), but columns are asked for by number "
                f"({', '.join(needs)}), as in a file without one. Ask for them by name, or state "
                f"--set data.header=false if it is a row."
            )
        return False, False
    if any(need in first for need in needs):
        return True, False
    return looks_like_header, True


def _are_names(cells: list[str]) -> bool:
    """Non-empty (the first may be empty: an index column), distinct, not numbers, short."""
    return (
        all(cells[1:])
        and any(cells)
        and len(set(cells)) == len(cells)
        and not any(_is_number(cell) for cell in cells)
        and all(len(cell) < _LONGEST for cell in cells)
    )


def _evidence(rows: list[list[str]]) -> int:
    """How many columns of numbers or of few values the first row's cell stands out from; -1 if it fits into one."""
    votes = 0
    for top, *cells in zip(*rows[:_SAMPLE], strict=True):
        values = set(cells)
        if len(cells) < 4 or not (len(values) <= len(cells) / 4 or all(map(_is_number, values))):
            continue
        if top in values or (_is_number(top) and all(map(_is_number, values))):
            return -1
        votes += 1
    return votes


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
