"""The demo: a pre-trained encoder beside what it must beat, on text that every Python carries.

Four systems learn to say which area of the library a passage of documentation describes, and are judged on modules
that none of them has read: the commonest class, TF-IDF with logistic regression, MiniLM's network from random weights,
and MiniLM fine-tuned. No download, no data of one's own.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from maskwright.base.errors import UserError
from maskwright.base.files import write_json, write_text
from maskwright.data.table import Table
from maskwright.evaluation.baselines import baselines
from maskwright.finetuning._demo_corpus import corpus
from maskwright.finetuning._demo_page import page
from maskwright.finetuning.run import Run, finetune

LENGTH = 128  # word pieces; a passage has 63 of them on average, and hardly one has more than 128
EPOCHS = 3
# A pre-trained network is nudged, a new one has everything to learn: one rate for both would wrong the second.
RATES = {"pretrained": 1e-4, "random": 3e-4}
QUICK = 12  # a quick demo keeps every twelfth row


@dataclass(frozen=True)
class System:
    """One line of the table, judged on the test rows."""

    name: str
    accuracy: float
    f1_macro: float
    seconds: float  # baselines: training; networks: from rows to a saved, reloaded and compared model
    how: str


@dataclass(frozen=True)
class Answer:
    """What the fine-tuned model says of a test passage."""

    passage: str
    module: str
    area: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class DemoResult:
    """All that the table and the page show."""

    folder: Path
    page: Path
    systems: list[System]
    answers: list[Answer]  # one for each test row
    tables: dict[str, Table]
    notes: list[str]
    command: str
    seconds: float


def demo(
    out: str | Path = "runs/demo", seed: int = 0, quick: bool = False, say: Callable[[str], None] | None = None
) -> DemoResult:
    """Train and judge the four systems and write `demo.json`, `report.html` and two run folders into `out`.

    The rows and their split are the same for every seed; `seed` fixes new weights, order and dropout. quick: a twelfth
    of the rows and one epoch, to see that all works; its figures mean nothing. `say` is told what is being done.
    Raises UserError where `out` holds something else.
    """
    start = time.perf_counter()
    say = say or (lambda text: None)
    folder = _folder(Path(out))
    tables = {side: _thin(table) if quick else table for side, table in corpus().items()}
    sizes = ", ".join(f"{len(t):,} {side}" for side, t in tables.items())
    say(f"Passages from the documentation of Python {platform.python_version()}: {sizes}; no module on two sides.")
    systems = _baselines(tables, say)
    runs = {}
    for weights, name in (("random", "the same network, random weights"), ("pretrained", "MiniLM, fine-tuned")):
        say(f"Training: {name} ...")
        system, runs[weights] = _network(folder, tables, seed, weights, name, 1 if quick else EPOCHS)
        systems.append(system)
    command = f"maskwright demo --out {out} --seed {seed}" + (" --quick" if quick else "")
    result = DemoResult(
        folder=folder,
        page=folder / "report.html",
        systems=systems,
        answers=_answers(runs["pretrained"], tables["test"]),
        tables=tables,
        notes=[*tables["train"].notes, *(n for n in runs["pretrained"].notes if n not in tables["train"].notes)],
        command=command,
        seconds=time.perf_counter() - start,
    )
    facts = {"command": command, "rows": {side: len(t) for side, t in tables.items()}, "seconds": result.seconds}
    write_json(folder / "demo.json", {**facts, "systems": [asdict(s) for s in systems], "notes": result.notes})
    write_text(result.page, page(result))
    return result


def text_table(result: DemoResult) -> str:
    """The table as a person reads it in a terminal."""
    test = result.tables["test"]
    wide = max(len(s.name) for s in result.systems)
    head = f"{'on the test rows':<{wide}}  accuracy  macro F1  seconds"
    rows = [f"{s.name:<{wide}}  {s.accuracy:8.1%}  {s.f1_macro:8.3f}  {s.seconds:7.1f}" for s in result.systems]
    modules = len(set(test.column("module")))
    areas = len(set(test.column("area")))
    foot = (
        f"{len(test):,} test passages of {modules} modules, none of which any system was trained on or chosen by; "
        f"{areas} areas. {result.seconds:.0f} seconds in all."
    )
    return "\n".join([head, "-" * len(head), *rows, "", foot])


def _folder(path: Path) -> Path:
    """An empty folder, or one that an earlier demo wrote into."""
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; the demo needs a folder. Give another --out.")
    strange = sorted({p.name for p in path.iterdir()} - {"demo.json", "report.html", *RATES}) if path.exists() else []
    if strange:
        raise UserError(
            f"{path} holds something that is not a demo ({strange[0]}); nothing was written. Give another --out."
        )
    path.mkdir(parents=True, exist_ok=True)
    return path


def _thin(table: Table) -> Table:
    return table.select(range(0, len(table), QUICK))


def _baselines(tables: dict[str, Table], say: Callable[[str], None]) -> list[System]:
    say("Training: majority class, TF-IDF + logistic regression ...")
    train, held, test = (tables[side] for side in ("train", "eval", "test"))
    found = baselines(
        train.column("passage"),
        train.column("area"),
        test.column("passage"),
        eval_texts=held.column("passage"),
        eval_labels=held.column("area"),
    )
    systems = []
    for b in found:
        figures = b.metrics(test.column("area"))
        how = ", ".join(
            f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in b.settings.items()
        )
        systems.append(System(b.name, figures["accuracy"], figures["f1_macro"], b.seconds, how))
    return systems


def _network(
    folder: Path, tables: dict[str, Table], seed: int, weights: str, name: str, epochs: int
) -> tuple[System, Run]:
    start = time.perf_counter()
    run = finetune(
        task="classification",
        model="minilm",
        weights=weights,
        train=tables["train"],
        eval=tables["eval"],
        test=tables["test"],
        text="passage",
        label="area",
        out=str(folder / weights),
        seed=seed,
        overwrite=True,
        max_length=LENGTH,
        settings={"train": {"epochs": epochs, "batch_size": 32, "lr": RATES[weights], "order": "grouped"}},
    )
    seconds = time.perf_counter() - start
    figures = run.metrics["test"]
    how = f"{epochs} epochs, batch 32, learning rate {RATES[weights]:g}, best epoch by eval accuracy"
    return System(name, figures["accuracy"], figures["f1_macro"], seconds, how), run


def _answers(run: Run, test: Table) -> list[Answer]:
    said = run.predict(test.column("passage"))
    rows = zip(test.column("passage"), test.column("module"), test.column("area"), said, strict=True)
    return [Answer(text, module, area, s["label"], s["probability"]) for text, module, area, s in rows]
