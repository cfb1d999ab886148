"""What a pre-training is worth on labelled rows: encoders of ours fine-tuned, each beside the same network from random
weights: the last part of docs/results.md.

    python -m bench.transfer [--seeds 10] [--only ENCODER ...]

The encoders are trained once and kept under bench/.cache. Both sides of a task take the same command; the rate of each
is the best of RATES on the eval rows, tried with seed 0 and kept. The difference is that of the means over seeds that
nobody had looked at when all of this was fixed, on test rows that chose no rate. A linear classifier on the frozen mean
of all pieces tells, beside it, what of a class can be read off before a label is learnt from.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import _measure as measure
from bench._command import leaving

NAME = "transfer"
RATES = (2e-4, 5e-4, 1e-3, 2e-3)
FIRST = 10  #: the first of the seeds that are reported; those before it were looked at while the settings were chosen
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


NOVELS = "maskwright corpus build $MASKWRIGHT_DATA/english_novels --held-out 1% --out novels"
ENCODERS = {
    "novels": Encoder(
        "novels, 20 minutes",
        NOVELS,
        "maskwright pretrain novels --budget 20m --out runs/books",
    ),
    "hour": Encoder(
        "novels, 60 minutes",
        NOVELS,
        "maskwright pretrain novels --budget 60m --out runs/hour",
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


TASKS = {
    "sst2": Task(
        "SST-2",
        "--train $MASKWRIGHT_DATA/sst2_sentences/train.tsv --eval $MASKWRIGHT_DATA/sst2_sentences/dev.tsv --text 1 "
        "--label 2 --max-length 128 --set train.epochs=3",
        "sst2_sentences/test.tsv",
    ),
    "pos": Task(
        "Parts of speech, UD English ParTUT",
        "--task tagging --train $MASKWRIGHT_DATA/ud_en_partut/en_partut-ud-train.conllu "
        "--eval $MASKWRIGHT_DATA/ud_en_partut/en_partut-ud-dev.conllu --label upos --set train.epochs=6",
        "ud_en_partut/en_partut-ud-test.conllu",
    ),
}
ABOUT = """\
`python -m bench.transfer`. The encoders, of which the last goes on with the first: {made}. `films` holds NLTK's \
`movie_reviews.zip` and the texts, without labels, of SST-2's training rows. The same network from random weights, \
with the same tokenizer, takes the same command with `--weights random`; each side's learning rate is the best of \
{rates} on the eval rows, with seed 0. Means of {seeds} seeds, from {first} on, with their 95 % intervals over \
examples and seeds, in points, on test rows that chose no rate; SST-2's had been seen when the mean of all pieces \
became what a classifier reads unasked, and seeds 0 to 4 before these were taken: with those, SST-2 was 1.1 points \
apart after 20 minutes of novels (-0.6 to 2.9), 1.6 after 60, and 2.2 after reviews (0.3 to 4.1). All of \
it done once more for 20 minutes of novels, on a new checkout and with seeds 20 to 29, gave 1.9 on SST-2 (0.4 to 3.5) \
and 2.6 in parts of speech (2.0 to 3.3). The difference is that of the means, seed by seed. {machine}"""
FROZEN = """\
Why novels are worth little for SST-2, and three times their minutes no more: a logistic regression on the mean of \
the last states, nothing of the network learnt, its strength chosen on the eval rows, has of the test rows right \
{each}. What tells praise from blame is in text that praises and blames."""


def command(task: Task, side: str, model: str, rate: float, seeds: str) -> str:
    line = f"maskwright finetune --model {model} {seeds} {task.options} --test $MASKWRIGHT_DATA/{task.test}"
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


def run(line: str, model: str) -> Path:
    """The folder of a fine-tuning, kept by its command and the weights that it began with."""
    weights = (WORK / model / "checksums.json").read_text()
    out = WORK / "tuned" / measure.config_hash([line, weights])
    if not (out / "metrics.json").is_file():
        call(f"{line} --quiet --overwrite --out {shlex.quote(str(out))}")
    return out


def on_eval(out: Path, task: Task) -> float:
    """The first seed's metric on the eval rows."""
    told = min((out / "seeds").iterdir(), key=lambda folder: int(folder.name)) / "metrics.json"
    return float(json.loads(told.read_text())["eval"][task.metric])


def both(name: str, task: Task, model: str, seeds: int) -> dict[str, Any]:
    """Both sides on one task, and the difference between them."""
    sides: dict[str, Any] = {}
    runs = []
    for side in SIDES:
        tried = {rate: on_eval(run(command(task, side, model, rate, "--seeds 1"), model), task) for rate in RATES}
        print(f"{name}, {side}, on the eval rows: {tried}", flush=True)
        rate = max(tried, key=lambda each: tried[each])
        line = command(task, side, model, rate, f"--seed {FIRST} --seeds {seeds}")
        runs.append(run(line, model))
        told = json.loads((runs[-1] / "metrics.json").read_text())
        figure = told["figures"][task.metric]
        print(f"{name}, {side}: {measure.with_interval(figure)}", flush=True)
        sides[side] = {
            "command": line,
            "rate": rate,
            "tried": {f"{each:g}": value for each, value in tried.items()},
            "figure": figure,
            "baselines": {other["name"]: other["figures"][task.metric] for other in told["baselines"]},
        }
    return {"sides": sides, "difference": difference(task, *runs)}


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
    result = measure.load(NAME)
    if [result.get("seeds"), result.get("first")] != [seeds, FIRST]:
        result = {"seeds": seeds, "first": FIRST, "found": {}}
    for each in encoders:
        model = encoder(each)
        tasks = {name: both(f"{each}, {name}", one, model, seeds) for name, one in TASKS.items()}
        made = described(WORK / ENCODERS[each].out)
        told = {"machine": measure.machine(), "made": made, "tasks": tasks, "frozen": frozen(WORK / model)}
        result["found"][each] = told
        measure.save(NAME, result)
        measure.fill("docs/results.md", NAME, section(result))
    return result


def frozen(folder: Path) -> dict[str, float]:
    """Accuracy on SST-2's test rows of a logistic regression on the mean of an encoder's last states, [CLS] left out:
    of its own weights and of random ones."""
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()  # of the masked-LM head, which is not asked for
    sides = {}
    for side in ("train", "dev", "test"):
        lines = (measure.data_folder("sst2_sentences") / f"{side}.tsv").read_text(encoding="utf-8").splitlines()
        texts, labels = zip(*(line.rsplit("\t", 1) for line in lines), strict=True)
        sides[side] = (list(texts), np.array(labels))
    tokenizer, found = AutoTokenizer.from_pretrained(folder), {}
    for name in SIDES:
        network = AutoModel.from_pretrained(folder)
        if SIDES[name]:
            torch.manual_seed(0)
            network = AutoModel.from_config(network.config)
        found[name] = _linear({side: (means(network, tokenizer, x), y) for side, (x, y) in sides.items()})
    return found


def means(network: Any, tokenizer: Any, texts: list[str]) -> np.ndarray:
    """(texts, width)."""
    import torch

    rows = []
    with torch.inference_mode():
        for start in range(0, len(texts), 64):
            batch = tokenizer(texts[start : start + 64], padding=True, truncation=True, return_tensors="pt")
            states = network.eval()(batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
            counts = batch["attention_mask"][:, 1:, None]
            rows.append(((states[:, 1:] * counts).sum(1) / counts.sum(1)).float().numpy())
    return np.concatenate(rows)


def _linear(sides: dict[str, tuple[np.ndarray, np.ndarray]]) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fits = [
        make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000)).fit(*sides["train"])
        for strength in (0.001, 0.01, 0.1, 1.0)
    ]
    return float(max(fits, key=lambda fit: fit.score(*sides["dev"])).score(*sides["test"]))


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
    head = ["pre-trained on", "task, accuracy", *SIDES, "difference", "the strongest simple system"]
    making = [line for each in found for line in (ENCODERS[each].corpus, ENCODERS[each].train)]
    about = ABOUT.format(
        made="; ".join(_made(each, of["made"]) for each, of in found.items()),
        rates=", ".join(f"{rate:g}" for rate in RATES),
        seeds=result["seeds"],
        first=result["first"],
        machine=measure.describe(next(iter(found.values()))["machine"]),
    )
    commands = "\n".join(dict.fromkeys([*making, *lines]))
    why = FROZEN.format(each="; ".join(_frozen(ENCODERS[each].title, of["frozen"]) for each, of in found.items()))
    title = "## What pre-training is worth on labelled rows"
    return "\n\n".join([title, about, measure.table(head, rows), why, f"```\n{commands}\n```"])


def _frozen(title: str, told: dict[str, float]) -> str:
    own, other = (measure.points(told[side]) for side in SIDES)
    return f"{own} % ({title}; {other} % from random weights)"


def _figures(one: dict[str, Any]) -> list[str]:
    """Of both sides, of their difference, and of the strongest baseline."""
    own = [one["sides"][side] for side in SIDES]
    strongest, other = max(own[0]["baselines"].items(), key=lambda each: each[1]["value"])
    found = [measure.with_interval(figure) for figure in (*(side["figure"] for side in own), one["difference"])]
    return [*found, f"{measure.points(other['value'])} ({strongest})"]


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
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    with leaving():
        main(given.seeds, given.only)
