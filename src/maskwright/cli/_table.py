"""Metrics as aligned text on stdout; notes on stderr, where they do not end up in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any


def print_table(columns: Mapping[str, Mapping[str, Any]]) -> None:
    """One row for each metric, one column for each split."""
    names = list(dict.fromkeys(name for metrics in columns.values() for name in metrics))
    width = max(len(name) for name in names)
    print(" " * width, *(f"{title:>12}" for title in columns))
    for name in names:
        print(f"{name:<{width}}", *(f"{cell(metrics.get(name)):>12}" for metrics in columns.values()))


def cell(value: Any) -> str:
    if value is None:
        return "undefined"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def print_notes(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
