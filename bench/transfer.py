"""What a pre-training is worth on labelled rows: encoders of ours fine-tuned, each beside the same network from random
weights: the last part of docs/results.md.

    python -m bench.transfer [--seeds 5] [--only ENCODER ...]

The encoders are trained once and kept under bench/.cache. Both sides of a task take the same command; the rate of each
is the best of RATES on the eval rows, tried with one seed and kept. The difference is that of the means over all seeds,
on test rows that chose nothing. Where a task is learnt in two ways, the better way of each side, by its mean over all
seeds on the eval rows, stands beside that of the other.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import _measure as measure
from bench._command import leaving

NAME = "transfer"
RATES = (2e-4, 5e-4, 1e-3, 2e-3)
SIDES = {"pre-trained": "", "random weights": "--weights random"}
WORK = measure.CACHE / "transfer"


@dataclass(frozen=True)
class Encoder:
    """title: what it has read; corpus, train: the commands that make it, in the folder WORK."""

    title: str
    corpus: str
    train: str

    @property
    def out(self) -> str:
        return self.train.rpartition("--out ")[2]


ENCODERS = {
    "novels": Encoder(
        "novels, 20 minutes",
        "maskwright corpus build $MASKWRIGHT_DATA/english_novels --held-out 1% --out novels",
        "maskwright pretrain novels --budget 20m --out runs/books",
    ),
    "reviews": Encoder(
        "novels, then film reviews for 12 minutes",
        "maskwright corpus build films --held-out 1% --out reviews",
        "maskwright pretrain reviews --model runs/books/model --recipe domain --extend-vocabulary 2000 --budget 12m "
        "--out runs/reviews",
    ),
}


@dataclass(frozen=True)
class Task:
    """options: of the command; test: the rows that are reported on; metric: what is compared."""

    title: str
    options: str
    test: str
    metric: str = "accuracy"


SST2 = (
    "--train $MASKWRIGHT_DATA/sst2_sentences/train.tsv --eval $MASKWRIGHT_DATA/sst2_sentences/dev.tsv "
    "--text 1 --label 2 --max-length 128"
)
TASKS = {
    "sst2": Task("SST-2", f"{SST2} --set train.epochs=3", "sst2_sentences/test.tsv"),
    "sst2-dropout": Task("SST-2, dropout 0.2", f"{SST2} --dropout 0.2 --set train.epochs=4", "sst2_sentences/test.tsv"),
    "pos": Task(
        "Parts of speech, UD English ParTUT",
        "--task tagging --train $MASKWRIGHT_DATA/ud_en_partut/en_partut-ud-train.conllu "
        "--eval $MASKWRIGHT_DATA/ud_en_partut/en_partut-ud-dev.conllu --label upos --set train.epochs=6",
        "ud_en_partut/en_partut-ud-test.conllu",
    ),
}
WAYS = ("sst2", "sst2-dropout")  #: in which one task is learnt
ABOUT = """\
`python -m bench.transfer`. Two encoders, the second made from the first: {made}. `films` holds NLTK's \
`movie_reviews.zip` and the texts, without labels, of SST-2's training rows. The same network from random weights, \
with the same tokenizer, takes the same command with `--weights random`; each side's learning rate is the best of \
{rates} on the eval rows. Means of {seeds} seeds with their 95 % intervals over examples and seeds, in points, on test \
rows that chose no rate; SST-2's had been seen when the mean of all pieces became what a classifier reads unasked. The \
difference is that of the means, seed by seed. The better way of each side is that of the \
higher mean on the eval rows, which stand beside: means of the same seeds. {machine}"""


def command(task: Task, side: str, model: str, rate: float, seeds: int) -> str:
    line = f"maskwright finetune --model {model} --seeds {seeds} {task.options} --test $MASKWRIGHT_DATA/{task.test}"
    return f"{line} {SIDES[side]}".strip() + f" --set train.lr={rate:g}"


def call(line: str) -> None:
    """One command as a person types it, in the folder WORK. Raises Stop with what it said where it fails."""
    data = measure.data_folder("").resolve()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "MASKWRIGHT_DATA": str(data)}
    done = subprocess.run(line, shell=True, capture_output=True, text=True, env=env, cwd=WORK)
    if done.returncode:
        raise measure.Stop(f"{line} failed: {done.stderr.strip()[-500:]}")


def encoder(name: str) -> str:
    """The folder, seen from WORK, of a model that is trained unless that was done."""
    made = ENCODERS[name]
    if not (WORK / made.out / "metrics.json").is_file():
        films(WORK / "films")
        for line in (made.corpus, made.train):
            print(line, flush=True)
            call(f"{line} --quiet --overwrite")
    return f"{made.out}/model"


def films(folder: Path) -> None:
    """Text of the domain: whole reviews, and the sentences of the rows that are trained on, a document each."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(measure.data_folder("nltk_zips") / "movie_reviews.zip", folder)
    rows = (measure.data_folder("sst2_sentences") / "train.tsv").read_text(encoding="utf-8").splitlines()
    lines = [json.dumps({"text": row.partition("\t")[0]}, ensure_ascii=False) + "\n" for row in rows]
    (folder / "rows.jsonl").write_text("".join(lines), encoding="utf-8")


def run(line: str, out: Path) -> dict[str, Any]:
    """A fine-tuning with all its seeds, and its metrics.json."""
    start = time.perf_counter()
    call(f"{line} --quiet --overwrite --out {shlex.quote(str(out))}")
    told: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    return {**told, "wall": time.perf_counter() - start}


def tried(line: str, task: Task, model: str, out: Path) -> float:
    """A command's metric on the eval rows with one seed, kept beside the model, by its weights, that it began with."""
    weights = (WORK / model / "checksums.json").read_text()
    kept = WORK / "tried" / f"{measure.config_hash([line, weights])}.json"
    if not kept.is_file():
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps({"line": line, "value": on_eval(run(line, out), task, out)}) + "\n")
    return float(json.loads(kept.read_text())["value"])


def on_eval(told: dict[str, Any], task: Task, out: Path) -> float:
    """The mean over the seeds of a run's metric on the eval rows."""
    files = sorted((out / "seeds").glob("*/metrics.json"))
    assert len(files) == len(told["seeds"])
    return statistics.fmean(json.loads(file.read_text())["eval"][task.metric] for file in files)


def both(name: str, task: Task, model: str, seeds: int, folder: Path) -> dict[str, Any]:
    """Both sides on one task, and the difference between them."""
    sides: dict[str, Any] = {}
    for side in SIDES:
        found = {}
        for rate in RATES:
            found[rate] = tried(command(task, side, model, rate, 1), task, model, folder / "tried")
            print(f"{name}, {side}, rate {rate:g}: {found[rate]:.4f} on the eval rows", flush=True)
        rate, out = max(found, key=lambda each: found[each]), folder / side
        line = command(task, side, model, rate, seeds)
        told = run(line, out)
        figure = told["figures"][task.metric]
        print(f"{name}, {side}: {measure.with_interval(figure)}", flush=True)
        sides[side] = {
            "command": line,
            "rate": rate,
            "tried": {f"{each:g}": value for each, value in found.items()},
            "eval": on_eval(told, task, out),
            "figure": figure,
            "baselines": {other["name"]: other["figures"][task.metric] for other in told["baselines"]},
            "wall": told["wall"],
        }
    return {"sides": sides, "difference": difference(task, *(folder / side for side in SIDES))}


def best(tasks: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Of the task that is learnt in several ways the better way of each side, beside each other."""
    taken = {side: max(WAYS, key=lambda name: tasks[name]["sides"][side]["eval"]) for side in SIDES}
    own = {side: tasks[name]["sides"][side] for side, name in taken.items()}
    found = difference(TASKS["sst2"], *(folder / name / side for side, name in taken.items()))
    return {"ways": taken, "sides": own, "difference": found}


def difference(task: Task, a: Path, b: Path) -> dict[str, Any]:
    """Of the means over the seeds of two runs on the same test rows, with its interval over rows and seeds."""
    from maskwright.stats import measures
    from maskwright.stats.intervals import bootstrap, combined, over_seeds

    (one, rows), (two, _) = (_measures(task, run) for run in (a, b))
    of_rows = bootstrap(measures.difference(measures.average(one), measures.average(two)), rows)
    pairs = [measures.difference(x, y) for x, y in zip(one, two, strict=True)]
    each = [measures.values({"": pair}, rows)[""] for pair in pairs]
    return combined(of_rows, over_seeds(each)).plain()


def _measures(task: Task, run: Path) -> tuple[list[Any], int]:
    """The metric of each seed of a run on its test rows, and how many they are."""
    import maskwright
    from maskwright.data.read import read
    from maskwright.finetuning._seeds import Trained

    model = maskwright.load(run / "model")
    table = read(measure.data_folder("") / task.test, needs=model.task.columns(), whole=model.task.whole_rows)
    targets = model.task.examples(table, model.labels).targets
    assert targets is not None
    found = []
    for folder in sorted((run / "seeds").iterdir()):
        seed = Trained.found(int(folder.name), folder)
        assert seed is not None
        found.append(model.task.measures(seed.scores["test"], targets, seed.calibration)[task.metric])
    return found, len(targets)


def main(seeds: int, encoders: list[str]) -> dict[str, Any]:
    """Saved after each encoder, beside those that were measured before on the same tasks with as many seeds."""
    WORK.mkdir(parents=True, exist_ok=True)
    kept = measure.RESULTS / f"{NAME}.json"
    result: dict[str, Any] = json.loads(kept.read_text()) if kept.is_file() else {}
    same = result.get("seeds") == seeds
    before = {name: one for name, one in result.get("found", {}).items() if same and [*one["tasks"]] == [*TASKS]}
    result = {"seeds": seeds, "found": before}
    for each in encoders:
        model = encoder(each)
        with tempfile.TemporaryDirectory() as folder:
            tasks = {
                name: both(f"{each}, {name}", one, model, seeds, Path(folder) / name) for name, one in TASKS.items()
            }
            chosen = best(tasks, Path(folder))
        made = described(WORK / ENCODERS[each].out)
        result["found"][each] = {"machine": measure.machine(), "made": made, "tasks": tasks, "best": chosen}
        measure.save(NAME, result)
        measure.fill("docs/results.md", NAME, section(result))
    return result


def described(run: Path) -> dict[str, Any]:
    """What a run of pre-training says of itself."""
    told = json.loads((run / "metrics.json").read_text())
    return {
        "parameters": told["parameters"],
        "tokens": told["read"]["tokens"],
        "loss": told["figures"]["loss"]["value"],
    }


def section(result: dict[str, Any]) -> str:
    """This measurement's part of docs/results.md."""
    rows, lines = [], []
    found = {name: result["found"][name] for name in ENCODERS if name in result["found"]}
    for each, of in found.items():
        for name, one in of["tasks"].items():
            rows.append([ENCODERS[each].title, TASKS[name].title, *_figures(one)])
            lines += [one["sides"][side]["command"] for side in SIDES]
        rows.append([ENCODERS[each].title, "SST-2, the better way of each side", *_figures(of["best"])])
    head = ["pre-trained on", "task, accuracy", *SIDES, "difference", "on the eval rows", "the strongest simple system"]
    making = [line for each in found for line in (ENCODERS[each].corpus, ENCODERS[each].train)]
    about = ABOUT.format(
        made="; ".join(_made(each, of["made"]) for each, of in found.items()),
        rates=", ".join(f"{rate:g}" for rate in RATES),
        seeds=result["seeds"],
        machine=measure.describe(next(iter(found.values()))["machine"]),
    )
    commands = "\n".join([*making, *lines])
    return "\n\n".join(
        ["## What pre-training is worth on labelled rows", about, measure.table(head, rows), f"```\n{commands}\n```"]
    )


def _figures(one: dict[str, Any]) -> list[str]:
    """Of both sides, of their difference, of both on the eval rows, and of the strongest baseline."""
    own = [one["sides"][side] for side in SIDES]
    strongest, other = max(own[0]["baselines"].items(), key=lambda each: each[1]["value"])
    found = [measure.with_interval(figure) for figure in (*(side["figure"] for side in own), one["difference"])]
    chosen_by = " and ".join(measure.points(side["eval"]) for side in own)
    return [*found, chosen_by, f"{measure.points(other['value'])} ({strongest})"]


def _made(name: str, told: dict[str, Any]) -> str:
    return (
        f"`{ENCODERS[name].out}`, {told['parameters'] / 1e6:.2f} million parameters after "
        f"{told['tokens'] / 1e6:.1f} million pieces ({ENCODERS[name].title})"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--only", nargs="*", choices=[*ENCODERS], default=[*ENCODERS], help="the others stay as they were measured"
    )
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    with leaving():
        main(given.seeds, given.only)
