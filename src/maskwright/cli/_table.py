"""Figures as aligned text on stdout; notes on stderr, where they do not end up in a pipe."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from maskwright.base.words import counted

if TYPE_CHECKING:
    from maskwright.evaluation.evaluate import Judgement

COUNTS = {
    "texts_cut": "texts were cut",
    "pieces_cut": "pieces were cut off",
    "unknown_pieces": "pieces are not in the vocabulary",
}


def print_figures(title: str, systems: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """One row for each metric of each system: its value, its interval (and over what, if not as the first),
    and each seed's own where there are several."""
    rows: list[list[str]] = []
    over = next((figure["over"] for figures in systems.values() for figure in figures.values()), "examples")
    for system, figures in systems.items():
        for name, figure in figures.items():
            seeds = figure.get("seeds", [])
            each = "  ".join(map(cell, seeds)) if len(seeds) > 1 else ""
            reach = bounds(figure) + ("" if figure["over"] == over else f" over {figure['over']}")
            rows.append([f"{system}: {name}" if system else name, cell(figure["value"]), reach, each])
    head = [title, "value", f"95 % over {over}", "each seed" if any(row[3] for row in rows) else ""]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(4)]
    for row in [head, *rows]:
        line = [row[0].ljust(widths[0]), row[1].rjust(widths[1]), row[2].ljust(widths[2]), row[3]]
        print("  ".join(line).rstrip())


def print_summary(summary: Mapping[str, Any]) -> None:
    """The figures that a run reports, the one that each baseline is compared by, the verdict, which seed was saved."""
    reported, others = summary["reported"], {}
    for other in summary["baselines"]:
        metric = other.get("metric", summary["main"])
        others[other["name"]] = {metric: other["figures"][metric]}
    judged = counted(reported["rows"], reported.get("of", "row"))
    print_figures(f"{reported['source']}, {judged}", {"": summary["figures"], **others})
    print()
    for line in summary["verdict"]:
        print(textwrap.fill(line, 100))
    saved = summary["saved"]
    if len(summary["seeds"]) > 1:
        print(f"Saved: the model of seed {saved['seed']}, {saved['why']}.")


def print_judgement(data: str, judged: Judgement) -> None:
    """What a saved model is worth on the rows of a file."""
    print_notes(judged.notes)
    print_figures(f"{data}, {counted(judged.rows, 'row')}", {"": judged.figures})
    print_counts(judged.plain())


def print_counts(metrics: Mapping[str, Any]) -> None:
    """What was cut or unknown, where anything was."""
    for name, words in COUNTS.items():
        if metrics.get(name):
            print(f"{metrics[name]:,} {words}")


def bounds(figure: Mapping[str, Any]) -> str:
    if figure.get("low") is None:
        return "undefined"
    return f"{cell(figure['low'])} to {cell(figure['high'])}"


def cell(value: Any) -> str:
    if value is None:
        return "undefined"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def print_notes(notes: Iterable[str]) -> None:
    for note in notes:
        print_note(note)


def print_note(note: str) -> None:
    print(f"note: {note}", file=sys.stderr, flush=True)
