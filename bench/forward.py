"""Forward only: MiniLM over real English of mixed lengths, ours packed beside transformers' AutoModel padded.

    python -m bench.forward [--repeats 3] [--quick]      (--quick: two batches a workload; printed, not saved)

Texts are tokenized beforehand; building batches (packing, padding) is inside of the timed span on each side, and each
gives the last hidden state of every token. The sides wait in processes of their own and are timed in turns.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from itertools import product
from typing import Any

import numpy as np

from bench import _measure as measure
from bench import _texts as texts
from bench._child import ArmFailed, Child, serve

NAME = "forward"
PRECISIONS = ("fp32", "bf16")
ORDERS = {  #: workload -> (texts, order)
    "6 to 50, as they come": ("short", "arrival"),
    "6 to 50, sorted": ("short", "sorted"),
    "50 to 400, as they come": ("long", "arrival"),
    "50 to 400, sorted": ("long", "sorted"),
    "all 32": ("equal 32", "arrival"),
    "all 128": ("equal 128", "arrival"),
}
#: (ours, peer, least speed-up or None): what stands beside what, and what the issue asks of it
PAIRS = [
    ("6 to 50, as they come", "6 to 50, as they come", 1.8),
    ("6 to 50, as they come", "6 to 50, sorted", 1.0),
    ("6 to 50, sorted", "6 to 50, sorted", None),
    ("50 to 400, as they come", "50 to 400, as they come", 1.8),
    ("50 to 400, as they come", "50 to 400, sorted", 1.0),
    ("50 to 400, sorted", "50 to 400, sorted", None),
    ("all 32", "all 32", 1.0),
    ("all 128", "all 128", 1.0),
]
SIDES = ("ours", "peer", "peer plain")
HEAVIEST = "50 to 400, as they come"  #: the workload that makes the peak of memory
TEXTS = 32  #: in the peer's batches while its switches are searched
SIZES = (16, 32, 64, 128, 256)  #: texts in a batch of the peer, tried with the fastest switches
PROBE_BATCHES = 3  #: of TEXTS
PROBE_TEXTS = 384  #: whatever the size of a batch
COMPILE_LIMIT = 90.0  #: seconds that a compiled model may take for its first workload
GRID_HEAD = ["precision", "as", "attention", "threads", "compile", "texts a batch"]


# ---------------------------------------------------------------- the peer's fastest switches


def grid(precision: str) -> list[dict[str, Any]]:
    """The peer's grid at one precision. bf16 is done in two ways, autocast and weights cast to bf16; the second, which
    is the leaner, is also compiled."""
    ways = ["fp32"] if precision == "fp32" else ["autocast", "cast"]
    tried = [("sdpa", measure.cores(), False), ("eager", measure.cores(), False), ("sdpa", 1, False)]
    cells = [(way, *switches) for way in ways for switches in tried] + [(ways[-1], "sdpa", measure.cores(), True)]
    cells = [dict(zip(("way", "attention", "threads", "compile"), cell, strict=True)) for cell in cells]
    cells = [{"precision": precision, **cell, "texts": TEXTS} for cell in cells]
    return cells


def search(quiet: measure.Quiet) -> list[dict[str, Any]]:
    """Of each cell the time on a few batches of each workload, or why it has none; and then of the fastest cells with
    batches of other sizes on the workloads that they were fastest on."""
    rows = [probe(cell, list(ORDERS), quiet) for precision in PRECISIONS for cell in grid(precision)]
    best: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for precision, workload, plain in product(PRECISIONS, ORDERS, (False, True)):
        cell = fastest(rows, precision, workload, plain)
        workloads = best.setdefault(measure.config_hash(cell), (cell, []))[1]
        if workload not in workloads:
            workloads.append(workload)
    for cell, workloads in best.values():
        rows += [probe({**cell, "texts": size}, workloads, quiet, PROBE_TEXTS) for size in SIZES]
    return rows


def probe(
    cell: dict[str, Any], workloads: list[str], quiet: measure.Quiet, count: int = PROBE_BATCHES * TEXTS
) -> dict[str, Any]:
    """Microseconds that a token takes in each workload, in `count` texts that lie evenly over it."""
    quiet.check("a probe")
    row: dict[str, Any] = {"cell": cell, "texts": count, "micros": {}}
    try:
        with open_child("peer", cell) as child:
            for workload in workloads:
                request = {"workload": workload, "batches": count // cell["texts"]}
                answered = child.ask(request, COMPILE_LIMIT)
                row["micros"][workload] = 1e6 * answered["seconds"] / answered["tokens"]
    except ArmFailed as problem:
        row["failed"] = str(problem)
    print(" | ".join(grid_row(row)), flush=True)
    return row


def fastest(rows: list[dict[str, Any]], precision: str, workload: str, plain: bool = False) -> dict[str, Any]:
    """The peer's cell that was fastest on this workload at this precision, of those that were probed on the most texts;
    `plain`: of sdpa without compile."""
    able = [r for r in rows if r["cell"]["precision"] == precision and workload in r["micros"]]
    if plain:
        able = [r for r in able if r["cell"]["attention"] == "sdpa" and not r["cell"]["compile"]]
    if not able:
        raise measure.Stop(f"No cell of the peer's grid ran {workload!r} at {precision}. {rows[0].get('failed', '')}")
    most = max(row["texts"] for row in able)
    able = [row for row in able if row["texts"] == most]
    cell: dict[str, Any] = min(able, key=lambda row: float(row["micros"][workload]))["cell"]
    return cell


def grid_row(row: dict[str, Any]) -> list[str]:
    cell = row["cell"]
    times = [measure.number(row["micros"][w]) if w in row["micros"] else "-" for w in ORDERS]
    why = " ".join(row.get("failed", "").replace("|", "/").split())[:160]
    compiled = "on" if cell["compile"] else "off"
    switches = [cell["way"], cell["attention"], str(cell["threads"]), compiled, str(cell["texts"])]
    return [cell["precision"], *switches, *times, why]


def open_child(side: str, cell: dict[str, Any]) -> Child:
    """A process of one side that holds its model and answers workloads."""
    env = {"TORCHINDUCTOR_CACHE_DIR": str(measure.cache_folder("inductor"))}
    if "threads" in cell:
        env["OMP_NUM_THREADS"] = str(cell["threads"])
    name = " ".join([side, *(str(value) for value in cell.values())])
    child = Child(f"bench.{NAME}", name, env)
    try:
        child.ask({"open": side, "cell": cell})
    except ArmFailed:
        child.close(now=True)
        raise
    return child


# ---------------------------------------------------------------- the measurement


def main(repeats: int = 3, quick: bool = False, sides: tuple[str, ...] = SIDES) -> dict[str, Any]:
    """Time the sides in turns on each workload. `quick`: two batches of each, no search, nothing saved."""
    texts.prepare()
    quiet = measure.Quiet()
    rows: list[dict[str, Any]] = []
    searched = ""
    if not quick:
        config = {
            "cells": [grid(p) for p in PRECISIONS],
            "orders": ORDERS,
            "probes": (PROBE_BATCHES, PROBE_TEXTS, SIZES),
            "texts": texts.fingerprint(),
            "limit": COMPILE_LIMIT,
        }
        print(" | ".join([*GRID_HEAD, *ORDERS]))
        kept = measure.cached(f"{NAME}-grid", config, lambda: search(quiet))
        rows, searched = kept["found"], kept["date"]
    times: list[dict[str, Any]] = []
    facts: list[dict[str, Any]] = []
    peaks: list[dict[str, Any]] = []
    for precision in PRECISIONS:
        turns = Turns(precision, rows)
        try:
            for repeat, workload in product(range(repeats), ORDERS):
                quiet.check(f"{workload}, {precision}, repeat {repeat}")
                for side, cell in turns.arms(workload, sides):
                    turns.take(side, cell, workload, 2 if quick else None)
            facts += turns.finish()
        finally:
            turns.close()
        times += turns.times
        peaks += [weigh(precision, *arm, 2 if quick else None) for arm in turns.arms(HEAVIEST, sides)]
    result = {
        "machine": measure.machine(),
        "command": f"python -m bench.forward --repeats {repeats}" + " --quick" * quick,
        "texts": texts.summary(),
        "grid": rows,
        "searched": searched,
        "times": times,
        "sides": facts,
        "peaks": peaks,
        "errors": errors(facts),
        "targets": measure.dump_targets(targets(times, facts, peaks)),
        "busy": quiet.worst,
    }
    for fact in facts:
        del fact["states"]
    if not quick and set(sides) == set(SIDES):
        measure.save(NAME, result)
    return result


class Turns:
    """The processes of one precision, opened when they are first needed, and what they measured.

    The peer stands here twice: at its fastest switches, and "plain" (sdpa, not compiled) where that is another cell.
    """

    def __init__(self, precision: str, rows: list[dict[str, Any]]) -> None:
        way = "fp32" if precision == "fp32" else "cast"
        usual = {"precision": precision, "way": way, "attention": "sdpa", "threads": measure.cores(), "compile": False}
        usual |= {"texts": TEXTS}
        self.precision = precision
        self.cells: dict[tuple[str, str], dict[str, Any]] = {("ours", w): {"precision": precision} for w in ORDERS}
        self.cells |= {("peer", w): fastest(rows, precision, w) if rows else usual for w in ORDERS}
        self.cells |= {("peer plain", w): fastest(rows, precision, w, plain=True) if rows else usual for w in ORDERS}
        self.children: dict[str, Child] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        self.times: list[dict[str, Any]] = []
        self.ids: dict[str, str] = {}

    def arms(self, workload: str, sides: tuple[str, ...] = SIDES) -> list[tuple[str, dict[str, Any]]]:
        """Each side's cell; the plain peer only where it is another one than the fastest."""
        plain = self.cells["peer plain", workload] != self.cells["peer", workload]
        return [(side, self.cells[side, workload]) for side in sides if plain or side != "peer plain"]

    def take(self, side: str, cell: dict[str, Any], workload: str, batches: int | None) -> None:
        """Time one side at its cell on one workload."""
        key, kind = measure.config_hash(cell), side.split()[0]
        if key not in self.children:
            self.children[key] = open_child(kind, cell)
            self.facts[key] = {"side": kind, "precision": self.precision, "cell": cell, "workloads": []}
        answered = self.children[key].ask({"workload": workload, "batches": batches})
        if self.ids.setdefault(workload, answered["ids"]) != answered["ids"]:
            raise ArmFailed(f"{side} read other pieces than the other side in {workload!r}.")
        if workload not in self.facts[key]["workloads"]:
            self.facts[key]["workloads"].append(workload)
        self.times.append({"side": side, "precision": self.precision, "workload": workload, "cell": cell, **answered})
        print(f"{self.precision}, {workload}, {side}: {answered['seconds']:.3f} s", flush=True)

    def finish(self) -> list[dict[str, Any]]:
        """The facts of every process: its cell, its workloads, a file of its hidden states."""
        for key, child in self.children.items():
            path = measure.cache_folder("states") / f"{key}.npy"
            self.facts[key] |= child.ask({"states": str(path)})
        return list(self.facts.values())

    def close(self) -> None:
        for child in self.children.values():
            child.close()


def of(times: list[dict[str, Any]], side: str, precision: str, workload: str) -> list[dict[str, Any]]:
    """The repeats of one side; of the peer itself where the plain peer is the fastest one."""
    found = [t for t in times if (t["side"], t["precision"], t["workload"]) == (side, precision, workload)]
    return found or (of(times, "peer", precision, workload) if side == "peer plain" else [])


def seconds(times: list[dict[str, Any]], side: str, precision: str, workload: str) -> list[float]:
    return [float(t["seconds"]) for t in of(times, side, precision, workload)]


def speed_up(times: list[dict[str, Any]], precision: str, ours: str, peer: str, against: str = "peer") -> float | None:
    """How many times faster ours is on its workload than the peer on its own, medians of the repeats."""
    mine, theirs = seconds(times, "ours", precision, ours), seconds(times, against, precision, peer)
    return measure.median(theirs) / measure.median(mine) if mine and theirs else None


def weigh(precision: str, side: str, cell: dict[str, Any], batches: int | None) -> dict[str, Any]:
    """The peak of memory (MiB) of a process of its own that runs the heaviest workload once."""
    with open_child(side.split()[0], cell) as child:
        child.ask({"workload": HEAVIEST, "batches": batches})
        return {"side": side, "precision": precision, "cell": cell, "memory": child.ask({"memory": True})}


def peak(peaks: list[dict[str, Any]], side: str, precision: str) -> float | None:
    """MiB at one precision: of the peer, its leaner process."""
    found = [p for p in peaks if (p["side"].split()[0], p["precision"]) == (side, precision)]
    return min((float(p["memory"]["vm_hwm"]) for p in found), default=None)


def errors(facts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Largest absolute difference of each process's hidden states from the peer's in fp32, on the same texts."""
    states = {i: np.load(fact["states"]) for i, fact in enumerate(facts)}
    reference = next((i for i, f in enumerate(facts) if (f["side"], f["precision"]) == ("peer", "fp32")), None)
    if reference is None:
        return []
    found = []
    for i, fact in enumerate(facts):
        difference = np.abs(states[i].astype(np.float64) - states[reference])
        found.append({"name": named(fact), "max": float(difference.max()), "mean": float(difference.mean())})
    return found


def named(fact: dict[str, Any]) -> str:
    """A process by its side and precision, the peer's by its switches too."""
    start = f"{fact['side']} {fact['precision']}"
    return start if fact["side"] == "ours" else f"{start}: {in_words(fact['cell'])}"


def targets(
    times: list[dict[str, Any]], facts: list[dict[str, Any]], peaks: list[dict[str, Any]]
) -> list[measure.Target]:
    found = []
    for precision, (ours, peer, least) in product(PRECISIONS, PAIRS):
        if least is not None:
            name = f"speed at {precision}, {ours} / peer {peer}"
            found.append(measure.Target(name, speed_up(times, precision, ours, peer), "at least", least))
    for precision in PRECISIONS:
        mine, theirs = peak(peaks, "ours", precision), peak(peaks, "peer", precision)
        ratio = mine / theirs if mine and theirs else None
        found.append(measure.Target(f"peak memory at {precision}, ours / peer", ratio, "at most", 1.0))
    found.append(measure.Target("largest fp32 difference from the peer", our_error(facts), "at most", 1e-5))
    return found


def our_error(facts: list[dict[str, Any]]) -> float | None:
    return next((e["max"] for e in errors(facts) if e["name"] == "ours fp32"), None)


ABOUT = """\
Full last hidden states, no gradient. Speed is the peer's time over ours at the same precision. Each side has the \
batches that suit it: ours are those of `maskwright predict`, 8,192 tokens each, the peer's 16, 32, 64, 128 or 256 \
texts, whichever is fastest. \
**Peer** is `AutoModel` without its pooler, padded to the longest text of each batch by a short loop into one array \
(faster than `tokenizer.pad`), with its attention mask, in inference mode; for each workload and precision it runs at \
the fastest row of the grid, and "plain" is its fastest row with sdpa and without compile. bf16 is tried in two ways: \
`torch.autocast`, held open over all batches so that cast weights are kept, and weights cast once to bf16. **Ours** \
packs, with its own default of threads. "As they come" is the order of drawing, "sorted" is by length. Memory is \
that of a process of its own that runs 50 to 400 as they come once, and of the leaner one of the peer and the plain \
peer; processes that `torch.compile` starts to compile in are not counted."""


def switches(repeats: list[dict[str, Any]]) -> str:
    """The peer's cell behind a time, in words; ours has none."""
    cell = repeats[0]["cell"] if repeats else {}
    return in_words(cell) if "way" in cell else "-"


def in_words(cell: dict[str, Any]) -> str:
    """The peer's switches: way of computing, attention, threads, compile and texts in a batch."""
    compiled = ", compiled" * cell["compile"]
    return f"{cell['way']}, {cell['attention']}, {cell['threads']} threads{compiled}, {cell['texts']} texts"


def section(result: dict[str, Any]) -> str:
    """This measurement's part of bench/RESULTS.md."""
    times, rows = result["times"], []
    for precision, (ours, peer, _) in product(PRECISIONS, PAIRS):
        sides = seconds(times, "ours", precision, ours), seconds(times, "peer", precision, peer)
        cells = [measure.spread(side) if side else "not measured" for side in sides]
        for against in ("peer", "peer plain"):
            speed = speed_up(times, precision, ours, peer, against)
            cells.append(measure.number(speed) if speed else "-")
        rows.append([precision, ours, peer, *cells, switches(of(times, "peer", precision, peer))])
    head = ["precision", "ours", "peer", "ours, s", "peer, s", "speed", "speed, plain peer", "peer's switches"]
    weights = [[p["side"], p["precision"], switches([p]), f"{p['memory']['vm_hwm']:,.0f}"] for p in result["peaks"]]
    wrong = [[e["name"], f"{e['max']:.2e}", f"{e['mean']:.2e}"] for e in result["errors"]]
    parts = [
        "## Forward: MiniLM over English of mixed lengths",
        f"`{result['command']}`. {measure.describe(result['machine'])} {measure.disturbance(result['busy'])}",
        result["texts"] + " " + ABOUT,
        measure.table(head, rows),
        measure.targets_table(result["targets"]),
        "Difference of the hidden states from the peer's in fp32, on 64 texts of both ranges, and peak memory:",
        measure.table(["side", "largest", "mean"], wrong),
        measure.table(["process", "precision", "switches", "peak (VmHWM), MiB"], weights),
    ]
    if result["grid"]:
        parts += [
            f"The search for the peer's fastest switches ({result['searched']}): microseconds a token, first on "
            f"{PROBE_BATCHES * TEXTS} texts of each workload, then of the fastest on {PROBE_TEXTS}.",
            measure.table([*GRID_HEAD, *ORDERS, "note"], [grid_row(row) for row in result["grid"]]),
        ]
    return "\n\n".join(parts)


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.forward", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="two batches a workload, no search, nothing saved")
    parser.add_argument("--sides", default=",".join(SIDES), help="by comma; saved only when all take part")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        serve(importlib.import_module("bench._sides").Side().answer)
    else:
        from bench.__main__ import run

        given = options(sys.argv[1:])
        run(lambda: main(given.repeats, given.quick, tuple(given.sides.split(","))), section)
