"""What a pre-training is worth on labelled rows: an encoder of ours fine-tuned, beside the same network from random
weights: the last part of docs/results.md.

    maskwright pretrain CORPUS --budget 20m --out runs/books
    python -m bench.transfer runs/books/model [--seeds 3] [NAME ...]

Both sides take the same command; the rate of each is the best of RATES on the eval rows, tried with one seed. The
verdict is that of `maskwright compare`, paired on the test rows, which chose nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import _measure as measure
from bench._command import leaving

RATES = (2e-4, 5e-4, 1e-3)
SIDES = {"pre-trained": "", "random weights": "--weights random"}
#: name -> (title, options of the command, the metric)
TASKS: dict[str, tuple[str, str, str]] = {
    "sst2": (
        "SST-2, whole sentences",
        "--train {data}/sst2_sentences/train.tsv --eval {data}/sst2_sentences/dev.tsv "
        "--test {data}/sst2_sentences/test.tsv --text 1 --label 2 --max-length 128 --set train.epochs=3",
        "accuracy",
    ),
    "pos": (
        "Parts of speech, UD English ParTUT",
        "--task tagging --train {data}/ud_en_partut/en_partut-ud-train.conllu "
        "--eval {data}/ud_en_partut/en_partut-ud-dev.conllu --test {data}/ud_en_partut/en_partut-ud-test.conllu "
        "--label upos --set train.epochs=6",
        "accuracy",
    ),
}
ABOUT = """\
`python -m bench.transfer runs/books/model`, where `runs/books` is {made}. The same network from random weights takes \
the same command with `--weights random`; each side's learning rate is the best of {rates} on the eval rows. Mean of \
{seeds} seeds with its 95 % interval over examples and seeds, in points, on test rows that chose nothing. {machine}"""


def command(name: str, side: str, model: str, rate: float, seeds: int) -> str:
    more = f"{TASKS[name][1]} {SIDES[side]}".strip()
    return f"maskwright finetune --model {model} --seeds {seeds} {more} --set train.lr={rate:g}"


def run(line: str, out: Path) -> dict[str, Any]:
    """One command with all its seeds, and its metrics.json."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    start = time.perf_counter()
    whole = f"{line} --quiet --overwrite --out {out}"
    done = subprocess.run(whole, shell=True, capture_output=True, text=True, env=env)
    if done.returncode:
        raise measure.Stop(f"{whole} failed: {done.stderr.strip()[-500:]}")
    told: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    return {**told, "wall": time.perf_counter() - start}


def task(name: str, model: str, seeds: int, folder: Path) -> dict[str, Any]:
    """Both sides on one task, and the verdict between them."""
    from maskwright.evaluation.compare import compare

    data, metric = str(measure.data_folder("").resolve()), TASKS[name][2]
    sides: dict[str, Any] = {}
    for side in SIDES:
        tried = {}
        for rate in RATES:
            line = command(name, side, model, rate, 1).replace("{data}", data)
            tried[rate] = run(line, folder / "tried")["metrics"]["eval"][metric]
            print(f"{name}, {side}, rate {rate:g}: {tried[rate]:.4f} on the eval rows", flush=True)
        rate = max(tried, key=lambda each: tried[each])
        line = command(name, side, model, rate, seeds)
        told = run(line.replace("{data}", data), folder / side.replace(" ", "-"))
        figure = told["figures"][metric]
        print(f"{name}, {side}: {figure['value']:.4f} ({figure['low']:.4f} to {figure['high']:.4f})", flush=True)
        sides[side] = {
            "command": line.replace("{data}", "$MASKWRIGHT_DATA").replace(model, "runs/books/model"),
            "rate": rate,
            "tried": {f"{each:g}": value for each, value in tried.items()},
            "figure": figure,
            "baselines": {other["name"]: other["figures"][metric] for other in told["baselines"]},
            "wall": told["wall"],
        }
    found = compare(folder / "pre-trained", folder / "random-weights")
    return {"sides": sides, "verdict": found.verdicts[metric].plain(), "rows": found.rows, "metric": metric}


def main(model: str, seeds: int, names: list[str]) -> dict[str, Any]:
    made = made_by(Path(model))
    with tempfile.TemporaryDirectory() as folder:
        found = {name: task(name, model, seeds, Path(folder)) for name in names}
    result = {"machine": measure.machine(), "made": made, "seeds": seeds, "tasks": found}
    if set(names) == set(TASKS):
        measure.save("transfer", result)
        measure.fill("docs/results.md", "transfer", section(result))
    return result


def made_by(model: Path) -> str:
    """A pre-trained model in words, from what its run says of itself."""
    file = model.parent / "metrics.json"
    told = json.loads(file.read_text()) if file.is_file() else {}
    if "read" not in told:
        raise measure.Stop(f"{model} is not the model in the folder of a run of maskwright pretrain.")
    settings = json.loads((model.parent / "config.json").read_text())["settings"]
    loss = told["figures"]["loss"]["value"]
    return (
        f"`maskwright pretrain novels --budget {settings['budget']}` ({settings['size']}, "
        f"{told['parameters'] / 1e6:.2f} million parameters, {told['read']['tokens'] / 1e6:.1f} million pieces of "
        f"english_novels, a held-out loss of {loss:.2f} nats)"
    )


def section(result: dict[str, Any]) -> str:
    """This measurement's part of docs/results.md."""
    rows, lines = [], []
    for name, one in result["tasks"].items():
        own = [one["sides"][side] for side in SIDES]
        strongest = max(own[0]["baselines"].items(), key=lambda other: other[1]["value"])
        d, title = one["verdict"], TASKS[name][0]
        margin = f"{measure.with_interval(d)}, p = {d['p']:.3g}"
        other = f"{measure.points(strongest[1]['value'])} ({strongest[0]})"
        rows.append([title, one["metric"], *(measure.with_interval(side["figure"]) for side in own), margin, other])
        lines += [side["command"] for side in own]
    about = ABOUT.format(
        made=result["made"],
        rates=", ".join(f"{rate:g}" for rate in RATES),
        seeds=result["seeds"],
        machine=measure.describe(result["machine"]),
    )
    head = ["task", "metric", *SIDES, "difference of the saved models, paired", "the strongest simple system"]
    commands = "\n".join(lines)
    return "\n\n".join(
        ["## What pre-training is worth on labelled rows", about, measure.table(head, rows), f"```\n{commands}\n```"]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", help="a model of maskwright pretrain")
    parser.add_argument("names", nargs="*", default=[], help=f"of {', '.join(TASKS)}; saved only when all take part")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    with leaving():
        main(given.model, given.seeds, given.names or list(TASKS))
