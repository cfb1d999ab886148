"""Every family beside transformers: base shape, a few layers, forward and a training step; and Longformer's curve.

    python -m bench.families [--repeats 3] [--quick] [--only NAME,NAME]

Weights are random and equal on both sides; texts are real English, cut beforehand. bf16 on both sides. Building batches
(packing, padding) is inside of the timed span. The sides wait in processes of their own and are timed in turns.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from itertools import product
from typing import Any

from bench import _curve
from bench import _measure as measure
from bench import _texts as texts
from bench._child import ArmFailed, Child, serve

NAME = "families"
LAYERS = 2
VOCABULARY = 30522  #: of the texts' pieces
#: the blocks of BERT at base size, but for where positions start or a pooler that no figure here contains
SAME = ("roberta", "xlm-roberta", "camembert", "electra")
WORKLOADS = {"mixed": "long", "equal": "equal 128"}  #: name -> texts
WORKS = ("forward", "step")
TEXTS = 32  #: in a batch, on both sides
BATCHES = {"forward": 3, "step": 1}
PROBED = 8  #: texts of a probe
ATTENTION = ("sdpa", "eager")
#: how the peer may compute in bf16: weights cast once or autocast; in training autocast over fp32 weights, as ours does
WAYS = {"forward": ("cast", "autocast"), "step": ("autocast",)}
LEAST = {("forward", "mixed"): 1.5, ("step", "mixed"): 1.5, ("forward", "equal"): 0.95, ("step", "equal"): 0.95}
LENGTHS = (512, 1024, 2048, 4096, 8192)  #: of Longformer's curve
CURVE = ("longformer", "full", "peer")  #: ours, ours with full attention, transformers' Longformer
FASTER = {4096: 1.5, 8192: 2.0}


def names() -> list[str]:
    """Families that transformers knows too, each network once."""
    from maskwright.models import families, family

    return [n for n in families() if hasattr(family(n), "KEYS") and n not in SAME]


def main(repeats: int = 3, quick: bool = False, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Time each family's sides in turns. `quick`: one batch of each, nothing saved."""
    texts.prepare()
    quiet = measure.Quiet()
    chosen = [n for n in names() if not only or n in only]
    found = [one(name, 1 if quick else repeats, quick, quiet) for name in chosen]
    curve = [] if only and "longformer" not in only else length_curve(1 if quick else repeats, quick, quiet)
    result = {
        "machine": measure.machine(),
        "command": f"python -m bench.families --repeats {repeats}",
        "texts": texts.summary(),
        "families": found,
        "curve": curve,
        "targets": measure.dump_targets(targets(found, curve)),
        "busy": quiet.worst,
    }
    if not quick and not only:
        measure.save(NAME, result)
        _curve.draw(curve)
    return result


def one(name: str, repeats: int, quick: bool, quiet: measure.Quiet) -> dict[str, Any]:
    """Times of one family: of ours, and of the peer at its fastest attention and way for each work and workload.

    Where the reference cannot compute in bf16, both sides compute in fp32.
    """
    with open_side("ours", name) as ours, open_side("peer", name) as peer:
        difference = measure_difference(ours, peer)
        probes = probe_all(peer, WAYS)
        if not all(probes.values()):
            probes = probe_all(peer, dict.fromkeys(WORKS, ("fp32",)))
        best = {key: min(rows, key=lambda cell: rows[cell]) for key, rows in probes.items()}
        times: list[dict[str, Any]] = []
        for i, work, workload in product(range(repeats), WORKS, WORKLOADS):
            if work == "step" and i > 0:  # steps take several times as long
                continue
            quiet.check(f"{name}, {work}, {workload}")
            for side, child in (("ours", ours), ("peer", peer)):
                batches = 1 if quick else BATCHES[work]
                answered = child.ask(request(work, workload, batches, best[f"{work}, {workload}"]))
                times.append({"side": side, "work": work, "workload": workload, **answered})
    print(name, " ".join(f"{key}: {speed(times, *key.split(', ')):.2f}" for key in best), flush=True)
    return {"name": name, "cells": best, "probes": probes, "times": times, "difference": difference}


def request(work: str, workload: str, batches: int, cell: str) -> dict[str, Any]:
    attention, way = cell.split()
    asked = {"work": work, "texts": WORKLOADS[workload], "batches": batches, "size": TEXTS}
    return asked | {"attention": attention, "way": way}


def probe_all(peer: Child, ways: dict[str, tuple[str, ...]]) -> dict[str, dict[str, float]]:
    """Of each work and workload: seconds of a small batch in each cell that the reference can compute. A step takes the
    attention that was fastest forward."""
    found: dict[str, dict[str, float]] = {}
    for work, workload in product(WORKS, WORKLOADS):
        rows = found[f"{work}, {workload}"] = {}
        forward = found[f"forward, {workload}"]
        fastest = min(forward, key=lambda cell: forward[cell]).split()[0] if forward else ATTENTION[0]
        for attention, way in product(ATTENTION if work == "forward" else (fastest,), ways[work]):
            cell = f"{attention} {way}"
            try:
                rows[cell] = float(peer.ask(request(work, workload, 1, cell) | {"size": PROBED})["seconds"])
            except ArmFailed:
                continue
    return found


def measure_difference(ours: Child, peer: Child) -> float:
    """The largest difference of the two sides' hidden states in fp32 on a few texts: they are one network."""
    import numpy as np

    states = []
    for side, child in (("ours", ours), ("peer", peer)):
        path = measure.cache_folder("states") / f"family-{side}.npy"
        child.ask({"states": str(path)})
        states.append(np.load(path))
    return float(np.abs(states[0] - states[1]).max())


def open_side(side: str, name: str) -> Child:
    child = Child(f"bench.{NAME}", f"{side} {name}")
    try:
        child.ask({"open": side, "family": name})
    except ArmFailed:
        child.close(now=True)
        raise
    return child


def length_curve(repeats: int, quick: bool, quiet: measure.Quiet) -> list[dict[str, Any]]:
    """Seconds and peak memory of one text of each length, each length and side in a process of its own."""
    found = []
    for length, side in product(LENGTHS[:2] if quick else LENGTHS, CURVE):
        quiet.check(f"{side}, {length} tokens")
        with open_side(side, "longformer") as child:
            seconds = [float(child.ask({"length": length})["seconds"]) for _ in range(repeats + 1)][1:]
            memory = child.ask({"memory": True})["vm_hwm"]
        found.append({"side": side, "length": length, "seconds": seconds, "memory": memory})
        print(f"{side}, {length} tokens: {measure.median(seconds):.3f} s, {memory:,.0f} MiB", flush=True)
    return found


# ---------------------------------------------------------------- what came out


def seconds(times: list[dict[str, Any]], side: str, work: str, workload: str) -> list[float]:
    return [t["seconds"] for t in times if (t["side"], t["work"], t["workload"]) == (side, work, workload)]


def speed(times: list[dict[str, Any]], work: str, workload: str) -> float:
    """The peer's time over ours, medians of the repeats."""
    mine, theirs = (measure.median(seconds(times, side, work, workload)) for side in ("ours", "peer"))
    return theirs / mine


def at(curve: list[dict[str, Any]], side: str, length: int) -> dict[str, Any] | None:
    return next((row for row in curve if (row["side"], row["length"]) == (side, length)), None)


def targets(found: list[dict[str, Any]], curve: list[dict[str, Any]]) -> list[measure.Target]:
    out = [
        measure.Target(
            f"{row['name']}: {work}, {workload} lengths", speed(row["times"], work, workload), "at least", least
        )
        for row in found
        for (work, workload), least in LEAST.items()
    ]
    for length, least in FASTER.items():
        sliding, full = at(curve, "longformer", length), at(curve, "full", length)
        ratio = measure.median(full["seconds"]) / measure.median(sliding["seconds"]) if sliding and full else None
        out.append(measure.Target(f"Longformer against full attention at {length:,} tokens", ratio, "at least", least))
    growth = memory_growth(curve)
    out.append(
        measure.Target("Longformer: memory added from 4,096 to 8,192 over from 2,048 to 4,096", growth, "at most", 2.3)
    )
    return out


def memory_growth(curve: list[dict[str, Any]]) -> float | None:
    """2 where memory is linear in length, 4 where it grows with the square."""
    rows = [at(curve, "longformer", n) for n in (2048, 4096, 8192)]
    if not all(rows):
        return None
    a, b, c = (float(row["memory"]) for row in rows if row)
    return (c - b) / max(b - a, 1.0)


def section(result: dict[str, Any]) -> str:
    """This measurement's part of bench/RESULTS.md."""
    rows = []
    for row in result["families"]:
        cells = [measure.number(speed(row["times"], *key)) for key in LEAST]
        rows.append([row["name"], *cells, row["cells"]["forward, mixed"], f"{row['difference']:.1e}"])
    head = ["family", *(f"{work}, {workload}" for work, workload in LEAST), "peer, forward", "difference in fp32"]
    parts = [
        "## Families: base shape beside transformers",
        f"`{result['command']}`. {measure.describe(result['machine'])} {measure.disturbance(result['busy'])}",
        f"{LAYERS} layers of base shape with equal random weights, bf16 on both sides (fp32 where the reference "
        f"cannot compute in bf16), batches of {TEXTS} texts as they were drawn. Numbers are the peer's time over ours. "
        "The peer runs padded to the longest text of a batch, at the fastest of sdpa and eager attention and, forward, "
        "of cast weights and autocast; torch.compile, which `python -m bench.forward` tries for BERT, is not tried "
        "here. mixed: 50 to 400 pieces; equal: 128. A step is forward, backward and fused "
        "AdamW, with the family's dropout, timed once; forward is the median of the turns. "
        f"{', '.join(SAME)} have BERT's blocks and are not timed again.",
        measure.table(head, rows),
        measure.targets_table(result["targets"]),
        f"What chose the peer's cell: milliseconds of {PROBED} texts, once, on all cores (a step takes the attention "
        "that was fastest forward):",
        grid_table(result["families"]),
    ]
    if result["curve"]:
        table = [
            [row["side"], f"{row['length']:,}", measure.spread(row["seconds"]), f"{row['memory']:,.0f}"]
            for row in result["curve"]
        ]
        parts += [
            "One text through Longformer, through the same blocks with full attention, and through transformers' "
            "Longformer; forward, bf16, no token marked:",
            measure.table(["side", "tokens", "seconds", "peak (VmHWM), MiB"], table),
            "![Seconds and memory by length](../docs/longformer.svg)",
        ]
    return "\n\n".join(parts)


def grid_table(found: list[dict[str, Any]]) -> str:
    """Milliseconds of every cell that was probed; "-": the reference has none, or it was not tried."""
    names = list(dict.fromkeys(cell for row in found for cells in row["probes"].values() for cell in cells))
    rows = []
    for row in found:
        for work, cells in row["probes"].items():
            said = [measure.number(1e3 * cells[name]) if name in cells else "-" for name in names]
            rows.append([row["name"], work, *said])
    return measure.table(["family", "work", *names], rows)


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.families", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one batch of each, nothing saved")
    parser.add_argument("--only", default="", help="families by comma; nothing saved")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        serve(importlib.import_module("bench._family_sides").Side().answer)
    else:
        from bench.__main__ import run

        given = options(sys.argv[1:])
        run(lambda: main(given.repeats, given.quick, tuple(filter(None, given.only.split(",")))), section)
