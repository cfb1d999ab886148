"""The picture of Longformer's curve, docs/longformer.svg, from results/families.json: `python -m bench._curve`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench import _measure as measure

PICTURE = Path(__file__).parents[1] / "docs" / "longformer.svg"
NAMES = {"longformer": "Longformer, ours", "full": "full attention, ours", "peer": "Longformer, transformers"}


def draw(curve: list[dict[str, Any]]) -> None:
    """Seconds and memory beyond the shortest text's, by length, both axes by doublings."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "longformer"
    from matplotlib import pyplot
    from matplotlib.ticker import NullLocator, ScalarFormatter

    figure, (times, memory) = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for side, name in NAMES.items():
        rows = sorted((row for row in curve if row["side"] == side), key=lambda row: row["length"])
        lengths = [row["length"] for row in rows]
        times.plot(lengths, [measure.median(row["seconds"]) for row in rows], "o-", label=name)
        memory.plot(lengths, [row["memory"] for row in rows], "o-", label=name)
    for axes, title in ((times, "seconds, forward, one text"), (memory, "peak memory of the process, MiB")):
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted({row["length"] for row in curve}))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_ylim(bottom=0)
        axes.set_xlabel("tokens")
        axes.set_title(title, fontsize=10)
    times.legend(frameon=False, fontsize=9)
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    draw(json.loads((measure.RESULTS / "families.json").read_text())["curve"])
