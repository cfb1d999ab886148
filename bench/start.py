"""How long a person waits for the first answer: `maskwright --help`, and `maskwright predict MODEL --text` cold.

    python -m bench.start

Cold means a process that starts from nothing: imports, weights, one text, the answer. Files may be in the page cache.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import _measure as measure
from bench._child import ArmFailed, Child, serve

NAME = "start"
TEXT = "a stirring, funny film"
#: what -> (repeats, seconds allowed)
WAITS = {"--help": (10, 0.3), "predict --text, cold": (5, 3.0)}
SHOWN = 12  #: imports listed when a wait is over its limit


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """In a process of its own, so that the driver never loads torch: make a small model to predict with."""
    from maskwright import finetune

    texts = ["a moving and funny film", "dull , flat and far too long"] * 32
    finetune(
        task="classification",
        model="minilm",
        train={"sentence": texts, "label": ["good", "bad"] * 32},
        text="sentence",
        label="label",
        out=request["out"],
        seed=0,
        overwrite=True,
        settings={"train": {"epochs": 1, "batch_size": 32, "precision": "auto", "checkpoint_minutes": None}},
    )
    return {}


def command() -> str:
    """The installed program beside this Python. Raises Stop when it is not installed."""
    path = Path(sys.executable).with_name("maskwright")
    if not path.exists():
        raise measure.Stop(f"{path.name} is not installed beside {sys.executable}. Run `make setup`.")
    return str(path)


def wait(arguments: list[str], prefix: list[str] | None = None) -> tuple[float, str]:
    """Seconds of one call and what it wrote to stderr. Raises Stop when it fails: a failed start has no time."""
    start = time.perf_counter()
    env = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([*(prefix or []), command(), *arguments], capture_output=True, text=True, env=env)
    passed = time.perf_counter() - start
    if done.returncode or not done.stdout.strip():
        said = " ".join(done.stderr.split())[-400:]
        raise measure.Stop(f"maskwright {' '.join(arguments)} ended with {done.returncode}: {said}")
    return passed, done.stderr


def imports(arguments: list[str]) -> list[list[str]]:
    """The imports that cost most by themselves: name, own milliseconds, milliseconds with what it imports."""
    return slowest_imports(wait(arguments, [sys.executable, "-X", "importtime"])[1], SHOWN)


def slowest_imports(report: str, count: int) -> list[list[str]]:
    """The `count` entries of an `-X importtime` report that took longest by themselves."""
    rows = []
    for line in report.splitlines():
        own, _, rest = line.removeprefix("import time:").partition("|")
        together, _, name = rest.partition("|")
        if line.startswith("import time:") and own.strip().isdigit():
            rows.append((int(own), int(together), name.strip()))
    rows.sort(reverse=True)
    return [[name, f"{own / 1000:.1f}", f"{together / 1000:.1f}"] for own, together, name in rows[:count]]


def main() -> dict[str, Any]:
    """Time both waits; where one is over its limit, say which imports it is spent on."""
    command()
    quiet = measure.Quiet()
    seconds: dict[str, list[float]] = {}
    slow: dict[str, list[list[str]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        calls = {"--help": ["--help"], "predict --text, cold": ["predict", str(out / "model"), "--text", TEXT]}
        try:
            with Child(f"bench.{NAME}", "a small model") as child:
                child.ask({"out": str(out)}, 300)
        except ArmFailed as problem:
            raise measure.Stop(f"No model to predict with: {problem}") from None
        for what, (repeats, limit) in WAITS.items():
            quiet.check(what)
            seconds[what] = [wait(calls[what])[0] for _ in range(repeats)]
            print(f"{what}: {measure.spread(seconds[what])} s", flush=True)
            if measure.median(seconds[what]) > limit:
                slow[what] = imports(calls[what])
    targets = [
        measure.Target(f"maskwright {what}, s", measure.median(seconds[what]), "at most", limit)
        for what, (_, limit) in WAITS.items()
    ]
    result = {
        "machine": measure.machine(),
        "command": "python -m bench.start",
        "seconds": seconds,
        "slow": slow,
        "targets": measure.dump_targets(targets),
        "busy": quiet.worst,
    }
    measure.save(NAME, result)
    return result


def section(result: dict[str, Any]) -> str:
    """This measurement's part of bench/RESULTS.md."""
    rows = [[what, str(len(s)), measure.spread(s), measure.number(s[0])] for what, s in result["seconds"].items()]
    parts = [
        "## Start: the first answer of the command line",
        f"`{result['command']}`. {measure.describe(result['machine'])} {measure.disturbance(result['busy'])}",
        "Wall time of a fresh process. Cold: imports, weights, one text, the answer; files may be in the page cache.",
        measure.table(["maskwright", "runs", "median (smallest to largest), s", "first, s"], rows),
        measure.targets_table(result["targets"]),
    ]
    for what, entries in result["slow"].items():
        parts += [f"`maskwright {what}` is over its limit. Its slowest imports:"]
        parts += [measure.table(["module", "own, ms", "with its imports, ms"], entries)]
    return "\n\n".join(parts)


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        serve(answer)
    else:
        from bench.__main__ import run

        argparse.ArgumentParser(
            prog="python -m bench.start", description=(__doc__ or "").partition("\n")[0]
        ).parse_args()
        run(main, section)
