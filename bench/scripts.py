"""Every task beside the recipe of transformers' example scripts: the same rows, official figures, wall time.

    python -m bench.scripts [--seeds 3] [NAME ...]

Ours is what `maskwright benchmark` runs, all of it: reading, checks, each seed's training, judging, the report; it is
left where `python -m bench.benchmarks` finds it, which then only makes tables. The peer's seconds are from rows in
memory to answers: its tokenizer, its Trainer with the recipe that the scripts' documentation gives, and the test rows
in padded batches. Finished sides are kept in results/scripts, by what they were asked, the processor and, of ours, the
source.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench import _measure as measure
from bench import _scripts_told as told
from bench import benchmarks
from bench._child import Child, serve
from bench._script_cases import CASES, Cut, benchmark_of, cut, way_of

NAME = "scripts"
KEPT = measure.RESULTS / NAME
#: what the scripts' documentation gives for each kind: run_glue, run_ner, run_qa, run_swag
RECIPES: dict[str, dict[str, Any]] = {
    "classes": {"batch": 32, "lr": 2e-5, "epochs": 3, "max_length": 128},
    "tagging": {"batch": 8, "lr": 5e-5, "epochs": 3, "max_length": 512},
    "answer": {"batch": 12, "lr": 3e-5, "epochs": 2, "max_length": 384, "stride": 128},
    "choice": {"batch": 16, "lr": 5e-5, "epochs": 3, "max_length": 512},
}
SOURCE = ("base", "nn", "text", "data", "models", "training", "tasks", "finetuning", "evaluation", "runs", "stats")


def main(names: list[str], seeds: int = 3) -> dict[str, Any]:
    """Each case: ours with all its seeds, then the peer's seeds one by one. Saved after each case."""
    from maskwright.base.runtime import device, has_fast_bf16

    precision = "bf16" if has_fast_bf16(device("cpu")) else "fp32"
    path, quiet = measure.RESULTS / f"{NAME}.json", measure.Quiet()
    cases: dict[str, Any] = json.loads(path.read_text())["cases"] if path.exists() else {}
    for name in names:
        made = cut(name)
        quiet.check(name)
        asked = {"side": "ours", "name": name, "seeds": seeds}
        ours = kept(f"ours {name}", asked, measure.source(*SOURCE), {"runs": str(benchmarks.runs())})
        recipe = {**RECIPES[made.kind], **made.recipe}
        asked = {"side": "peer", "kind": made.kind, "names": made.names, "recipe": recipe, "precision": precision}
        peer = [
            kept(f"peer {name} {seed}", {**asked, "seed": seed}, made.digest, {"rows": str(made.rows)})
            for seed in range(seeds)
        ]
        cases[name] = {
            "title": CASES[name].title, "metrics": list(CASES[name].metrics), "rows": made.counts,
            "seen": "minilm" in CASES[name].seen,
            "recipe": recipe, "precision": precision, "date": measure.today(), **judged(made, ours, peer),
        }  # fmt: skip
        cases = {name: cases[name] for name in CASES if name in cases}
        result = {"machine": measure.machine(), "command": f"python -m bench.{NAME}", "seeds": seeds, "cases": cases}
        result |= {"busy": quiet.worst, "targets": measure.dump_targets(told.targets(cases))}
        measure.save(NAME, result)
        print(told.line(name, cases[name]), flush=True)
    return result


def kept(name: str, asked: dict[str, Any], source: str, places: dict[str, str] | None = None) -> dict[str, Any]:
    """One side's answer, from the results where it was finished before. places: paths, which decide nothing."""

    def ask() -> dict[str, Any]:
        print(f"{name} ...", flush=True)
        with Child(f"bench.{NAME}", name) as child:
            return child.ask({**asked, **(places or {})})

    sides = measure.config_hash([_text("_script_sides.py"), _text("_script_cases.py")])
    key = {**asked, "source": source, "sides": sides}
    found: dict[str, Any] = measure.cached(name.replace(" ", "-"), key, ask, name, KEPT)["found"]
    return found


def _text(name: str) -> str:
    return (measure.HERE / name).read_text(encoding="utf-8")


def judged(made: Cut, ours: dict[str, Any], peer: list[dict[str, Any]]) -> dict[str, Any]:
    """Both sides' figures by one judge, the difference on the same rows, and seconds a seed."""
    from maskwright.evaluation._answers import read_sides
    from maskwright.evaluation.compare import _comparable, compare

    with tempfile.TemporaryDirectory() as out:
        first = Path(out, "ours.jsonl")
        first.write_text("".join(f"{json.dumps(row)}\n" for row in ours["predictions"]))
        figures: dict[str, list[float]] = {}
        for side in peer:
            second = Path(out, f"peer-{len(figures)}.jsonl")
            said = spans_of(made, side["answers"]) if made.kind == "tagging" else side["answers"]
            second.write_text("".join(f"{json.dumps({'prediction': each})}\n" for each in said))
            make, (truth, _, answers, *_more), _notes = _comparable(read_sides(first, second, None, "label"), None)
            for name, each in make(truth, answers).items():
                figures.setdefault(name, []).append(float(each(np.ones((1, len(truth))))[0]))
        saved = compare(first, second, metric=made.metric)
    verdict = over_all(saved.verdicts[made.metric].difference, ours["figures"][made.metric], figures[made.metric])
    seconds = [ours["seconds"] / ours["seeds"], measure.median([side["seconds"] for side in peer])]
    return {
        "figures": ours["figures"], "peer": {name: figures[name] for name in figures},
        "difference": verdict.plain(), "seconds": {"ours": seconds[0], "peer": seconds[1]},
        "ratio": seconds[0] / seconds[1],
        "memory": {"ours": ours["memory"], "peer": peer[0]["memory"]},
    }  # fmt: skip


def over_all(rows: Any, ours: dict[str, Any], peer: list[float]) -> Any:
    """The mean over seeds of ours - peer. Its interval is that over rows of one pair of models (`rows`, of which ours
    was chosen, so that its value is not taken), and that over seeds."""
    from maskwright.stats.intervals import Interval, combined, over_seeds

    seeds = over_seeds([a - b for a, b in zip(ours["seeds"], peer, strict=True)])
    low, high = seeds.value - (rows.value - rows.low), seeds.value + (rows.high - rows.value)
    return combined(Interval(seeds.value, low, high, rows.level), seeds)


def spans_of(made: Cut, tags: list[list[str]]) -> list[list[dict[str, Any]]]:
    """Tags of words as spans of characters."""
    from maskwright.data.tags import spans

    rows = json.loads(made.rows.read_text(encoding="utf-8"))["test"]
    return [
        [
            {"start": row["bounds"][span.first][0], "end": row["bounds"][span.last - 1][1], "label": span.label}
            for span in spans(said)
        ]
        for row, said in zip(rows, tags, strict=True)
    ]


# ---------------------------------------------------------------- our side, in a process of its own


def answer(request: dict[str, Any]) -> dict[str, Any]:
    if request["side"] == "peer":
        answered: dict[str, Any] = importlib.import_module("bench._script_sides").answer(request)
        return answered
    name = request["name"]
    run, seconds = run_of(name, Path(request["runs"]), request["seeds"])
    summary = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    figures = {metric: summary["figures"][metric] for metric in CASES[name].metrics}
    predictions = [json.loads(line) for line in (run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in predictions:
        for name in ("where", "text", "pair"):
            row.pop(name, None)
    return {
        "seconds": seconds, "seeds": request["seeds"], "figures": figures, "predictions": predictions,
        "memory": measure.peak_memory(),
    }  # fmt: skip


def run_of(name: str, runs: Path, seeds: int) -> tuple[Path, float]:
    """A case from its rows to its page, begun anew: the run's folder, and seconds."""
    from maskwright.finetuning.benchmark import benchmark, settings_of
    from maskwright.finetuning.run import finetune

    of, data = benchmark_of(name), measure.data_folder("").resolve()
    folder = runs / (of or "alone")
    shutil.rmtree(folder / name, ignore_errors=True)
    start = time.perf_counter()
    if of is not None:
        benchmark(of, data, out=folder, only=[name], seeds=seeds, resume=True, quiet=True)
    else:
        case, (way, place) = CASES[name], way_of(name)
        tables = way.tables(place)
        finetune(
            train=tables["train"], eval=tables.get("eval"), test=tables.get("test"), task={**case.task, **way.task},
            model="minilm", out=folder / name, seeds=seeds, quiet=True, settings=settings_of(case, way),
        )  # fmt: skip
    return folder / name, time.perf_counter() - start


def section(result: dict[str, Any]) -> str:
    """This measurement's part of bench/RESULTS.md."""
    return told.section(result)


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        serve(answer)
    else:
        from bench.__main__ import run

        parser = argparse.ArgumentParser(prog=f"python -m bench.{NAME}", description=(__doc__ or "").partition("\n")[0])
        parser.add_argument("names", nargs="*", choices=[*CASES, []], default=[])
        parser.add_argument("--seeds", type=int, default=3)
        given = parser.parse_args()
        run(lambda: main(given.names or list(CASES), given.seeds), section)
