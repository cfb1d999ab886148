"""The peer of the measurements of pre-training: the search for its fastest switches, and processes of either side.

A cell names them: work (blocks or sentences), precision, loop (bare or the Trainer), attention, threads, data-loading
workers, compile, grouping.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from bench import _measure as measure
from bench import _novels as novels
from bench._child import ArmFailed, Child

MODULE = "bench.pretrain"
SIZE = "6x384"
BATCH = 32  #: sequences
WARM = 3  #: steps at the start of each training that are not timed
PROBED = 9  #: steps of a probe, behind the first WARM
COMPILE_LIMIT = 300.0  #: seconds that a probe may take, compilation included
HEAD = ["work", "precision", "loop", "attention", "threads", "workers", "compile", "ms a step", "note"]


def found(made: novels.Novels, network: str, precision: str, quiet: measure.Quiet) -> dict[str, Any]:
    """The rows of the search (`found`) and its `date`, made once for these versions and this processor. At bf16 the
    peer's fastest at fp32 is searched for too."""
    kinds = [("blocks", precision), ("sentences", precision)] + [("blocks", "fp32")] * (precision == "bf16")
    config = {"kinds": kinds, "steps": (WARM, PROBED), "size": SIZE, "batch": BATCH, "limit": COMPILE_LIMIT}
    return measure.cached("pretrain-grid", config, lambda: search(made, network, kinds, quiet))


def search(
    made: novels.Novels, network: str, kinds: list[tuple[str, str]], quiet: measure.Quiet
) -> list[dict[str, Any]]:
    """Probe the grid of each work and precision: attention x workers on all cores and one thread; then compiled, with
    either attention, at the cell that won; then the Trainer in the place of the bare loop."""
    rows: list[dict[str, Any]] = []
    print("\n".join(measure.table(HEAD, []).splitlines()))

    def try_(cell: dict[str, Any]) -> None:
        quiet.check("a probe")
        row: dict[str, Any] = {"cell": cell}
        try:
            with open_side(made, "peer", {"cell": cell, "network": network}) as child:
                told = child.ask({"steps": PROBED}, COMPILE_LIMIT)
                row["step"] = sum(told["seconds"]) / len(told["seconds"])
                row["token"] = sum(told["seconds"]) / sum(told["tokens"])
        except ArmFailed as problem:
            row["failed"] = str(problem)
        rows.append(row)
        print(measure.table(HEAD, [row_of(row)]).splitlines()[-1], flush=True)

    for work, precision in kinds:
        for attention, workers in product(("sdpa", "eager"), (0, 1)):
            try_({**usual(work, precision), "attention": attention, "workers": workers})
        try_({**usual(work, precision), "threads": 1})
        plain = fastest(rows, work, precision)
        for attention in ("sdpa", "eager"):
            try_({**plain, "attention": attention, "compile": True})
        if work == "blocks":
            try_({**fastest(rows, work, precision), "loop": "trainer"})
    return rows


def usual(work: str, precision: str) -> dict[str, Any]:
    """The switches of a probe before any is known to be faster."""
    plain = {"loop": "bare", "attention": "sdpa", "threads": measure.cores(), "workers": 0, "compile": False}
    return {"work": work, "precision": precision, **plain, "grouping": "arrival"}


def fastest(rows: list[dict[str, Any]], work: str, precision: str, **only: Any) -> dict[str, Any]:
    """The cell with the fewest seconds a piece of this work and precision; `only`: switches that it must have, such as
    compile=False. Without rows, as `--quick` has none, the usual one."""
    if not rows:
        return {**usual(work, precision), **only}
    able = [r for r in rows if "token" in r and (r["cell"]["work"], r["cell"]["precision"]) == (work, precision)]
    able = [row for row in able if all(row["cell"][name] == value for name, value in only.items())]
    if not able:
        raise measure.Stop(f"No cell of the peer's grid ran {work} at {precision}. {rows[0].get('failed', '')}")
    cell: dict[str, Any] = min(able, key=lambda row: float(row["token"]))["cell"]
    return cell


def row_of(row: dict[str, Any]) -> list[str]:
    cell = row["cell"]
    switches = [str(cell[name]) for name in ("work", "precision", "loop", "attention", "threads", "workers")]
    why = " ".join(row.get("failed", "").replace("|", "/").split())[:160]
    step = measure.number(1000 * row["step"]) if "step" in row else "-"
    return [*switches, "on" if cell["compile"] else "off", step, "failed: " + why if why else ""]


def open_side(made: novels.Novels, side: str, request: dict[str, Any]) -> Child:
    """A process of one side that holds its network and trains."""
    cell = request.get("cell", {})
    env = {"TORCHINDUCTOR_CACHE_DIR": str(measure.cache_folder("inductor"))}
    if "threads" in cell:
        env["OMP_NUM_THREADS"] = str(cell["threads"])
    values = cell or {k: v for k, v in request.items() if k != "network"}
    child = Child(MODULE, " ".join([side, *map(str, values.values())]), env)
    try:
        child.ask({"open": side, "corpus": str(made.corpus), "tokenizer": str(made.tokenizer), **request})
    except ArmFailed:
        child.close(now=True)
        raise
    return child
