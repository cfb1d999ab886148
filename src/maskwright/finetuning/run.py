"""Fine-tuning: read, split, encode, train each seed, choose, judge, save, prove."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.base import runtime
from maskwright.base.choice import dump
from maskwright.base.errors import UserError
from maskwright.base.files import read_json, write_json, write_text
from maskwright.base.ragged import flat
from maskwright.data.labels import Labels
from maskwright.data.read import Source
from maskwright.data.table import Table
from maskwright.evaluation.compare import PREDICTIONS, predictions
from maskwright.evaluation.figures import figures
from maskwright.evaluation.outcome import Outcome
from maskwright.evaluation.sections import sections
from maskwright.evaluation.summary import mean_metrics, summary
from maskwright.finetuning._command import command
from maskwright.finetuning._rows import (
    Split,
    cut_notes,
    encode_splits,
    examined,
    fingerprint,
    read_rows,
    read_tables,
    remarks,
    roles,
    start_digests,
)
from maskwright.finetuning._seeds import Trained, choose, seeded, train_seeds
from maskwright.finetuning.settings import FILES, Finetune, gather_rows
from maskwright.runs import RunFolder
from maskwright.runs.card import write_card
from maskwright.runs.curves import elsewhere
from maskwright.runs.notes import Notes
from maskwright.runs.report import write_report
from maskwright.tasks import Examples, Model, load
from maskwright.tasks._given import Inputs
from maskwright.training.state import load_weights

DECODED = 1_000_000  #: probabilities that are held as Python numbers at a time
PROOF_ROWS = 256  #: rows on which a saved model must repeat the trained one's outputs


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, its metrics by split (means over seeds), all it has to say, its model on demand."""

    folder: Path
    metrics: dict[str, dict[str, Any]]
    summary: dict[str, Any]  #: as metrics.json: figures with intervals, baselines, calibration, the verdict in words
    notes: list[str] = field(default_factory=list)

    @cached_property
    def model(self) -> Model:
        return load(self.folder / "model")

    def predict(self, texts: Sequence[str] | str, pairs: Sequence[str] | str | None = None) -> list[dict[str, Any]]:
        return self.model.predict(texts, pairs)


def finetune(
    config: str | Path | Mapping[str, Any] | None = None,
    *,
    train: Source | None = None,
    eval: Source | None = None,
    test: Source | None = None,
    also: Mapping[str, Source] | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    allow_drift: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] | None = None,
    **options: Any,
) -> Run:
    """Fine-tune an encoder on labelled rows, with several seeds where there are few; what was saved is proved.

    config: a run file or its tables. train, eval, test: a file, a mapping of columns, or rows. also: further rows by
    name, on which each seed is judged too (`summary["also"]`). options: any field of `finetuning.settings.Finetune`
    (task, model, out, max_length, seed ...) or of the task (text, pair, label).
    settings: nested tables, e.g. {"train": {"lr": 3e-5}}. say: told each note as soon as it is known, those on the rows
    before the first step; the run that is returned holds all of them. Raises UserError for what a person can mend, and
    `training.stop.Interrupted` after saving when SIGINT or SIGTERM came.
    """
    given = dict(zip(FILES, (train, eval, test), strict=True))
    asked, sources, tables, found = _gathered(config, options, settings or {}, given, also or {})
    notes = Notes(say)
    facts = _facts(asked, tables, sources)
    folder = RunFolder.open(asked.out, facts, resume, overwrite)
    if resume and folder.complete:
        return _done(folder, notes)
    _keep_base(asked, overwrite)
    notes.tell(found)
    labels = asked.task.discover(tables["train"])
    asked = asked.model_copy(update={"task": asked.task.settled_on(labels, tables["train"])})
    notes.tell(labels.doubtful() if labels is not None else [])
    seeds = asked.numbers(len(tables["train"]))
    first = seeded(seeds[0], lambda: _build(asked, labels))

    def fresh(seed: int) -> Model:
        return first if seed == seeds[0] else seeded(seed, lambda: _build(asked, labels))

    splits = encode_splits(first, tables)
    seen = examined(first, tables, splits, asked.data.corpus)
    notes.tell(first.notes + remarks(splits, first) + cut_notes(splits, first) + seen.notes(said=("lengths",)))
    begun = {**facts, "start": start_digests(first, splits)}
    with folder.held():
        folder.mend(facts, resume)
        # Again: another process may have been here, and now it is known what the run starts from.
        folder = RunFolder.open(asked.out, facts if allow_drift else begun, resume, overwrite)
        if resume and folder.complete:
            return _done(folder, notes)
        folder.start({**begun, "notes": notes.told})
        write_json(folder.data, seen.plain())
        trained = train_seeds(asked, fresh, splits, seeds, folder, begun, notes.tell, quiet, allow_drift)
        told = _finish(asked, labels, tables, splits, folder, trained, facts)
    return Run(folder.path, told["metrics"], told, notes.told)


def _gathered(
    config: str | Path | Mapping[str, Any] | None,
    options: Mapping[str, Any],
    settings: Mapping[str, Any],
    given: Mapping[str, Source | None],
    also: Mapping[str, Source],
) -> tuple[Finetune, Mapping[str, Source | None], dict[str, Table], list[str]]:
    """All settings; where the rows of each side come from, and these rows; what is to be said of that."""
    asked, sources = gather_rows(config, options, settings, given)
    _settle(asked)
    sources, notes = roles(asked, sources)
    tables, more = read_tables(asked, sources)
    taken = next((name for name in also if name in FILES), None)
    if taken is not None:
        raise UserError(f"Further rows (also) need a name of their own; {taken!r} is that of a side of the run.")
    for name, source in also.items():
        tables[name] = read_rows(asked, source, asked.task.columns())
        more += tables[name].notes
    asked = asked.model_copy(update={"task": asked.task.spelled(tables["train"])})
    return asked, {**sources, **also}, tables, notes + more


def _settle(asked: Finetune) -> None:
    """Set up the machine; what it does not have is said before anything is read."""
    runtime.settle_memory(kernels=256)
    runtime.set_threads(asked.train.threads)
    runtime.device(asked.train.device)
    if asked.train.tracker is not None:
        asked.train.tracker.check()


def _keep_base(asked: Finetune, overwrite: bool) -> None:
    """Raises UserError where overwriting the folder would delete the model to start from."""
    base = Path(asked.model).resolve()
    if overwrite and base.exists() and Path(asked.out).resolve() in (base, *base.parents):
        raise UserError(f"{asked.model} lies in {asked.out}, which --overwrite would empty. Give another --out.")


def _build(asked: Finetune, labels: Labels | None) -> Model:
    return Model.build(
        asked.model,
        asked.task,
        labels,
        max_length=asked.max_length,
        long=asked.long,
        weights=asked.weights,
        precision=asked.train.precision,
        positions=asked.positions,
        normalise=asked.normalise,
        network=asked.network,
        dropout=asked.dropout,
    )


def _done(folder: RunFolder, notes: Notes) -> Run:
    told = read_json(folder.metrics)
    notes.tell(["This run was already complete; nothing was done."])
    return Run(folder.path, told["metrics"], told, notes.told)


def _finish(
    asked: Finetune,
    labels: Labels | None,
    tables: Mapping[str, Table],
    splits: Mapping[str, Split],
    folder: RunFolder,
    trained: list[Trained],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Choose a seed, calibrate and save its model, prove it, judge all, and only then let the folder look finished."""
    reported = "test" if "test" in splits else "eval"
    chosen, why = choose(trained, asked.task.main, reported)
    model = seeded(chosen.seed, lambda: _build(asked, labels))
    load_weights(chosen.weights, model.network)
    model.network.to(runtime.device(asked.train.device)).eval()
    model.provenance |= {"seed": chosen.seed, "data": facts["data"]}
    held = splits["eval"].examples
    model.calibration = chosen.calibration
    model.save(folder.unproved)
    _prove(model, folder.unproved, splits["eval"].encodings)
    outcome = Outcome(
        task=asked.task,
        labels=labels,
        examples=splits[reported].examples,
        source=tables[reported].source,
        split=reported,
        seeds=[one.seed for one in trained],
        scores=[one.scores[reported] for one in trained],
        saved=chosen.seed,
        why=why,
        calibrations=[one.calibration for one in trained],
        chosen_here=reported == "eval",
    )
    told = summary(outcome, splits["train"].examples, held if reported != "eval" else None, asked.baselines)
    shapes = sections(
        outcome, told["sureness"], {n: s.encodings for n, s in splits.items()}, tables[reported], model.max_length
    )
    told["facts"] = [shape.plain() for shape in shapes]
    told |= _further(asked, splits, trained)
    told["metrics"] = {name: mean_metrics([one.metrics[name] for one in trained]) for name in splits if name != "train"}
    # A repeat writes the same metrics.json to the byte, so clocks stand elsewhere.
    clocks = {"baselines": {other["name"]: other.pop("seconds") for other in told["baselines"]}}
    write_json(folder.path / "timings.json", clocks)
    write_text(folder.path / PREDICTIONS, _answers(model, outcome, tables[reported]))
    told |= elsewhere(folder.path, told)
    folder.accept()
    write_json(folder.metrics, told)
    write_report(folder.path)
    write_card(folder.path)
    for one in trained:
        one.weights.unlink(missing_ok=True)  # the chosen ones are in model/
    return told


def _further(asked: Finetune, splits: Mapping[str, Split], trained: Sequence[Trained]) -> dict[str, Any]:
    """The figures on further rows, by their name."""
    sides = {name: side.examples for name, side in splits.items() if name not in FILES}
    found = {
        name: {
            "rows": len(rows),
            "figures": figures(
                asked.task, [one.scores[name] for one in trained], rows.targets, [one.calibration for one in trained]
            ),
        }
        for name, rows in sides.items()
    }
    return {"also": found} if found else {}


def _answers(model: Model, outcome: Outcome, table: Table) -> str:
    """The saved model's answers on the reported rows, as `maskwright compare` reads them."""
    examples = outcome.examples
    assert examples.targets is not None
    said = _decoded(model, outcome.kept, examples)
    true = outcome.task.truths(examples.targets, outcome.labels)
    return predictions(said, true, examples.texts, examples.pairs, table)


def _decoded(model: Model, scores: np.ndarray, examples: Examples) -> Iterator[dict[str, Any]]:
    """Answers, decoded a few rows at a time: each holds the probabilities of all its labels, which may be many."""
    step = max(1, DECODED // model.task.classes(model.labels))
    for start in range(0, len(scores), step):
        rows = np.arange(start, min(start + step, len(scores)))
        yield from model.task.decode(scores[rows], model.labels, model.calibration, examples.select(rows))


def _prove(model: Model, folder: Path, encodings: Inputs) -> None:
    """Reload what was saved and compare its outputs with the trained model's, which must be the same numbers."""
    rows = np.arange(min(PROOF_ROWS, len(encodings)))
    again = load(folder)
    again.network.to(next(model.network.parameters()).device)
    one, two = (flat(each.outputs(encodings.select(rows))) for each in (model, again))
    difference = float(np.abs(one - two).max(initial=0))
    if not difference <= 1e-6:
        raise UserError(
            f"The model saved in {folder} does not repeat the trained one: its outputs differ by up to "
            f"{difference:.2g}. This is a fault of maskwright or of the disk; please report it."
        )


def _facts(asked: Finetune, tables: Mapping[str, Table], sources: Mapping[str, Source | None]) -> dict[str, Any]:
    """What config.json says: enough to repeat the run, and to notice that it would not be the same run."""
    settings = asked.model_dump(mode="json")
    settings["task"] = dump(asked.task)
    data = {name: fingerprint(tables[name], sources.get(name)) for name in tables}
    return {
        "settings": settings,
        "command": command(asked) if _from_files(sources) else None,
        "data": data,
        "versions": runtime.versions(),
        "machine": runtime.facts(runtime.device(asked.train.device)),
    }


def _from_files(sources: Mapping[str, Source | None]) -> bool:
    """Whether a command line can name all rows: what was in memory, it cannot."""
    return all(source is None or isinstance(source, str | Path) for source in sources.values())


__all__ = ["Finetune", "Labels", "Run", "finetune", "read_tables", "roles"]
