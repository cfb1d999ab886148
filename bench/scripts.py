"""Every task beside the recipe of transformers' example scripts: the same rows, official figures, wall time.

    python -m bench.scripts [--seeds 3] [--side peer|ours] [NAME ...]

Ours is what `maskwright benchmark` runs, all of it: reading, checks, each seed's training, judging, the report; it is
left where `python -m bench.benchmarks` finds it, which then only makes tables. The peer's seconds are from rows in
memory to answers: its tokenizer, its Trainer with the recipe that the scripts' documentation gives, and the test rows
in padded batches. Of a peer that takes about an hour a seed there is one seed.

Finished sides are kept in results/scripts with their times, by what they were asked, their rows, the code of the side,
the versions and the processor; of ours, the source decides too (docs/decisions/0011-sides-of-hours.md). `--side` is for
the hours in which one side alone is wanted: the peer's does not depend on our source.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench import _measure as measure
from bench import _scripts_told as told
from bench import benchmarks
from bench._child import Child, serve
from bench._command import leaving, parser
from bench._script_cases import CASES, Cut, cut, peer_seeds
from bench._script_kept import shortened, written

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
#: the code of each side
CODE = {"ours": ("_script_ours.py",), "peer": ("_script_sides.py", "_trainer.py")}
Side = dict[str, Any]


def main(names: list[str], seeds: int = 3) -> dict[str, Any]:
    """Each case: ours with all its seeds, then the peer's seeds one by one. Saved after each, beside those that were
    measured before with as many seeds."""
    saved = measure.load(NAME)
    cases: dict[str, Any] = saved["cases"] if saved.get("seeds") == seeds else {}
    for name in names:
        made = cut(name)
        one, others = ours(made, seeds), [peer(made, seed) for seed in peer_seeds(name, seeds)]
        cases[name] = {
            "title": CASES[name].title, "metrics": list(CASES[name].metrics), "rows": made.counts,
            "reported": made.reported, "notes": [*made.notes, *remarks(one, *others)],
            "seen": "minilm" in CASES[name].seen, "precision": precision(),
            "recipes": {"ours": one["recipe"], "peer": recipe(made)},
            "machines": {"ours": [one["machine"]], "peer": [side["machine"] for side in others]},
            "busy": max(side["busy"] for side in (one, *others)), **judged(made, one, others),
        }  # fmt: skip
        cases = {name: cases[name] for name in CASES if name in cases}
        result = {"command": f"python -m bench.{NAME}", "seeds": seeds, "cases": cases}
        result["targets"] = measure.dump_targets(told.targets(cases))
        measure.save(NAME, result)
        print(told.line(cases[name]), flush=True)
    return result


def one_side(side: str, names: list[str], seeds: int) -> None:
    """One side of each case, kept for the call that has both."""
    for name in names:
        made = cut(name)
        if side == "ours":
            ours(made, seeds)
        else:
            for seed in peer_seeds(name, seeds):
                peer(made, seed)


def ours(made: Cut, seeds: int) -> Side:
    asked = {"side": "ours", "name": made.name, "seeds": seeds, **made.ours, "metrics": list(CASES[made.name].metrics)}
    places = {"runs": str(benchmarks.runs(seeds))}
    source = measure.source(*SOURCE, without=measure.BENCHMARKS, comments=False)
    return kept(f"ours {made.name}", made, asked, places, source)


def peer(made: Cut, seed: int) -> Side:
    asked = {"side": "peer", "kind": made.kind, "names": made.names, "recipe": recipe(made), "precision": precision()}
    asked |= {"seed": seed, "grouped": seed == 0}
    return kept(f"peer {made.name} {seed}", made, asked, {"rows": str(made.rows)})


def remarks(*sides: Side) -> list[str]:
    """What a person wrote into a kept side: that it was disturbed, and by what."""
    return [side["remark"] for side in sides if "remark" in side]


def recipe(made: Cut) -> dict[str, Any]:
    return {**RECIPES[made.kind], **made.recipe}


def precision() -> str:
    from maskwright.base.runtime import device, has_fast_bf16

    return "bf16" if has_fast_bf16(device("cpu")) else "fp32"


def kept(name: str, made: Cut, asked: dict[str, Any], places: dict[str, str], source: str | None = None) -> Side:
    """One side's answer with its machine and day, from the results where it was finished before. places: paths, which
    decide nothing."""

    def ask() -> Side:
        print(f"{name} ...", flush=True)
        quiet = measure.Quiet()
        quiet.check(name)
        with Child(f"bench.{NAME}", name) as child:
            answered = child.ask({**asked, **places})
        quiet.check(f"the end of {name}")
        return {**shortened(made, answered), "busy": quiet.worst, "machine": measure.machine()}

    code = measure.config_hash([measure.code(measure.HERE / file) for file in CODE[asked["side"]]])
    key = {**asked, "digest": made.digest, "code": code, "source": source}
    found: Side = measure.cached(name.replace(" ", "-"), key, ask, name, KEPT)["found"]
    return found


# ---------------------------------------------------------------- both sides by one judge


def judged(made: Cut, one: Side, others: list[Side]) -> dict[str, Any]:
    """Both sides' figures by one judge, the differences on the same rows, and the mean seconds of a seed."""
    from maskwright.evaluation.compare import comparable, compare, read_sides

    with tempfile.TemporaryDirectory() as out:
        first, second = Path(out, "ours.jsonl"), Path(out, "peer.jsonl")
        own = zip(written(made, one["said"]), made.truth, strict=True)
        _write(first, [{**row, "target": true} for row, true in own])
        figures: dict[str, list[float]] = {}
        for side in others:
            _write(second, written(made, side["said"]))
            make, (truth, _, answers, *_more), _notes = comparable(read_sides(first, second, None, "label"), None)
            for name, each in make(truth, answers).items():
                figures.setdefault(name, []).append(float(each(np.ones((1, len(truth))))[0]))
        verdicts = compare(first, second).verdicts
    both = [name for name in CASES[made.name].metrics if name in figures and name in one["figures"]]
    differences = {
        name: over_all(verdicts[name].difference, one["figures"][name], figures[name]).plain() for name in both
    }
    seconds = sum(side["seconds"] for side in others) / len(others)
    return {
        "figures": one["figures"], "peer": {name: figures[name] for name in both}, "differences": differences,
        "seconds": {
            "ours": one["seconds"] / one["seeds"], "peer": seconds,
            "grouped": seconds * others[0]["grouped"] / others[0]["seconds"],
        },
        "memory": {"ours": one["memory"], "peer": others[0]["memory"]},
    }  # fmt: skip


def over_all(rows: Any, one: dict[str, Any], others: list[float]) -> Any:
    """The mean over seeds of ours - peer. Its interval is that over rows of one pair of models (`rows`, of which ours
    was chosen, so that its value is not taken), and that over seeds. Where the peer has fewer seeds than ours, one of
    its models is taken to vary as one of ours does."""
    from maskwright.stats.intervals import Interval, combined, over_seeds

    if len(others) == len(one["seeds"]):
        seeds = over_seeds([a - b for a, b in zip(one["seeds"], others, strict=True)])
    else:
        own, value = over_seeds(one["seeds"]), float(np.mean(one["seeds"]) - np.mean(others))
        half = (own.high - own.value) * np.sqrt(1 + len(one["seeds"]) / len(others))
        seeds = Interval(value, value - half, value + half, own.level, own.over)
    low, high = seeds.value - (rows.value - rows.low), seeds.value + (rows.high - rows.value)
    return combined(Interval(seeds.value, low, high, rows.level), seeds)


def _write(path: Path, rows: list[Side]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Of the child: the side that is asked for, whose imports are its own."""
    module = {"ours": "bench._script_ours", "peer": "bench._script_sides"}[request["side"]]
    answered: dict[str, Any] = importlib.import_module(module).answer(request)
    return answered


def section(result: dict[str, Any]) -> str:
    """This measurement's part of bench/RESULTS.md."""
    return told.section(result, len(CASES))


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        serve(answer)
    else:
        from bench.__main__ import run

        command = parser(NAME, __doc__, CASES)
        command.add_argument("--side", choices=["peer", "ours"], help="measure this side alone; no table is made")
        given = command.parse_args()
        if given.side is None:
            run(lambda: main(given.names or list(CASES), given.seeds), section)
        else:
            with leaving():
                one_side(given.side, given.names or list(CASES), given.seeds)
