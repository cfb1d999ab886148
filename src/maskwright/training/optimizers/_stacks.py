"""Weights that hold several matrices one below the other."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

STACKED = ("qkv", "everywhere", "queries", "into")
"""Layers that may project to several things at once: queries, keys and values; a gate beside what it lets through.
Each has as many rows as the layer `out` beside them reads."""


def stacks(named: Iterable[tuple[str, nn.Parameter]]) -> dict[nn.Parameter, int]:
    """Of each weight that is a stack, how many matrices it holds.

    One product for all of them is only quicker. What an optimizer does to a matrix as a whole (a norm, an
    orthogonalisation) it should do to each, as if they stood apart: queries and values are not alike in size.
    """
    by_name = dict(named)
    found = {}
    for name, weight in by_name.items():
        path = name.split(".")
        if path[-1] != "weight" or len(path) < 2 or path[-2] not in STACKED:
            continue
        out = by_name.get(".".join([*path[:-2], "out", "weight"]))
        if out is not None and weight.shape[0] > out.shape[1] and weight.shape[0] % out.shape[1] == 0:
            found[weight] = weight.shape[0] // out.shape[1]
    return found
