"""The pictures of quality per minute, docs/pretrain-20m-bf16.svg and its like, from results/pretrain_quality.json:
`python -m bench._losses`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench import _measure as measure
from bench import _quality_told

DOCS = Path(__file__).parents[1] / "docs"
COLOURS = {"ours": "C0", "ours, a third": "C2", "peer": "C1"}
NAMES = {"ours": "ours, --recipe modern", "ours, a third": "ours, planned for a third", "peer": "transformers, tuned"}


def picture(budget: str) -> Path:
    """Where the picture of a budget stands, which goes by its minutes and precision (`_quality_told.name`)."""
    return DOCS / f"pretrain-{budget}.svg"


def draw(budget: str, arms: list[dict[str, Any]]) -> None:
    """Held-out nats a masked piece, by minutes and by pieces read; the plateau of piece frequencies as a line."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "pretrain"
    from matplotlib import pyplot

    figure, sides = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
    seen: set[str] = set()
    for arm in arms:
        name, points = arm["arm"], arm["curve"]
        label = "_" if name in seen else NAMES[name]
        seen.add(name)
        losses = [point["loss"] for point in points]
        for axes, key, unit in zip(sides, ("seconds", "tokens"), (60, 1e6), strict=True):
            axes.plot([p[key] / unit for p in points], losses, ".-", color=COLOURS[name], label=label)
    for axes, title in zip(sides, ("minutes", "millions of pieces read"), strict=True):
        axes.axhline(arms[0]["unigram"], color="grey", linestyle=":", label="how often each piece comes")
        axes.set_xlim(left=0)
        axes.set_xlabel(title)
    sides[0].set_ylabel("held-out nats a masked piece")
    sides[0].legend(frameon=False, fontsize=9)
    figure.savefig(picture(budget), metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    for one in json.loads((measure.RESULTS / "pretrain_quality.json").read_text())["budgets"]:
        draw(_quality_told.name(one), one["arms"])
