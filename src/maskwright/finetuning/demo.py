"""The demo: a pre-trained encoder beside what it must beat, on text that every Python carries.

Four systems learn to say which area of the library a passage of documentation describes, and are judged on modules
that none of them has read: the commonest class, TF-IDF with logistic regression, MiniLM's network from random weights,
and MiniLM fine-tuned. Before that, an encoder is made of the same docstrings alone, in two minutes. No download, no
data of one's own.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from maskwright.base.errors import UserError
from maskwright.base.files import read_json, room, write_json, write_text
from maskwright.data.table import Table
from maskwright.finetuning._demo_page import page
from maskwright.finetuning._demo_pretraining import BUDGET, Fill, fill_lines, pretrained_here
from maskwright.finetuning._demo_pretraining import QUICK as QUICK_BUDGET
from maskwright.finetuning.demo_corpus import corpus
from maskwright.finetuning.run import Run, finetune
from maskwright.pretraining.run import Pretrained

LENGTH = 128  # word pieces; a passage has 63 of them on average, and hardly one has more than 128
EPOCHS = 2
# A pre-trained network is nudged, a new one has everything to learn: one rate for both would wrong the second.
RATES = {"pretrained": 2e-4, "random": 3e-4}
QUICK = 12  # a quick demo keeps every twelfth row


@dataclass(frozen=True)
class System:
    """One line of the table, judged on the test rows."""

    name: str
    accuracy: float
    low: float  # the 95 % interval of the accuracy: over examples, and over seeds too where there are several
    high: float
    f1_macro: float
    seconds: float  # baselines: training; networks: from rows to a saved, reloaded and compared model, all seeds
    how: str
    seeds: int | None = None  # how often it was trained; None where a seed changes nothing


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
    verdict: list[str]
    pretrained: Pretrained | None = None
    fills: list[Fill] = field(default_factory=list)  # what the encoder of two minutes says of four sentences


def demo(
    out: str | Path = "runs/demo",
    seed: int = 0,
    quick: bool = False,
    say: Callable[[str], None] | None = None,
    seeds: int = 3,
) -> DemoResult:
    """Train and judge the four systems and write `demo.json`, `report.html` and two run folders into `out`.

    The rows and their split are the same for every seed; `seed` and those after it fix new weights, order and dropout.
    `seeds` says how often MiniLM is fine-tuned. The network from random weights is trained once: it is the yardstick
    of pre-training, far below, and costs as much a seed as the model that people ask about.
    quick: a twelfth of the rows, one epoch and one seed, to see that all works; its figures mean nothing. `say` is
    told what is being done. Raises UserError where `out` holds something else.
    """
    start = time.perf_counter()
    say = say or (lambda text: None)
    folder = _folder(Path(out))
    tables = {side: _thin(table) if quick else table for side, table in corpus().items()}
    sizes = ", ".join(f"{len(t):,} {side}" for side, t in tables.items())
    say(f"Passages from the documentation of Python {platform.python_version()}: {sizes}; no module on two sides.")
    budget = QUICK_BUDGET if quick else BUDGET
    say(f"Pre-training: an encoder from nothing but the docstrings of this Python, {budget} ...")
    pretrained, fills = pretrained_here(folder / "pretraining", seed, quick)
    say("\n".join([*pretrained.summary["verdict"], "", *fill_lines(fills), ""]))
    seeds, epochs = (1, 1) if quick else (seeds, EPOCHS)
    networks, runs = [], {}
    for weights, name in (("random", "the same network, random weights"), ("pretrained", "MiniLM, fine-tuned")):
        times = seeds if weights == "pretrained" else 1
        say(f"Training: {name}, {times} {'seeds' if times > 1 else 'seed'} ...")
        system, runs[weights] = _network(folder, tables, seed, weights, name, epochs, times)
        networks.append(system)
    systems = [*_baselines(runs["pretrained"]), *networks]
    command = f"maskwright demo --out {out} --seed {seed}" + (" --quick" if quick else f" --seeds {seeds}")
    result = DemoResult(
        folder=folder,
        page=folder / "report.html",
        systems=systems,
        answers=_answers(runs["pretrained"], tables["test"]),
        tables=tables,
        notes=[*tables["train"].notes, *(n for n in runs["pretrained"].notes if n not in tables["train"].notes)],
        command=command,
        seconds=time.perf_counter() - start,
        verdict=runs["pretrained"].summary["verdict"],
        pretrained=pretrained,
        fills=fills,
    )
    facts = {"command": command, "rows": {side: len(t) for side, t in tables.items()}, "seconds": result.seconds}
    facts["pretraining"] = {"verdict": pretrained.summary["verdict"], "fills": [asdict(f) for f in fills]}
    write_json(folder / "demo.json", {**facts, "systems": [asdict(s) for s in systems], "notes": result.notes})
    write_text(result.page, page(result))
    return result


def text_table(result: DemoResult) -> str:
    """The table as a person reads it in a terminal."""
    test = result.tables["test"]
    wide = max(len(s.name) for s in result.systems)
    head = f"{'on the test rows':<{wide}}  seeds  accuracy     95 % interval  macro F1  seconds"
    rows = [
        f"{s.name:<{wide}}  {s.seeds or '-':>5}  {s.accuracy:8.1%}  {s.low:6.1%} to {s.high:6.1%}  {s.f1_macro:8.3f}"
        f"  {s.seconds:7.1f}"
        for s in result.systems
    ]
    modules = len(set(test.column("module")))
    areas = len(set(test.column("area")))
    foot = (
        f"{len(test):,} test passages of {modules} modules, none of which any system was trained on or chosen by; "
        f"{areas} areas. Intervals are over passages, and over seeds where there are several; passages of one module "
        f"are alike, so they are a little too narrow. {result.seconds:.0f} seconds in all."
    )
    return "\n".join([head, "-" * len(head), *rows, "", foot, *result.verdict])


def _folder(path: Path) -> Path:
    """An empty folder, or one that an earlier demo wrote into."""
    with room(path):
        if path.exists() and not path.is_dir():
            raise UserError(f"{path} is a file; the demo needs a folder. Give another --out.")
        path.mkdir(parents=True, exist_ok=True)
        strange = sorted({p.name for p in path.iterdir()} - {"demo.json", "report.html", "pretraining", *RATES})
    if strange:
        raise UserError(
            f"{path} holds something that is not a demo ({strange[0]}); nothing was written. Give another --out."
        )
    return path


def _thin(table: Table) -> Table:
    return table.select(range(0, len(table), QUICK))


def _baselines(run: Run) -> list[System]:
    """What the run itself put beside its model."""
    systems, clocks = [], read_json(run.folder / "timings.json")["baselines"]
    for other in run.summary["baselines"]:
        how = ", ".join(
            f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}"
            for name, value in other["settings"].items()
        )
        systems.append(_system(other["name"], other["figures"], clocks[other["name"]], how))
    return systems


def _system(name: str, figures: dict[str, Any], seconds: float, how: str) -> System:
    sure = figures["accuracy"]
    return System(name, sure["value"], sure["low"], sure["high"], figures["f1_macro"]["value"], seconds, how)


def _network(
    folder: Path, tables: dict[str, Table], seed: int, weights: str, name: str, epochs: int, seeds: int
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
        seeds=seeds,
        baselines=weights == "pretrained",
        overwrite=True,
        max_length=LENGTH,
        settings={"train": {"epochs": epochs, "batch_size": 32, "lr": RATES[weights], "order": "grouped"}},
    )
    seconds = time.perf_counter() - start
    how = f"{epochs} epochs, batch 32, learning rate {RATES[weights]:g}, best epoch by eval accuracy"
    how += f"; mean of {seeds} seeds" if seeds > 1 else "; 1 seed"
    return replace(_system(name, run.summary["figures"], seconds, how), seeds=seeds), run


def _answers(run: Run, test: Table) -> list[Answer]:
    said = run.predict(test.column("passage"))
    rows = zip(test.column("passage"), test.column("module"), test.column("area"), said, strict=True)
    return [Answer(text, module, area, s["label"], s["probability"]) for text, module, area, s in rows]
