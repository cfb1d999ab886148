"""Speed of pre-training: our loop beside transformers' BertForMaskedLM and its collator, 6 x 384, batch 32.

    python -m bench.pretrain [--repeats 3] [--steps 20] [--quick]      (--quick: 2 x 128, two steps; not saved)

Both sides begin with the same weights and read the same sequences in batches of the same size: blocks of exactly 128
pieces, and single sentences as they come. Masking and making batches are inside of the timed span on each side. The
sides wait in processes of their own and are timed in turns. At bf16 where the processor is fast at it, else at fp32;
the figures of both are kept beside each other.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from itertools import product
from typing import Any

from bench import _measure as measure
from bench import _novels as novels
from bench import _pretrain_grid as grid
from bench._child import Child, serve
from bench._pretrain_grid import BATCH, COMPILE_LIMIT, PROBED, SIZE, WARM, fastest, open_side

NAME = "pretrain"
QUICK = "2x128"  #: the size for a look at the plumbing
JUDGED = 16  #: held-out sequences by which the sides are seen to be one network
#: name -> (least speed-up, ours, peer). "peer fp32" only where bf16 is fast: else the peer is at fp32 already.
PAIRS = {
    "the same on both sides": (1.5, "ours", "peer"),
    "our recipe against theirs": (2.0, "ours, our recipe", "peer"),
    "the same, theirs at fp32": (3.5, "ours", "peer at fp32"),
    "sentences as they come": (2.5, "ours, sentences", "peer, sentences"),
    "sentences, theirs grouped by length": (None, "ours, sentences", "peer, sentences grouped"),
}


# ---------------------------------------------------------------- the measurement


def main(repeats: int = 3, steps: int = 20, quick: bool = False) -> dict[str, Any]:
    """Time the sides in turns. `quick`: a small network, two steps once, no search, nothing saved."""
    from maskwright.base.runtime import device, has_fast_bf16

    quiet = measure.Quiet()
    made = novels.prepare()
    precision = "bf16" if has_fast_bf16(device("cpu")) else "fp32"
    size, repeats, steps = (QUICK, 1, 2) if quick else (SIZE, repeats, steps)
    print(f"At {precision}, {'which this processor is fast at' if precision == 'bf16' else 'for want of fast bf16'}.")
    with tempfile.TemporaryDirectory() as network:
        with open_side(made, "ours", ours("same", "blocks", precision, size)) as child:
            parameters = child.ask({"save": network})["parameters"]
        rows, searched = [], ""
        if not quick:
            kept = grid.found(made, network, precision, quiet)
            rows, searched = kept["found"], kept["date"]
        arms = arms_of(rows, precision, network, size)
        turns, facts = time_turns(made, arms, repeats, steps, precision, quiet)
        peaks = weigh(made, arms, rows, precision, network, steps)
    result = {
        "machine": measure.machine(),
        "command": f"python -m bench.pretrain --repeats {repeats} --steps {steps}" + " --quick" * quick,
        "text": novels.summary(made),
        "precision": precision,
        "size": size,
        "parameters": parameters,
        "grid": rows,
        "searched": searched,
        "cells": {name: arm["cell"] for name, arm in arms.items() if "cell" in arm},
        "turns": turns,
        **facts,
        "peaks": peaks,
        "busy": quiet.worst,
    }
    result["targets"] = measure.dump_targets(targets(result))
    if not quick:
        measure.save(f"{NAME}-{precision}", result)
    return result


def ours(recipe: str, work: str, precision: str, size: str) -> dict[str, Any]:
    return {"recipe": recipe, "work": work, "precision": precision, "size": size}


def arms_of(rows: list[dict[str, Any]], precision: str, network: str, size: str) -> dict[str, dict[str, Any]]:
    """What each arm is opened with, in the order of the turns."""

    def peer(work: str, at: str, **more: Any) -> dict[str, Any]:
        return {"cell": {**fastest(rows, work, at), **more}, "network": network}

    found = {
        "ours": ours("same", "blocks", precision, size),
        "peer": peer("blocks", precision),
        "ours, our recipe": ours("modern", "blocks", precision, size),
        "ours, sentences": ours("same", "sentences", precision, size),
        "peer, sentences": peer("sentences", precision),
        "peer, sentences grouped": peer("sentences", precision, grouping="grouped"),
    }
    return found | ({"peer at fp32": peer("blocks", "fp32")} if precision == "bf16" else {})


def time_turns(
    made: novels.Novels, arms: dict[str, dict[str, Any]], repeats: int, steps: int, precision: str, quiet: measure.Quiet
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Every arm's steps, turn by turn; and what is asked of our side beside: rates of products, operations of a step,
    how far the two losses on the same held-out pieces are apart."""
    turns: list[dict[str, Any]] = []
    children: dict[str, Child] = {}
    probes: dict[str, dict[str, float]] = {}
    try:
        for name, request in arms.items():
            children[name] = open_side(made, name.split()[0].rstrip(","), request)
        losses = [children[name].ask({"judge": JUDGED})["loss"] for name in ("ours", "peer")]
        for repeat, (name, child) in product(range(repeats), children.items()):
            quiet.check(f"{name}, repeat {repeat}")
            limit = COMPILE_LIMIT + 60 * steps
            turns.append({"arm": name, **child.ask({"steps": steps}, limit)})
            print(f"{name}: {speed(turns[-1]):,.0f} tokens/s", flush=True)
            if name == "ours":
                for kind in dict.fromkeys(("fp32", precision)):
                    probes[f"{kind} {repeat}"] = child.ask({"probe": kind})["rates"]
        operations = {}
        for name in ("ours", "ours, our recipe"):
            own = [turn for turn in turns if turn["arm"] == name]
            means = [mean([mean(turn[key]) for turn in own]) for key in ("tokens", "scored")]
            operations[name] = children[name].ask({"operations": means})
    finally:
        for child in children.values():
            child.close()
    return turns, {"losses": losses, "probes": probes, "operations": operations}


def weigh(
    made: novels.Novels, arms: dict[str, Any], rows: list[dict[str, Any]], precision: str, network: str, steps: int
) -> list[dict[str, Any]]:
    """Peaks of memory (MiB), each of a process of its own that trains once: ours, the peer, and the peer uncompiled."""
    plain = fastest(rows, "blocks", precision, compile=False)
    asked = {name: arms[name] for name in ("ours", "ours, our recipe", "peer")}
    if plain != arms["peer"]["cell"]:
        asked["peer, not compiled"] = {"cell": plain, "network": network}
    found = []
    for name, request in asked.items():
        with open_side(made, name.split()[0].rstrip(","), request) as child:
            child.ask({"steps": steps}, COMPILE_LIMIT + 60 * steps)
            found.append({"arm": name, "memory": child.ask({"memory": True})})
    return found


# ---------------------------------------------------------------- what came out


KINDS = ("model", "computed")  #: operations of a step, see PRODUCTS


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def speed(turn: dict[str, Any]) -> float:
    """Pieces a second of one turn; padding is none."""
    return float(sum(turn["tokens"]) / sum(turn["seconds"]))


def speeds(turns: list[dict[str, Any]], arm: str) -> list[float]:
    return [speed(turn) for turn in turns if turn["arm"] == arm]


def ratio(turns: list[dict[str, Any]], ours: str, peer: str) -> float | None:
    """Our tokens a second over the peer's, medians of the turns."""
    mine, theirs = speeds(turns, ours), speeds(turns, peer)
    return measure.median(mine) / measure.median(theirs) if mine and theirs else None


def share(result: dict[str, Any], arm: str, kind: str) -> float:
    """Operations a second of a step, of the fastest product that was found in this run."""
    turns = [turn for turn in result["turns"] if turn["arm"] == arm]
    second = measure.median(mean(turn["seconds"]) for turn in turns)
    return float(result["operations"][arm][kind] / second / ceiling(result, result["precision"]))


def ceiling(result: dict[str, Any], precision: str) -> float:
    return max(max(rates.values()) for name, rates in result["probes"].items() if name.startswith(precision))


def feeding(turns: list[dict[str, Any]], arm: str) -> float:
    """The share of the time of our steps in which masks and batches are made, in percent."""
    return measure.median(100 * sum(t["feeding"]) / sum(t["seconds"]) for t in turns if t["arm"] == arm)


def peak(peaks: list[dict[str, Any]], side: str) -> float:
    """MiB; of the peer, its leaner process."""
    own = [p for p in peaks if p["arm"] == side or (side == "peer" and p["arm"].startswith(side))]
    return min(float(p["memory"]["vm_hwm"]) for p in own)


def targets(result: dict[str, Any]) -> list[measure.Target]:
    turns, precision = result["turns"], result["precision"]
    found = [
        measure.Target(f"speed, {name} ({precision})", ratio(turns, mine, theirs), "at least", least)
        for name, (least, mine, theirs) in PAIRS.items()
        if least is not None
    ]
    done = 100 * share(result, "ours", "model")
    memory = peak(result["peaks"], "ours") / peak(result["peaks"], "peer")
    apart = abs(result["losses"][0] - result["losses"][1])
    return [
        *found,
        measure.Target(f"operations of the model, % of the fastest product ({precision})", done, "at least", 60),
        measure.Target("making masks and batches, % of our step", feeding(turns, "ours"), "at most", 3),
        measure.Target(f"peak memory, ours / peer ({precision})", memory, "at most", 1.0),
        measure.Target("nats between the two sides' losses in fp32", apart, "at most", 1e-5),
    ]


ABOUT = """\
{size}, {parameters:,} parameters, {batch} sequences of at most {length} pieces a step; steps are forward, backward, \
clipping at 1 and fused AdamW. Pieces a second; padding is not counted. **The same on both sides**: BERT's network \
with equal weights, dropout 0.1 (hidden and attention), 15 % masked by 80/10/10, blocks of exactly {length} pieces, so \
that the peer has nothing to pad. **Our recipe** is `--recipe modern` at the same size, on the same blocks, with as \
many pieces a step from the first step on. **Sentences** stand one in a row, joined to nothing, in random order as \
they come; the peer's collator pads them to the longest of a batch. In the last row the peer groups them by length, \
which ours does not. **Peer** is `BertForMaskedLM` with `DataCollatorForLanguageModeling` at the fastest row of the \
grid for each kind of work and precision: a bare loop or transformers' `Trainer`. Its rows carry the mask of special \
pieces, which the collator would else make piece by piece. Each turn is a new training with a new optimizer, of which \
the first {warm} steps are not timed."""

PRODUCTS = """\
Operations are those of the matrix products of the network (`maskwright.models`' count, backward as twice forward), \
scores of words at the asked pieces alone. `computed` leaves out what ours does not compute either: the last block's \
states of pieces that are not asked for. The fastest product is the best over the network's own shapes, {rounds} \
rounds a turn, by `F.linear` and by oneDNN: {rate} at {precision}{other}. A step of our recipe also takes {muon} \
GFLOP for Muon, which are in neither column; AdamW takes none."""

WITHOUT_BF16 = """\
This processor multiplies bf16 more slowly than fp32, so that both sides train at fp32. The limits were set for bf16 \
on both sides, and for a peer at fp32 beside ours at bf16: whether those are met is not seen here."""


def section(result: dict[str, Any]) -> str:
    """This measurement's part of bench/RESULTS.md."""
    turns, precision = result["turns"], result["precision"]
    rows = []
    for name, (_, mine, theirs) in PAIRS.items():
        found = ratio(turns, mine, theirs)
        sides = [measure.spread(speeds(turns, arm)) if speeds(turns, arm) else "not measured" for arm in (mine, theirs)]
        rows.append([name, *sides, measure.number(found) if found else "-", in_words(result["cells"].get(theirs))])
    steps = []
    for arm in dict.fromkeys(turn["arm"] for turn in turns):
        own = [turn for turn in turns if turn["arm"] == arm]
        milliseconds = measure.spread(1000 * mean(turn["seconds"]) for turn in own)
        padding = 100 * (1 - sum(sum(t["tokens"]) for t in own) / sum(sum(t["cells"]) for t in own))
        shares = [f"{100 * share(result, arm, kind):.0f} %" if arm in result["operations"] else "-" for kind in KINDS]
        fed = f"{feeding(turns, arm):.2f} %" if "feeding" in own[0] else "-"
        steps.append([arm, milliseconds, f"{padding:.0f} %", *shares, fed])
    peaks = [[p["arm"], *(f"{p['memory'][key]:,.0f}" for key in ("vm_hwm", "children"))] for p in result["peaks"]]
    other = f", {rate(ceiling(result, 'fp32'))} at fp32" if precision == "bf16" else ""
    about = {name: result[name] for name in ("size", "parameters")}
    about |= {"batch": BATCH, "length": novels.LENGTH, "warm": WARM}
    parts = [
        f"## Pre-training: masked words, {result['size']}, at {precision}",
        f"`{result['command']}`. {measure.describe(result['machine'])} {measure.disturbance(result['busy'])}",
        result["text"] + " " + ABOUT.format(**about),
        measure.table(["", "ours, tokens/s", "peer, tokens/s", "speed", "peer's switches"], rows),
        measure.targets_table(result["targets"]),
        *([WITHOUT_BF16] if precision == "fp32" else []),
        PRODUCTS.format(
            rounds=5,
            rate=rate(ceiling(result, precision)),
            precision=precision,
            other=other,
            muon=f"{orthogonal(result['size']) / 1e9:,.0f}",
        ),
        measure.table(["arm", "ms a step", "padding", "operations", "computed", "masks and batches"], steps),
        "Peak memory of a process of its own that trains once; the target takes the peer's leaner one:",
        measure.table(["process", "peak (VmHWM), MiB", "largest child, MiB"], peaks),
    ]
    if result["grid"]:
        parts += [
            f"The search for the peer's fastest switches ({result['searched']}): the mean of {PROBED} steps behind the "
            f"first {WARM}.",
            measure.table(grid.HEAD, [grid.row_of(row) for row in result["grid"]]),
        ]
    return "\n\n".join(parts)


def orthogonal(size: str) -> float:
    """Operations of Muon's Newton-Schulz in a step of our recipe."""
    from maskwright.models import family
    from maskwright.pretraining.calculator import work
    from maskwright.pretraining.objectives.mlm import Mlm
    from maskwright.pretraining.sizes import shape
    from maskwright.training.optimizers.muon import Muon

    kind = family("modernbert")
    return work.update(work.trained(kind, kind.Config(**shape(kind, size)), Mlm()), Muon())


def rate(operations: float) -> str:
    return f"{operations / 1e9:,.0f} GFLOP/s"


def in_words(cell: dict[str, Any] | None) -> str:
    """The peer's switches."""
    if cell is None:
        return "-"
    more = ", compiled" * cell["compile"] + f", {cell['workers']} worker" * bool(cell["workers"])
    return f"{cell['precision']}, {cell['loop']}, {cell['attention']}, {cell['threads']} threads{more}"


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.pretrain", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20, help="timed steps of a turn")
    parser.add_argument("--quick", action="store_true", help="a small network, two steps, no search, nothing saved")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        serve(importlib.import_module("bench._pretrain_sides").Side().answer)
    else:
        from bench.__main__ import run

        given = options(sys.argv[1:])
        run(lambda: main(given.repeats, given.steps, given.quick), section)
