"""The cases of `bench.scripts`, and their rows as the peer takes them: cut once, the same for both sides."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import _measure as measure
from maskwright.base.files import sha256
from maskwright.base.words import counted
from maskwright.data.table import Table
from maskwright.finetuning.benchmark import settings_of
from maskwright.finetuning.benchmarks import Benchmark, Case, LeftOut, Rows, Way
from maskwright.finetuning.benchmarks.glue import Glue
from maskwright.finetuning.benchmarks.squad import TWO, Squad
from maskwright.finetuning.benchmarks.tagging import BC5CDR, NCBI, WNUT
from maskwright.finetuning.benchmarks.tagging import Tagging as Tagged
from maskwright.finetuning.run import read_tables, roles
from maskwright.finetuning.settings import gather_rows
from maskwright.tasks import Examples, Task
from maskwright.tasks.answer import Answer
from maskwright.tasks.choice import Choice
from maskwright.tasks.regression import Regression
from maskwright.tasks.tagging import Tagging

TWO_FILES = {"header": False}
CHOICES = ("2", "3", "4", "5")  #: ARC's columns of them
RIGHT = (*"ABCD", *"1234")  #: what the files call the right one


def _arc(name: str, title: str, folder: str, file: str) -> Case:
    """The repository's dev file has the size of ARC's training rows, its test file that of the validation rows."""
    rows = (Rows((f"arc/{folder}/{side}/{file}_{side}.csv",), {}, TWO_FILES) for side in ("dev", "test"))
    task = {"name": "choice", "text": "1", "pair": ",".join(CHOICES), "label": "6"}
    note = "rows whose choices the files have lost, with others than four, or a label of none of them, are left out"
    return Case(name, title, task, ("accuracy",), (Way("arc", *rows, prepare=_with_choices),), note=note)


def _with_choices(tables: dict[str, Table]) -> dict[str, Table]:
    """Rows of four choices, as run_swag needs them, one of which is right; how many others there were is noted."""
    out = {}
    for side, table in tables.items():
        kept = []
        for i in range(len(table)):
            there = all(str(table.column(name)[i] or "").strip() for name in CHOICES)
            if there and str(table.column("6")[i] or "").strip() in RIGHT:
                kept.append(i)
        left = len(table) - len(kept)
        told = f"{left:,} of {counted(len(table), 'row')} left out."
        notes = [*table.notes, LeftOut(told, left)] if left else table.notes
        out[side] = replace(table.select(kept), notes=notes)
    return out


def _pubmedqa(tables: dict[str, Table]) -> dict[str, Table]:
    """The abstract's parts as one text; the rows of test_ground_truth.json are reported on."""
    sides = {}
    for side, table in tables.items():
        columns = {
            "question": table.column("QUESTION"),
            "context": [" ".join(parts) for parts in table.column("CONTEXTS")],
            "label": table.column("final_decision"),
        }
        sides[side] = Table(columns, table.source, table.lines, table.notes, table.unit, table.places)
    return sides


def pubmedqa_rows() -> Path:
    """The JSON keyed by article as JSON lines of each side."""
    source, out = measure.data_folder("pubmedqa"), measure.cache_folder("pubmedqa")
    rows = json.loads((source / "ori_pqal.json").read_text(encoding="utf-8"))
    test = json.loads((source / "test_ground_truth.json").read_text(encoding="utf-8"))
    for side, inside in (("test", True), ("train", False)):
        some = (json.dumps(row) for number, row in rows.items() if (number in test) == inside)
        (out / f"{side}.jsonl").write_text("".join(f"{row}\n" for row in some), encoding="utf-8")
    return out


PUBMEDQA = Case(
    "pubmedqa", "PubMedQA", {"name": "classification", "text": "question", "pair": "context"},
    ("accuracy", "f1_macro"),
    (Way("pubmedqa", Rows(("train.jsonl",)), Rows(("test.jsonl",)), prepare=_pubmedqa),),
    options={"max_length": 512}, seen=("minilm",),
)  # fmt: skip

CASES: dict[str, Case] = {
    case.name: case
    for case in (
        WNUT, BC5CDR, NCBI, TWO, _arc("arc_easy", "ARC, easy", "ARC-E", "arc_easy"),
        _arc("arc_challenge", "ARC, challenge", "ARC-C", "arc_challenge"), *Glue().cases(), PUBMEDQA,
    )
}  # fmt: skip
PLACES: dict[str, Callable[[], Path]] = {"pubmedqa": pubmedqa_rows}  #: where rows lie that are made first
#: what the scripts' documentation says of single sets, and the length that PubMedQA's abstracts need
RECIPES: dict[str, dict[str, Any]] = {"mrpc": {"epochs": 5}, "wnli": {"epochs": 5}, "pubmedqa": {"max_length": 512}}

ONE_SEED = ("squad2", "sst2")  #: of the peer, which takes about an hour for it


def peer_seeds(name: str, seeds: int) -> range:
    """Those of the peer where ours has so many."""
    return range(1 if name in ONE_SEED else seeds)


def benchmark_of(name: str) -> Benchmark | None:
    """The benchmark that a case is of, if it is of one."""
    all_of = (Glue(), Squad(), Tagged())
    return next((made for made in all_of if name in [case.name for case in made.cases()]), None)


Row = dict[str, Any]


@dataclass(frozen=True)
class Cut:
    """The rows of a case for the peer, and how ours is asked for it.

    kind: one of `_script_sides.KINDS`; names: of its classes or tags; rows: a file with `train`, which the peer learns
    from, `test`, and `eval`, where dev rows choose ours' checkpoint; counts: of ours' sides, and `peer`, of the rows
    that it learns from; reported: which rows `test` has; notes: on the rows; recipe: of the peer, what this case has
    otherwise than its kind; ours: its task and settings; truth: of the test rows, as predictions have it.
    """

    name: str
    kind: str
    names: list[str]
    rows: Path
    counts: dict[str, int]
    reported: str
    notes: list[str]
    recipe: dict[str, Any] = field(default_factory=dict)
    ours: dict[str, Any] = field(default_factory=dict)
    truth: list[Any] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Of all rows of both sides."""
        return sha256(self.rows)

    def test(self) -> list[Row]:
        """The rows that both sides are judged on."""
        found: list[Row] = json.loads(self.rows.read_text(encoding="utf-8"))["test"]
        return found


def way_of(name: str) -> tuple[Way, Path]:
    """The layout that is at hand, and the folder it is in. Raises Stop where none is."""
    folder = PLACES.get(name, lambda: measure.data_folder(""))()
    way = CASES[name].way(folder)
    if way is None:
        raise measure.Stop(CASES[name].wanted())
    return way, folder


def cut(name: str) -> Cut:
    """Rows read, split off and labelled as a run of ours does it, written down for the peer. Where no dev rows are
    given ours splits off a tenth of the training rows, which the peer learns from as its recipe does."""
    case, (way, folder) = CASES[name], way_of(name)
    tables, ours = way.tables(folder), {"task": {**case.task, **way.task}, "settings": settings_of(case, way)}
    given = {side: tables.get(side) for side in ("train", "eval", "test")}
    asked, sources = gather_rows(None, {"task": ours["task"]}, ours["settings"], given)
    found, _ = read_tables(asked, roles(asked, sources)[0])
    task = asked.task.spelled(found["train"])
    labels = task.discover(found["train"])
    task = task.settled_on(labels, found["train"])
    kind, made = KINDS.get(type(task), ("classes", _classes))
    names = [] if labels is None or kind == "answer" else list(labels.names)
    examples = {side: task.examples(table, labels) for side, table in found.items()}
    rows = {side: made(task, some, names) for side, some in examples.items()}
    # as it comes out of a file of predictions, so that the two are equal
    truth = json.loads(json.dumps(task.truths(examples["test"].targets, labels)))
    if given["eval"] is None:
        rows["train"] += rows.pop("eval")
    if kind == "tagging":
        names = sorted({tag for row in rows["train"] for tag in row["tags"]})
    path = measure.cache_folder("scripts") / f"{name}.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    recipe = {**RECIPES.get(name, {}), **({"none": task.none == "yes"} if isinstance(task, Answer) else {})}
    counts = {**{side: len(some) for side, some in found.items()}, "peer": len(rows["train"])}
    of = benchmark_of(name)
    reported = way.rows_reported(of.reported if of else "test")
    return Cut(name, kind, names, path, counts, reported, case.notes(way, tables), recipe, ours, truth)


def _classes(task: Task, examples: Examples, names: list[str]) -> list[Row]:
    assert examples.targets is not None
    number = float if isinstance(task, Regression) else int
    pairs = examples.pairs or [None] * len(examples)
    return [
        {"text": text, "pair": pair, "label": number(target)}
        for text, pair, target in zip(examples.texts, pairs, examples.targets, strict=True)
    ]


def _tagged(task: Task, examples: Examples, names: list[str]) -> list[Row]:
    """Tags as the scripts' files have them: B- and I-."""
    assert examples.targets is not None
    out = []
    for text, gold in zip(examples.texts, examples.targets, strict=True):
        tags = ["O"] * len(gold.words)
        for span in gold.spans:
            inside = [i for i, (start, end) in enumerate(gold.words) if start >= span.start and end <= span.end]
            for i in inside:
                tags[i] = f"{'B' if i == inside[0] else 'I'}-{span.label}"
        words = gold.words.tolist()
        out.append({"words": [text[start:end] for start, end in words], "bounds": words, "tags": tags})
    return out


def _answered(task: Task, examples: Examples, names: list[str]) -> list[Row]:
    assert examples.targets is not None
    out = []
    for question, gold in zip(examples.texts, examples.targets, strict=True):
        place = gold.answers[0] if gold.answers else None
        answer = None if place is None else {"text": gold.context[slice(*place)], "start": place[0]}
        out.append({"question": question, "context": gold.context, "answer": answer})
    return out


def _chosen(task: Task, examples: Examples, names: list[str]) -> list[Row]:
    assert examples.targets is not None
    return [
        {"question": text, "choices": list(asked.choices), "label": asked.right}
        for text, asked in zip(examples.texts, examples.targets, strict=True)
    ]


KINDS: dict[type[Task], tuple[str, Callable[[Task, Examples, list[str]], list[Row]]]] = {
    Tagging: ("tagging", _tagged), Answer: ("answer", _answered), Choice: ("choice", _chosen),
}  # fmt: skip
