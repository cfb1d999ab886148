"""Figures of real tasks with MiniLM, several seeds each, through the command line as a user would: docs/results.md.

    python -m bench.tasks [--seeds 3] [NAME ...]          (`make results` for all)

Every figure is from the `metrics.json` of a run: the mean over its seeds, with the interval over examples and seeds. No
row that is reported on chose a checkpoint or fitted a calibration.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import _measure as measure
from bench._command import leaving, parser

FUNCTIONS = 12  #: of one module, drawn by their hash
COMMON = "maskwright finetune --model minilm --seeds {seeds}"
#: name -> (title, options after COMMON, the metrics to show, a remark)
TASKS: dict[str, dict[str, Any]] = {
    "sst2": {
        "title": "SST-2, whole sentences",
        "options": "--train {data}/sst2_sentences/train.tsv --eval {data}/sst2_sentences/dev.tsv "
        "--test {data}/sst2_sentences/test.tsv --text 1 --label 2 --max-length 128 --set train.epochs=2 "
        "--set train.schedule.warmup=0.06",
        "metrics": ["accuracy"],
        "remark": "the settings of `python -m bench.finetune`; dev chose the checkpoint and fitted the calibration",
    },
    "mrpc": {
        "title": "MRPC",
        "options": "--train {data}/mrpc/msr_paraphrase_train.txt --test {data}/mrpc/msr_paraphrase_test.txt "
        "--text '#1 String' --pair '#2 String' --label Quality --set data.reader=tsv --set train.epochs=3",
        "metrics": ["accuracy", "f1"],
        "remark": "a tenth of the training rows chose the checkpoint and fitted the calibration",
    },
    "rte": {
        "title": "RTE",
        "options": "--train {data}/rte/train.tsv --test {data}/rte/dev.tsv --text sentence1 --pair sentence2 "
        "--set train.epochs=3",
        "metrics": ["accuracy"],
        "remark": "test is GLUE's dev set, which chose nothing: a tenth of the training rows did",
    },
    "stsb": {
        "title": "STS-B, English",
        "options": "--task regression --train {data}/stsb/stsb-en-train.csv --eval {data}/stsb/stsb-en-dev.csv "
        "--test {data}/stsb/stsb-en-test.csv --text 1 --pair 2 --label 3 --set train.epochs=2",
        "metrics": ["pearson", "spearman"],
        "remark": "dev chose the checkpoint",
    },
    "goemotions": {
        "title": "GoEmotions, 28 labels",
        "options": "--task multi-label --train {data}/goemotions/train.tsv --eval {data}/goemotions/dev.tsv "
        "--test {data}/goemotions/test.tsv --text 1 --label 2 --max-length 64 --set data.header=false "
        "--set train.epochs=4 --set train.lr=1e-4",
        "metrics": ["f1_macro", "f1_micro"],
        "remark": "several labels a text; dev chose the checkpoint and the threshold of each label",
    },
    "clinc150": {
        "title": "CLINC150, 150 intents",
        "options": "--train {made}/clinc150/train.jsonl --eval {made}/clinc150/val.jsonl "
        "--test {made}/clinc150/test.jsonl --max-length 64 --set train.epochs=5 --set train.lr=2e-4",
        "metrics": ["accuracy", "f1_macro"],
        "remark": "in-scope intents alone; `python -m bench.tasks clinc150` turns data_full.json into JSON lines first",
    },
    "code": {
        "title": "Code: areas of Python's library",
        "options": "--train {made}/code/functions.jsonl --text code --label area --max-length 128 "
        "--set data.group=module --set data.test_share=0.3 --set train.epochs=3 --set train.lr=2e-4",
        "metrics": ["accuracy", "f1_macro"],
        "remark": "functions without their docstrings, no module on two sides; `python -m bench.tasks code` makes the "
        "file from the library of this Python",
    },
    "table": {
        "title": "Table: breast cancer, 30 measures",
        "options": "--train {made}/table/cells.csv --text '*' --label diagnosis --set data.test_share=0.3 "
        "--set train.epochs=5 --set train.lr=2e-4",
        "metrics": ["accuracy", "f1_macro"],
        "remark": "each row as a text of its columns (scikit-learn's copy of the Wisconsin set); logistic regression "
        "on the numbers themselves has an accuracy of {linear} (ten folds)",
    },
}


def made() -> Path:
    """Files that are made from the data as they are published."""
    return measure.cache_folder("made")


def clinc150() -> None:
    """data_full.json, {split: [[text, label]]}, as JSON lines of the in-scope splits."""
    whole = json.loads((measure.data_folder("clinc150") / "data_full.json").read_text(encoding="utf-8"))
    for split in ("train", "val", "test"):
        rows = [json.dumps({"text": text, "label": label}) for text, label in whole[split]]
        write_made(f"clinc150/{split}.jsonl", rows)


def code() -> None:
    """Functions of the standard library with the area of their module, as the demo groups modules."""
    from maskwright.finetuning import demo_corpus as demo

    folder, rows = Path(sysconfig.get_path("stdlib")), dict[str, list[str]]()
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        module = demo.module_of(parts[0])
        if module is None or demo.NOT_PROSE & set(parts):
            continue
        for source in functions(path.read_text(encoding="utf-8", errors="replace")):
            row = {"code": source, "area": demo.AREA_OF[module], "module": module}
            rows.setdefault(module, []).append(json.dumps(row))
    lines = [row for some in rows.values() for row in sorted(set(some), key=demo.drawn)[:FUNCTIONS]]
    write_made("code/functions.jsonl", lines)


def functions(text: str) -> Iterator[str]:
    """The functions of a file that have some lines, without docstrings and comments."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef):
            continue
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        if node.body and 4 <= len((source := ast.unparse(node)).splitlines()) <= 40:
            yield source


def cells() -> None:
    """scikit-learn's copy of the Wisconsin set, a column for each of its 30 measures."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    head = ",".join([*found.feature_names, "diagnosis"])
    rows = zip(found.data, found.target, strict=True)
    write_made(
        "table/cells.csv", [head, *(",".join([*map("{:g}".format, row), found.target_names[y]]) for row, y in rows)]
    )


def linear() -> str:
    """What logistic regression makes of the table's numbers."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = load_breast_cancer(return_X_y=True)
    return f"{100 * cross_val_score(make_pipeline(StandardScaler(), LogisticRegression()), x, y, cv=10).mean():.1f}"


def write_made(name: str, lines: Sequence[str]) -> None:
    (made() / name).parent.mkdir(parents=True, exist_ok=True)
    (made() / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


PREPARE: dict[str, Callable[[], None]] = {"clinc150": clinc150, "code": code, "table": cells}


def command(name: str, seeds: int) -> str:
    return f"{COMMON.format(seeds=seeds)} {TASKS[name]['options']}"


def run(name: str, seeds: int) -> dict[str, Any]:
    """One command with all its seeds. Returns its metrics.json and the wall time of the whole command."""
    data = measure.data_folder("").resolve()
    if name in PREPARE:
        PREPARE[name]()
    with tempfile.TemporaryDirectory() as folder:
        line = command(name, seeds).format(data=data, made=made()) + f" --quiet --out {folder}/run"
        program = Path(sys.executable).parent
        env = {**os.environ, "PATH": f"{program}:{os.environ['PATH']}"}
        start = time.perf_counter()
        done = subprocess.run(line, shell=True, capture_output=True, text=True, env=env)
        seconds = time.perf_counter() - start
        if done.returncode:
            raise measure.Stop(f"{line} failed: {done.stderr.strip()[-500:]}")
        text = (Path(folder) / "run/metrics.json").read_text()
    told = json.loads(text.replace(str(data), "$MASKWRIGHT_DATA").replace(str(made()), "made"))  # no path of a machine
    told.pop("facts", None)
    for long in ("curves", "risk_coverage"):
        (told.get("sureness") or {}).pop(long, None)
    return {"machine": measure.machine(), "command": command(name, seeds), "seconds": seconds, "summary": told}


def row(title: str, metric: str, result: dict[str, Any]) -> list[str]:
    told = result["summary"]
    figure = told["figures"][metric]
    others = [measure.with_interval(other["figures"][metric]) for other in told["baselines"]] or ["-", "-"]
    seeds = ", ".join(map(measure.points, figure["seeds"]))
    return [title, metric, measure.with_interval(figure), seeds, *others]


def detail(name: str, result: dict[str, Any]) -> str:
    told, task = result["summary"], TASKS[name]
    rows = told["reported"]["rows"]
    remark = task["remark"].replace("{linear}", linear() if "{linear}" in task["remark"] else "")
    line = result["command"].replace("{data}", "$MASKWRIGHT_DATA").replace("{made}", "made")
    parts = [
        f"**{task['title']}** ({result['machine']['date']}): {rows:,} test rows; {remark}. The whole command, "
        f"{len(told['seeds'])} seeds from start to saved, reloaded and compared model: {wall(result)}.",
        "\n".join(f"- {sentence}" for sentence in told["verdict"]),
        f"```\n{line} \\\n    --out runs/{name}\n```",
    ]
    return "\n\n".join(parts)


def write(results: dict[str, Any]) -> None:
    """The tasks' part of docs/results.md anew from the results that are there."""
    rows = [row(TASKS[n]["title"], metric, r) for n, r in results.items() for metric in TASKS[n]["metrics"]]
    names = ["constant answer", "TF-IDF, linear model"]
    machine = measure.describe(next(iter(results.values()))["machine"])
    text = "\n\n".join(
        [
            "Written by `make results` (`python -m bench.tasks`); do not edit by hand. MiniLM (6 layers, 384 wide, "
            "22.7 million parameters) fine-tuned on 2 CPU cores, in bf16 where the processor multiplies it faster and "
            "in fp32 elsewhere. Figures are in points (accuracy, F1 and correlations times 100) on test rows that "
            "chose nothing: the mean over seeds with its 95 % interval over examples and seeds, then each seed. What "
            "these mean and how we know that they hold: "
            "[honesty](honesty.md). Beside it a constant answer (the commonest class or labels, or the mean of the "
            "training rows, which has no correlation) and counted words with logistic or ridge regression.",
            measure.table(["task", "metric", "MiniLM, fine-tuned", "each seed", *names], rows),
            "MiniLM's weights (all-MiniLM-L6-v2) were trained further on sentence pairs that include sources of GLUE "
            f"(QQP, MNLI, SNLI, QNLI's SQuAD), not on these sets. {machine}",
            "## What can be told from them, and the commands",
            *[detail(name, result) for name, result in results.items()],
        ]
    )
    measure.fill("docs/results.md", "tasks", text)
    measure.fill("README.md", "results", short(results))


def short(results: dict[str, Any]) -> str:
    """The same in one table, as the README shows it."""
    rows = []
    for name, result in results.items():
        told = result["summary"]
        for metric in TASKS[name]["metrics"]:
            linear = measure.points(told["baselines"][-1]["figures"][metric]["value"]) if told["baselines"] else "-"
            figure = measure.with_interval(told["figures"][metric])
            rows.append([TASKS[name]["title"], f"test {metric}", figure, linear, wall(result)])
    return measure.table(["task", "figure", "MiniLM (interval)", "counted words", "wall time"], rows)


def wall(result: dict[str, Any]) -> str:
    seconds = result["seconds"]
    return f"{seconds / 60:.1f} minutes" if seconds >= 120 else f"{seconds:.0f} s"


def main(names: list[str], seeds: int) -> None:
    results = {name: result for name, result in measure.load("tasks").items() if "summary" in result}
    for name in names:
        results[name] = run(name, seeds)
        print(name, json.dumps(results[name]["summary"]["verdict"]), flush=True)
        results = {n: results[n] for n in TASKS if n in results}
        measure.save("tasks", results)
        write(results)


if __name__ == "__main__":
    given = parser("tasks", __doc__, TASKS).parse_args()
    with leaving():
        main(given.names or list(TASKS), given.seeds)
