"""Rows of cells as lines that a terminal shows under one another."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def aligned(rows: Sequence[Sequence[str]], left: Collection[int] = (0,), indent: int = 2) -> list[str]:
    """Columns that line up, two spaces apart, numbers to the right; `left`: the columns of words. Characters that are
    two cells wide, as Han ones are, count as two."""
    from rich.cells import cell_len

    cells = [[visible(cell) for cell in row] for row in rows]
    widths = [max(cell_len(row[i]) for row in cells) for i in range(len(cells[0]))]
    out = []
    for row in cells:
        blanks = [" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        columns = [c + b if i in left else b + c for i, (c, b) in enumerate(zip(row, blanks, strict=True))]
        out.append((" " * indent + "  ".join(columns)).rstrip())
    return out


def visible(text: str) -> str:
    """Control characters as escapes, so that they do not act on the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
