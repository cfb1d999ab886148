"""Fine-tune MiniLM on SST-2 sentences: ours beside transformers' Trainer, at its fastest switches and at its defaults.

    python -m bench.finetune [--seeds 3] [--rows N] [--arms "ours,peer grouped"]

The timed span is the same on each side: from texts in memory to a trained model, that is tokenization and training.
Imports, loading the weights, evaluation and saving stand outside of it and are reported beside it. Every run is a
fresh process; the sides take turns, seed by seed.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import inspect
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import _measure as measure
from bench import _trainer as trainer
from bench._child import serve
from bench._trainer import PROBE_STEPS, RECIPE, accuracy, read

NAME = "finetune"
ARMS = ("ours", "peer grouped", "peer defaults")
DEFAULTS = {"precision": "fp32", "grouping": "random", "compile": False, "workers": 0, "defaults": True}
OURS = {
    "epochs": RECIPE["epochs"],
    "batch_size": RECIPE["batch_size"],
    "lr": RECIPE["lr"],
    "optimizer": {"name": "adamw", "weight_decay": RECIPE["weight_decay"]},
    "clip": RECIPE["clip"],
    "schedule": {"name": "linear", "warmup": RECIPE["warmup"]},
    "precision": "bf16",
    "checkpoint_minutes": None,
}


# ---------------------------------------------------------------- our side, in a process of its own


def answer(request: dict[str, Any]) -> dict[str, Any]:
    return train_ours(request) if request["arm"] == "ours" else trainer.train_peer(request)


def train_ours(request: dict[str, Any]) -> dict[str, Any]:
    start = time.perf_counter()
    finetune = importlib.import_module("maskwright").finetune  # the root is lazy: the name imports what a run needs
    imported = time.perf_counter() - start
    rows, clocks = request["rows"], Clocks()
    clocks.watch("maskwright.tasks", "Model", "build")
    clocks.watch("maskwright.tasks", "Model", "encode")
    clocks.watch("maskwright.training.loop", "Loop", "run")
    clocks.watch("maskwright.training.loop", "Loop", "_evaluate")
    columns = {split: dict(zip(("sentence", "label"), read(split, rows), strict=True)) for split in ("train", "dev")}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run = finetune(
            task="classification",
            model="minilm",
            train=columns["train"],
            eval=columns["dev"],
            text="sentence",
            label="label",
            out=str(Path(folder) / "run"),
            seed=request["seed"],
            max_length=RECIPE["max_length"],
            overwrite=True,
            seeds=1,
            baselines=False,
            settings={"train": OURS, "data": {"eval_chooses": True}},  # as the peer does: dev chooses the epoch
        )
        whole, memory = time.perf_counter() - start, measure.peak_memory()
        seconds = our_span(clocks.calls, start)
        texts = {split: read(split, rows) for split in ("dev", "test")}
        scores = {s: accuracy([p["label"] for p in run.predict(t)], gold) for s, (t, gold) in texts.items()}
    return {"import": imported, "whole": whole, **seconds, "accuracy": scores, "memory": memory}


class Clocks:
    """Notes when methods of ours began and how long they took, so that the same span can be cut out on each side."""

    def __init__(self) -> None:
        self.calls: dict[str, list[tuple[float, float]]] = {}

    def watch(self, module: str, owner: str, name: str) -> None:
        """From now on each call of `module.owner.name` is noted as (start, seconds)."""
        holder = getattr(importlib.import_module(module), owner)
        raw = inspect.getattr_static(holder, name)
        function, noted = getattr(raw, "__func__", raw), self.calls.setdefault(name, [])

        @functools.wraps(function)
        def clocked(*given: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                noted.append((start, time.perf_counter() - start))

        setattr(holder, name, classmethod(clocked) if isinstance(raw, classmethod) else clocked)


def our_span(calls: dict[str, list[tuple[float, float]]], start: float) -> dict[str, float]:
    """Seconds from the call of finetune to the end of its training loop, without loading the weights and without
    judging (and keeping the best weights) after each epoch. All else is ours to answer for: reading the columns,
    checks, digests, encoding the dev rows, opening the run's folder."""
    (began, looped), load = calls["run"][0], calls["build"][0][1]
    train = looped - sum(seconds for _, seconds in calls["_evaluate"])
    tokenize = sum(seconds for at, seconds in calls["encode"] if at < began)
    return {"load": load, "tokenize": tokenize, "train": train, "span": began - start - load + train}


# ---------------------------------------------------------------- the measurement


def main(
    seeds: int = 3, rows: int | None = None, arms: tuple[str, ...] = ARMS, defaults_seeds: int | None = None
) -> dict[str, Any]:
    """Search (or take from the cache) the peer's switches, then time every side in turns. `rows` is for a quick look:
    so many texts, no search. A quick look or a run without every arm is printed and not saved."""
    read("train")  # says at once when the data is missing
    measure.minilm_folder()
    quiet = measure.Quiet()
    grid, searched, best = [], "", {"attention": "sdpa", "threads": measure.cores(), "workers": 0, "compile": False}
    best = {"precision": "bf16", "grouping": "group_by_length", **best}
    if rows is None and "peer grouped" in arms:
        config = {"recipe": RECIPE, "steps": PROBE_STEPS, "limit": trainer.COMPILE_LIMIT}
        kept = measure.cached(f"{NAME}-grid", config, lambda: trainer.search(quiet))
        grid, searched = kept["found"], kept["date"]
        best = trainer.fastest(grid)["cell"]
        print(f"The peer's fastest switches: {best}")
    cells = {"ours": {}, "peer grouped": best, "peer defaults": DEFAULTS}
    runs = []
    for seed in range(seeds):
        for arm in arms:
            if arm == "peer defaults" and defaults_seeds is not None and seed >= defaults_seeds:
                continue
            quiet.check(f"{arm}, seed {seed}")
            request = {"arm": arm, "cell": cells[arm], "seed": seed, "rows": rows, "steps": None}
            env = {**trainer.peer_env(cells[arm]), "TORCHINDUCTOR_CACHE_DIR": str(measure.cache_folder("inductor"))}
            runs.append({"arm": arm, "seed": seed, **trainer.ask_once(f"{arm} {seed}", request, env)})
            print(f"{arm}, seed {seed}: {progress(runs[-1])}", flush=True)
    result = {
        "machine": measure.machine(),
        "command": f"python -m bench.finetune --seeds {seeds}"
        + (f" --rows {rows}" if rows else "")
        + (f" --defaults-seeds {defaults_seeds}" if defaults_seeds is not None else ""),
        "rows": len(read("train", rows)[0]),
        "grid": grid,
        "searched": searched,
        "cells": cells,
        "runs": runs,
        "targets": measure.dump_targets(targets(runs)),
        "busy": quiet.worst,
    }
    if rows is None and set(arms) == set(ARMS):
        measure.save(NAME, result)
    return result


def progress(run: dict[str, Any]) -> str:
    return f"{run['span']:.1f} s, dev {run['accuracy']['dev']:.2f}, peak {run['memory']['vm_hwm']:,.0f} MiB"


def pick(runs: list[dict[str, Any]], arm: str, *path: str) -> list[float]:
    """One figure of every run of an arm, in the order of the seeds."""
    found: list[Any] = [run for run in runs if run["arm"] == arm]
    for key in path:
        found = [value[key] for value in found]
    return found


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def targets(runs: list[dict[str, Any]]) -> list[measure.Target]:
    """The issue's limits for this job; a side that did not run leaves its targets unmeasured."""

    def ratio(peer: str, *path: str) -> float | None:
        ours, theirs = pick(runs, "ours", *path), pick(runs, peer, *path)
        return measure.median(ours) / measure.median(theirs) if ours and theirs else None

    ours, theirs = (pick(runs, arm, "accuracy", "dev") for arm in ("ours", "peer grouped"))
    points = mean(ours) - mean(theirs) if ours and theirs else None
    memory = ("memory", "vm_hwm")
    return [
        measure.Target("wall time, ours / peer grouped bf16", ratio("peer grouped", "span"), "at most", 0.75),
        measure.Target("wall time, ours / peer defaults", ratio("peer defaults", "span"), "at most", 0.3),
        measure.Target("mean dev accuracy, ours - peer grouped, points", points, "at least", -0.3),
        measure.Target("peak memory, ours / peer grouped bf16", ratio("peer grouped", *memory), "at most", 1.0),
        measure.Target("peak memory, ours / peer defaults", ratio("peer defaults", *memory), "at most", 1.0),
    ]


ABOUT = """\
{rows:,} sentences, {epochs} epochs, batch {batch_size}, at most {max_length} pieces, dropout 0.1 (hidden and \
attention), AdamW {lr:g} with decay {weight_decay:g}, linear schedule with warm-up {warmup:.0%}, clipping at {clip:g}, \
on each side. **Ours** runs in bf16 (fp32 master weights), its rows in random order. \
**Peer grouped** is transformers' Trainer in bf16 with \
`train_sampling_strategy="group_by_length"`, at the fastest row of the grid below. **Peer defaults** is the same \
Trainer in fp32, random order, dynamic padding: on this processor a ratio against fp32 counts the hardware's bf16 and \
a weak fp32 library as well as us.

The timed span goes from texts in memory to a trained model: tokenization, training and all that a side does between \
them. Checkpoints are off on each side. Imports, loading the weights and judging stand outside of it, and saving too. \
Each side judges dev after every epoch and answers with its better epoch, so dev chooses an epoch of two; test does \
not. `whole` has loading, the span, judging and saving (the peer judges test too, ours reloads what it saved and \
compares). Times are medians (smallest to largest) of the seeds; accuracies are means (seed by seed), by one piece of \
code on each side's labels. Peak is VmHWM / ru_maxrss / largest child process (a fork counts pages that it shares)."""

GRID = """\
The search for the peer's fastest switches, of {date}: {steps} steps a cell, the median of all but the first 10, \
and from them seconds for the whole job. Compiled cells ran twice and count with a warm kernel cache. The fastest \
({winner}) was timed again for the table above."""


def section(result: dict[str, Any]) -> str:
    """This measurement's part of bench/RESULTS.md."""
    runs, rows = result["runs"], []
    for arm in dict.fromkeys(run["arm"] for run in runs):
        keys = ("span", "tokenize", "train", "import", "load", "whole")
        cells = [measure.spread(pick(runs, arm, key)) for key in keys]
        for split in ("dev", "test"):
            scores = pick(runs, arm, "accuracy", split)
            cells.append(f"{mean(scores):.2f} ({', '.join(f'{score:.2f}' for score in scores)})")
        peaks = [measure.median(pick(runs, arm, "memory", key)) for key in ("vm_hwm", "ru_maxrss", "children")]
        rows.append([arm, *cells, " / ".join(f"{peak:,.0f}" for peak in peaks)])
    head = ["side", "texts to model, s", "of it tokenize", "of it train", "import, s", "load, s", "whole, s"]
    winner = ", ".join(f"{key} {value}" for key, value in result["cells"]["peer grouped"].items())
    parts = [
        "## Fine-tuning: MiniLM on SST-2 sentences",
        f"`{result['command']}`. {measure.describe(result['machine'])} {measure.disturbance(result['busy'])}",
        ABOUT.format(rows=result["rows"], **RECIPE),
        measure.table([*head, "dev accuracy", "test accuracy", "peak, MiB"], rows),
        measure.targets_table(result["targets"]),
    ]
    if result["grid"]:
        parts += [
            GRID.format(steps=PROBE_STEPS, winner=winner, date=result["searched"]),
            measure.table(trainer.GRID_HEAD, [trainer.grid_row(row) for row in result["grid"]]),
        ]
    return "\n\n".join(parts)


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.finetune", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--defaults-seeds", type=int, help="fewer seeds for the slow arm, the Trainer's defaults")
    parser.add_argument("--rows", type=int, help="a quick look: so many texts, no search, nothing saved")
    parser.add_argument("--arms", default=",".join(ARMS), help="sides, by comma; saved only when all take part")
    given = parser.parse_args(arguments)
    given.arms = tuple(arm.strip() for arm in given.arms.split(","))
    if not set(given.arms) <= set(ARMS):
        parser.error(f"--arms: allowed are {', '.join(ARMS)}")
    return given


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        serve(answer)
    else:
        from bench.__main__ import run

        given = options(sys.argv[1:])
        run(lambda: main(given.seeds, given.rows, given.arms, given.defaults_seeds), section)
