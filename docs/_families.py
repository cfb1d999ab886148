"""Writes families.md and families.svg from what the families say of themselves: `python docs/_families.py`."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from maskwright.models import families, family, listing

HERE = Path(__file__).parent
COLUMNS = ("embedding", "attention", "block", "objective", "sharing")
SOURCE = "../src/maskwright"


def page() -> str:
    """The page as text."""
    kinds = [family(name) for name in families()]
    kinds.sort(key=lambda kind: kind.CHANGES.date)
    arms = ", ".join(f"`{name}`" for name in families() if not hasattr(family(name), "NAMES"))
    parts = [
        "# Families",
        "Written by `python docs/_families.py` from the families' own files; do not edit by hand. Each family is one "
        "file under `src/maskwright/models`. The table says what it has otherwise than BERT, in the order of history; "
        "an empty cell is as in BERT, and a link leads to the lines that do what its cell says. What weights were "
        "trained for stands under objective, also where this version holds only the network for it.",
        "![Encoders by year, each below what it was made from](families.svg)",
        table(["date", "family", *COLUMNS], [row(kind) for kind in kinds]),
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
    return [told.date, f"[{name.replace('_', '-')}]({SOURCE}/models/{name}.py): {told.paper}", *cells]


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
    """Families as a tree by year: each hangs below what it was made from."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "families"
    from matplotlib import pyplot

    kinds = {name: family(name).CHANGES for name in families()}
    order = list(below("", kinds))
    figure, axes = pyplot.subplots(figsize=(9, 0.36 * len(order) + 1))
    place: dict[str, tuple[float, int]] = {}
    for row, name in enumerate(order):
        date, parent = kinds[name].date, kinds[name].parent
        x = moment(date)
        if parent in place:
            before, top = place[parent]
            x = max(x, before + 0.25)  # of one month: a step to the right
            axes.plot([before, before, x], [-top, -row, -row], color="0.7", linewidth=1, zorder=1)
        place[name] = x, row
        axes.plot([x], [-row], "o", color="tab:blue", zorder=2)
        label = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"}
        axes.annotate(name, (x, -row), xytext=(8, -3.5), textcoords="offset points", bbox=label, zorder=3)
    axes.set_yticks([])
    moments = [moment(change.date) for change in kinds.values()]
    axes.set_xticks(range(int(min(moments)), int(max(moments)) + 2))
    axes.set_xlim(min(moments) - 0.3, max(moments) + 1.3)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


def moment(date: str) -> float:
    """ "2018-10" as years."""
    year, month = date.split("-")
    return int(year) + (int(month) - 1) / 12


def below(parent: str, kinds: dict[str, Any]) -> Iterator[str]:
    """What was made from a family, each followed by what was made from it; the latest first, so that no line crosses
    a name."""
    children = [name for name, change in kinds.items() if change.parent == parent]
    for name in sorted(children, key=lambda name: (kinds[name].date, name), reverse=True):
        yield name
        yield from below(name, kinds)


if __name__ == "__main__":
    (HERE / "families.md").write_text(page(), encoding="utf-8")
    draw(HERE / "families.svg")
