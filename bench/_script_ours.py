"""Our side of `bench.scripts`, in a process of its own: a case with all its seeds, from its rows to its page, as
`maskwright benchmark` runs it."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from bench import _measure as measure
from bench._script_cases import CASES, benchmark_of, way_of

PLACES = ("where", "text", "pair")  #: of a prediction; the rows are known by their order


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Figures of all seeds, the saved model's answers, and the settings that stand beside the peer's recipe."""
    case = CASES[request["name"]]
    run, seconds = run_of(request["name"], Path(request["runs"]), request["seeds"])
    summary = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    settings = json.loads((run / "config.json").read_text(encoding="utf-8"))["settings"]
    lines = (run / "predictions.jsonl").read_text(encoding="utf-8").split("\n")
    told = [json.loads(line) for line in lines if line]
    train = settings["train"]
    return {
        "seconds": seconds, "seeds": request["seeds"], "memory": measure.peak_memory(),
        "figures": {name: summary["figures"][name] for name in case.metrics if name in summary["figures"]},
        "predictions": [{key: value for key, value in row.items() if key not in PLACES} for row in told],
        "recipe": {
            "lr": train["lr"], "batch": train["batch_size"], "epochs": train["epochs"],
            "max_length": settings["max_length"],
        },
    }  # fmt: skip


def run_of(name: str, runs: Path, seeds: int) -> tuple[Path, float]:
    """A case from its rows to its page, begun anew: the run's folder, and seconds."""
    from maskwright.finetuning.benchmark import benchmark, settings_of
    from maskwright.finetuning.run import finetune

    of, data = benchmark_of(name), measure.data_folder("").resolve()
    folder = runs / (of.name if of else "alone")
    shutil.rmtree(folder / name, ignore_errors=True)
    start = time.perf_counter()
    if of is not None:
        benchmark(of.name, data, out=folder, only=[name], seeds=seeds, resume=True, quiet=True)
    else:
        case, (way, place) = CASES[name], way_of(name)
        tables = way.tables(place)
        finetune(
            train=tables["train"], eval=tables.get("eval"), test=tables.get("test"), task={**case.task, **way.task},
            model="minilm", out=folder / name, seeds=seeds, quiet=True, settings=settings_of(case, way),
        )  # fmt: skip
    return folder / name, time.perf_counter() - start
