"""Figures of real tasks with MiniLM, several seeds each, through the command line as a user would: docs/results.md.

    python -m bench.tasks [--seeds 3] [NAME ...]

Every figure is one seed's `metrics.json`; the mean over seeds has a 95 % t interval. No figure that is reported on
was used to choose a checkpoint: where only a dev set has labels, the rows that choose are split off the training set.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench import _measure as measure
from maskwright.stats.intervals import over_seeds

#: name -> (title, files, options after `maskwright finetune --model minilm`, reported split -> metrics, a remark)
TASKS: dict[str, dict[str, Any]] = {
    "sst2": {
        "title": "SST-2, whole sentences",
        "options": "--train {data}/sst2_sentences/train.tsv --eval {data}/sst2_sentences/dev.tsv "
        "--test {data}/sst2_sentences/test.tsv --text 1 --label 2 --max-length 128 --set train.epochs=2 "
        "--set train.schedule.warmup=0.06",
        "report": {"eval": ["accuracy"], "test": ["accuracy"]},
        "remark": "the settings of `python -m bench.finetune`; dev (872 rows) also chose the checkpoint; test "
        "(1,821 rows) was only reported on",
    },
    "mrpc": {
        "title": "MRPC",
        "options": "--train {data}/mrpc/msr_paraphrase_train.txt --test {data}/mrpc/msr_paraphrase_test.txt "
        "--text '#1 String' --pair '#2 String' --label Quality --set data.reader=tsv --set train.epochs=3",
        "report": {"test": ["accuracy", "f1"]},
        "remark": "a tenth of the training rows chose the checkpoint; test has 1,725 rows",
    },
    "rte": {
        "title": "RTE",
        "options": "--train {data}/rte/train.tsv --test {data}/rte/dev.tsv --text sentence1 --pair sentence2 "
        "--set train.epochs=3",
        "report": {"test": ["accuracy"]},
        "labels": ("rte/dev.tsv", "label"),
        "remark": "test is GLUE's dev set (277 rows), which chose nothing: a tenth of the training rows did",
    },
    "stsb": {
        "title": "STS-B, English",
        "options": "--task regression --train {data}/stsb/stsb-en-train.csv --eval {data}/stsb/stsb-en-dev.csv "
        "--test {data}/stsb/stsb-en-test.csv --text 1 --pair 2 --label 3 --set train.epochs=2",
        "report": {"eval": ["pearson", "spearman"], "test": ["pearson", "spearman"]},
        "remark": "dev (1,500 rows) also chose the checkpoint; test (1,379 rows) was only reported on",
    },
}


def command(name: str) -> str:
    return f"maskwright finetune --model minilm {TASKS[name]['options']}"


def run_seed(name: str, seed: int) -> dict[str, Any]:
    """One fine-tuning by the command line. Returns its metrics and the wall time of the whole command."""
    data = measure.data_folder("").resolve()
    with tempfile.TemporaryDirectory() as folder:
        line = command(name).format(data=data) + f" --seed {seed} --quiet --out {folder}/run"
        program = Path(sys.executable).parent
        env = {**os.environ, "PATH": f"{program}:{os.environ['PATH']}"}
        start = time.perf_counter()
        done = subprocess.run(line, shell=True, capture_output=True, text=True, env=env)
        seconds = time.perf_counter() - start
        if done.returncode:
            raise measure.Stop(f"{line} failed: {done.stderr.strip()[-500:]}")
        return {
            "seed": seed,
            "seconds": seconds,
            "metrics": json.loads((Path(folder) / "run/metrics.json").read_text()),
        }


def commonest(file: str, column: str) -> float:
    """The share of the commonest label in a file: what answering it always would give."""
    from maskwright.data.read import read

    labels = read(measure.data_folder("") / file, needs=[column]).columns[column]
    return max(Counter(labels).values()) / len(labels)


def write(results: dict[str, Any]) -> None:
    """docs/results.md anew from the results that are there."""
    rows, details = [], []
    for name, result in results.items():
        task = TASKS[name]
        seconds = [run["seconds"] for run in result["runs"]]
        remark = task["remark"]
        for split, metrics in task["report"].items():
            for metric in metrics:
                values = [run["metrics"][split][metric] for run in result["runs"]]
                found = over_seeds(values)
                mean, half = found.value, found.high - found.value
                seeds = ", ".join(f"{100 * v:.1f}" for v in values)
                shown = f"{100 * mean:.1f} ± {100 * half:.1f}"
                where = "dev" if split == "eval" else "test"
                common = result.get("commonest")
                if common is not None:
                    learnt = mean - half > common
                    remark += f"; the commoner class is {100 * common:.1f} % of it, so these seeds "
                    remark += "show that the model learnt the task" if learnt else "do not show that it learnt the task"
                rows.append([task["title"], f"{where} {metric}", shown, seeds, f"{measure.median(seconds):.0f} s"])
        details.append(
            f"**{task['title']}** ({result['machine']['date']}): {remark}.\n\n```\n"
            + command(name).replace("{data}", "$MASKWRIGHT_DATA")
            + " \\\n    --seed 0 --out runs/" + name + "\n```"
        )  # fmt: skip
    machine = measure.describe(next(iter(results.values()))["machine"])
    text = "\n\n".join(
        [
            "# Results on real tasks",
            "Written by `python -m bench.tasks`; do not edit by hand. MiniLM (6 layers, 384 wide, 22.7 million "
            "parameters) fine-tuned on 2 CPU cores in bf16, seeds 0, 1, 2. Figures are in points (accuracy, F1 and "
            "correlations times 100): the mean over seeds ± the half-width of its 95 % t interval, which with three "
            "seeds is wide, and then each seed. It says how far another seed may lead, not how far another sample of "
            "test rows would. The time is that of the whole command, from start to saved, reloaded and compared model, "
            "median over seeds.",
            measure.table(["task", "figure", "mean ± interval", "each seed", "wall time"], rows),
            "MiniLM's weights (all-MiniLM-L6-v2) were trained further on sentence pairs that include sources of GLUE "
            f"(QQP, MNLI, SNLI, QNLI's SQuAD), not on these four sets. {machine}",
            "## Commands",
            *details,
        ]
    )
    (measure.HERE.parent / "docs" / "results.md").write_text(text + "\n")


def main(names: list[str], seeds: int) -> None:
    path = measure.RESULTS / "tasks.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        runs = []
        for seed in range(seeds):
            runs.append(run_seed(name, seed))
            print(name, json.dumps(runs[-1]), flush=True)
        results[name] = {"machine": measure.machine(), "runs": runs}
        if "labels" in TASKS[name]:
            results[name]["commonest"] = commonest(*TASKS[name]["labels"])
        keep(results)
    keep(results)


def keep(results: dict[str, Any]) -> None:
    """Save what there is, in the order of TASKS, and make the page anew."""
    ordered = {n: results[n] for n in TASKS if n in results}
    measure.save("tasks", ordered)
    write(ordered)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", choices=[*TASKS, []], default=[])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    try:
        main(given.names or list(TASKS), given.seeds)
    except measure.Stop as reason:
        print(f"error: {reason}", file=sys.stderr)
        raise SystemExit(2) from None
