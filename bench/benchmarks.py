"""The tables of `maskwright benchmark glue|squad|tagging` with MiniLM, put into docs/results.md.

    python -m bench.benchmarks [--seeds 3] [NAME ...]

A benchmark that was stopped goes on where it was: its runs lie under bench/.cache, and `python -m bench.scripts`, which
measures how long they take, leaves its own there. So they may be of several days, which stand under the table.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import _measure as measure
from bench._command import leaving, parser

NAME = "benchmarks"
NAMES = ("glue", "squad", "tagging")


def command(name: str, seeds: int) -> str:
    return f"maskwright benchmark {name} --data $MASKWRIGHT_DATA --seeds {seeds} --out runs/{name} --resume"


def runs(seeds: int) -> Path:
    """Where the runs of all benchmarks lie, one folder each. A benchmark of other seeds is another one."""
    folder = measure.cache_folder(NAME) / f"seeds-{seeds}" / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run(name: str, seeds: int) -> dict[str, Any]:
    """One command in the cache's folder. Returns its results.json and its page, without this machine's folders."""
    where, data = runs(seeds).parent, measure.data_folder("").resolve()
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "MASKWRIGHT_DATA": str(data)}
    if subprocess.run(command(name, seeds) + " --quiet", shell=True, cwd=where, env=env).returncode:
        raise measure.Stop(f"{command(name, seeds)} failed; its runs lie under {where}.")
    return read(runs(seeds) / name, data)


def read(folder: Path, data: Path) -> dict[str, Any]:
    """What a finished benchmark left in its folder, and when and on what each of its cases was run."""

    def text(file: str) -> str:
        whole = (folder / file).read_text(encoding="utf-8")
        return whole.replace(str(data), "$MASKWRIGHT_DATA").replace(str(folder.resolve()), f"runs/{folder.name}")

    told = json.loads(text("results.json"))
    return {"told": told, "page": text("README.md"), "ran": {case: ran(folder / case) for case in told["cases"]}}


def ran(case: Path) -> dict[str, Any]:
    """Of one finished run: the day on which it ended, the machine, the versions."""
    config = json.loads((case / "config.json").read_text(encoding="utf-8"))
    ended = datetime.fromtimestamp((case / "metrics.json").stat().st_mtime, UTC)
    return {"date": f"{ended:%Y-%m-%d}", "machine": config["machine"], "versions": config["versions"]}


def section(name: str, result: Mapping[str, Any]) -> str:
    """The benchmark's own page, one heading deeper, with the command, the days and the machines."""
    text = result["page"].replace("# ", "## ", 1).rstrip()
    return f"{text}\n\n`{command(name, result['told']['seeds'])}`. {days(result['ran'].values())}"


def days(each: Iterable[Mapping[str, Any]]) -> str:
    """Each machine once, with the days of its runs."""
    found: dict[str, set[str]] = {}
    for one in each:
        machine, versions = one["machine"], ", ".join(f"{name} {version}" for name, version in one["versions"].items())
        where = f"{machine['processor']}, {machine['device']}, {machine['threads']} threads; {versions}"
        found.setdefault(where, set()).add(one["date"])
    return " ".join(f"{', '.join(sorted(some))}: {where}." for where, some in found.items())


def main(names: list[str], seeds: int) -> None:
    results = measure.load(NAME)
    for name in names:
        results[name] = run(name, seeds)
        results = {each: results[each] for each in NAMES if each in results}
        measure.save(NAME, results)
        measure.fill("docs/results.md", NAME, "\n\n".join(section(each, results[each]) for each in results))


if __name__ == "__main__":
    given = parser(NAME, __doc__, NAMES).parse_args()
    with leaving():
        main(given.names or list(NAMES), given.seeds)
