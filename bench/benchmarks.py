"""The tables of `maskwright benchmark glue|squad|tagging` with MiniLM, put into docs/results.md.

    python -m bench.benchmarks [--seeds 3] [NAME ...]

A benchmark that was stopped goes on where it was: its runs lie under bench/.cache, and `python -m bench.scripts`, which
measures how long they take, leaves its own there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import _measure as measure

NAMES = ("glue", "squad", "tagging")


def command(name: str, seeds: int) -> str:
    return f"maskwright benchmark {name} --data $MASKWRIGHT_DATA --seeds {seeds} --out runs/{name} --resume"


def runs() -> Path:
    """Where the runs of all benchmarks lie, one folder each."""
    return measure.cache_folder("benchmarks") / "runs"


def run(name: str, seeds: int) -> dict[str, Any]:
    """One command in the cache's folder. Returns its results.json."""
    where = runs().parent
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    env["MASKWRIGHT_DATA"] = str(measure.data_folder("").resolve())
    if subprocess.run(command(name, seeds) + " --quiet", shell=True, cwd=where, env=env).returncode:
        raise measure.Stop(f"{command(name, seeds)} failed; its runs lie under {where}.")
    told: dict[str, Any] = json.loads((runs() / name / "results.json").read_text())
    return {"machine": measure.machine(), "told": told}


def section(name: str, result: dict[str, Any]) -> str:
    """The benchmark's own page, one heading deeper, with the command and the machine."""
    from maskwright.base.choice import find
    from maskwright.finetuning._benchmark_table import page
    from maskwright.finetuning.benchmarks import Benchmark

    told = result["told"]
    text = page(find(Benchmark, name)(), told).replace("# ", "## ", 1)
    return f"{text.rstrip()}\n\n`{command(name, told['seeds'])}` ({measure.describe(result['machine'])})"


def main(names: list[str], seeds: int) -> None:
    path = measure.RESULTS / "benchmarks.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        results[name] = run(name, seeds)
        results = {each: results[each] for each in NAMES if each in results}
        measure.save("benchmarks", results)
        pages = "\n\n".join(section(each, results[each]) for each in results)
        measure.fill("docs/results.md", "benchmarks", pages)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], default=[])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    try:
        main(given.names or list(NAMES), given.seeds)
    except measure.Stop as reason:
        print(f"error: {reason}", file=sys.stderr)
        raise SystemExit(2) from None
