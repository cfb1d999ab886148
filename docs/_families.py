"""Writes families.md and families.svg from what the families say of themselves: `python docs/_families.py`."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

from maskwright.models import families, family, listing

HERE = Path(__file__).parent
COLUMNS = ("embedding", "attention", "block", "objective", "sharing")
SOURCE = "../src/maskwright"


def page() -> str:
    """The page as text."""
    kinds = [family(name) for name in families()]
    kinds.sort(key=lambda kind: kind.CHANGES.year)
    arms = ", ".join(f"`{name}`" for name in families() if not hasattr(family(name), "NAMES"))
    parts = [
        "# Families",
        "Written by `python docs/_families.py` from the families' own files; do not edit by hand. Each family is one "
        "file under `src/maskwright/models`. The table says what it has otherwise than BERT, in the order of history; "
        "a cell leads to the lines that do it, and an empty one is as in BERT.",
        "![Encoders by year, each below what it was made from](families.svg)",
        table(["year", "family", *COLUMNS], [row(kind) for kind in kinds]),
        f"{arms} are arms of experiments: networks that no other library has, built from the same blocks, whose "
        "folders carry our names.",
        "## Published sizes",
        "Parameters are counted from the networks, published numbers are as their source prints them. `maskwright "
        "show` prints this list, `maskwright show NAME` a model's parts.",
        sizes(),
    ]
    return "\n\n".join(parts) + "\n"


def row(kind: Any) -> list[str]:
    name = kind.__name__.rpartition(".")[2]
    told = kind.CHANGES
    cells = [linked(kind, getattr(told, column)) for column in COLUMNS]
    return [str(told.year), f"[{name.replace('_', '-')}]({SOURCE}/models/{name}.py): {told.paper}", *cells]


def linked(kind: Any, words: str) -> str:
    """A cell's words, leading to the lines of the function or class named behind its bar."""
    text, _, where = words.partition(" | ")
    if not where:
        return text
    module_name, _, name = where.rpartition(":")
    module = importlib.import_module(f"maskwright.{module_name}") if module_name else kind
    found = getattr(module, name)
    path = Path(module.__file__).relative_to(Path(importlib.import_module("maskwright").__file__).parent)
    try:
        line = inspect.getsourcelines(found)[1]
    except TypeError:  # a value, such as HEADS
        line = next(i for i, text in enumerate(inspect.getsource(module).splitlines(), 1) if text.startswith(name))
    return f"[{text}]({SOURCE}/{path.as_posix()}#L{line})"


def sizes() -> str:
    rows = []
    for one in listing():
        words = f" (of them {one.words:,} word vectors)" if one.note.startswith("without") else ""
        counted = f"{one.parameters:,}{words}"
        rows.append([one.model, str(one.layers), str(one.width), counted, one.published or "-", one.source, one.note])
    return table(["model", "layers", "width", "parameters", "published, millions", "where", "note"], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


def draw(path: Path) -> None:
    """Families as points by year, with lines from what each was made from."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "families"
    from matplotlib import pyplot

    kinds = {name: family(name) for name in families()}
    order = sorted(kinds, key=lambda name: (kinds[name].CHANGES.year, name))
    place = {name: (kinds[name].CHANGES.year, -i) for i, name in enumerate(order)}
    figure, axes = pyplot.subplots(figsize=(9, 0.42 * len(order) + 1))
    for name in order:
        x, y = place[name]
        parent = kinds[name].CHANGES.parent
        if parent in place:
            axes.annotate("", (x, y), place[parent], arrowprops={"arrowstyle": "->", "color": "0.6", "linewidth": 1})
        axes.plot([x], [y], "o", color="tab:blue")
        axes.annotate(name, (x, y), xytext=(7, -3), textcoords="offset points")
    axes.set_yticks([])
    axes.set_xticks(sorted({x for x, _ in place.values()}))
    axes.set_xlim(min(x for x, _ in place.values()) - 0.5, max(x for x, _ in place.values()) + 1.5)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


if __name__ == "__main__":
    (HERE / "families.md").write_text(page(), encoding="utf-8")
    draw(HERE / "families.svg")
