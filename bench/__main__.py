"""`python -m bench`: run every measurement and write bench/RESULTS.md; `python -m bench NAME ...` runs only those."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from bench import _measure as measure
from bench._command import leaving

#: the short ones first
SCRIPTS = ("start", "encode", "attention", "forward", "families", "finetune", "predict", "pretrain")
LONG = ("scripts", "pretrain_quality")  #: these take hours, and run only when they are named


def write_results() -> None:
    """Make bench/RESULTS.md anew from the results that are there, each with its own date and machine."""
    sections = []
    for name in (*SCRIPTS, *LONG):
        kept = [measure.RESULTS / f"{name}.json", *sorted(measure.RESULTS.glob(f"{name}-*.json"))]
        section = importlib.import_module(f"bench.{name}").section
        sections += [section(json.loads(path.read_text())) for path in kept if path.exists()]
    if not sections:
        return
    intro = (
        "# Results\n\nWritten by `python -m bench` from the files in `results/`; do not edit by hand. "
        "How each number is taken: `README.md`."
    )
    (measure.HERE / "RESULTS.md").write_text("\n\n".join([intro, *sections]) + "\n")


def run(main: Callable[[], dict[str, Any]], section: Callable[[dict[str, Any]], str]) -> None:
    """One measurement from its command line: print its section and renew bench/RESULTS.md.

    Leaves with 2 when it cannot start, and with 1 when a side failed.
    """
    with leaving():
        print("\n" + section(main()))
    write_results()


if __name__ == "__main__":
    asked = sys.argv[1:] or list(SCRIPTS)
    wrong = [name for name in asked if name not in (*SCRIPTS, *LONG)]
    if wrong:
        print(f"error: there is no measurement {wrong[0]!r}. Allowed: {', '.join((*SCRIPTS, *LONG))}.", file=sys.stderr)
        raise SystemExit(2)
    for name in asked:
        print(f"\n=== {name}", flush=True)
        # Each in a process of its own, as it runs alone: what one sets in its environment (how many kernels oneDNN
        # keeps, say) would reach the sides of the next.
        done = subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False)
        if done.returncode:
            raise SystemExit(done.returncode)
