"""Fine-tuning: read, split, encode, train, choose, judge, save, prove."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.base import runtime
from maskwright.base.choice import dump
from maskwright.base.errors import UserError
from maskwright.base.files import read_json, sha256, write_json
from maskwright.data.labels import Labels
from maskwright.data.read import Source, read
from maskwright.data.splits import split
from maskwright.data.table import Table
from maskwright.evaluation.evaluate import Judgement, judge
from maskwright.finetuning.settings import FILES, Finetune, gather
from maskwright.nn.dropout import noise
from maskwright.runs import RunFolder
from maskwright.tasks import Examples, Model, Task, load
from maskwright.tasks._objective import ExampleFeed, TaskObjective
from maskwright.text.encodings import Encodings
from maskwright.training.loop import Loop
from maskwright.training.state import load_weights

PROOF_ROWS = 256  #: rows on which a saved model must repeat the trained one's outputs


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, its metrics by split, its model on demand."""

    folder: Path
    metrics: dict[str, dict[str, Any]]
    notes: list[str] = field(default_factory=list)

    @cached_property
    def model(self) -> Model:
        return load(self.folder / "model")

    def predict(self, texts: Sequence[str] | str, pairs: Sequence[str] | str | None = None) -> list[dict[str, Any]]:
        return self.model.predict(texts, pairs)


@dataclass(frozen=True)
class Split:
    """One side of the data, as texts and as pieces."""

    examples: Examples
    encodings: Encodings


def finetune(
    config: str | Path | Mapping[str, Any] | None = None,
    *,
    train: Source | None = None,
    eval: Source | None = None,
    test: Source | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    allow_drift: bool = False,
    quiet: bool = False,
    **options: Any,
) -> Run:
    """Fine-tune an encoder on labelled rows and prove that what was saved is what was trained.

    config: a run file or its tables. train, eval, test: a file, a mapping of columns, or rows. options: any field of
    `finetuning.settings.Finetune` (task, model, out, max_length, seed ...) or of the task (text, pair, label).
    settings: nested tables, e.g. {"train": {"lr": 3e-5}}. Raises UserError for what a person can mend, and
    `training.stop.Interrupted` after saving when SIGINT or SIGTERM came.
    """
    given = dict(zip(FILES, (train, eval, test), strict=True))
    paths = {name: str(source) for name, source in given.items() if isinstance(source, str | Path)}
    asked = gather(config, {**options, **paths}, settings or {})
    sources: dict[str, Source | None] = {
        name: source if source is not None and name not in paths else getattr(asked.data, name)
        for name, source in given.items()
    }
    runtime.settle_memory(kernels=256)
    runtime.set_threads(asked.train.threads)
    runtime.device(asked.train.device)  # one that cannot be used is said before anything is read
    tables, notes = _tables(asked, sources)
    facts = _facts(asked, tables, sources)
    folder = RunFolder.open(asked.out, facts, resume, overwrite)
    if resume and folder.complete:
        return _done(folder)
    runtime.set_seed(asked.seed)
    noise.seed(asked.seed)
    labels = asked.task.discover(tables["train"])
    model = Model.build(
        asked.model,
        asked.task,
        labels,
        max_length=asked.max_length,
        keep=asked.keep,
        weights=asked.weights,
        precision=asked.train.precision,
    )
    splits = _splits(model, tables)
    model.start(splits["train"].examples.targets)
    notes += model.notes + _remarks(splits, model) + _cuts(splits, model)
    model.provenance |= {"seed": asked.seed, "data": facts["data"]}
    begun = {**facts, "start": _start(model, splits)}
    with folder.held():
        # Again: another process may have been here, and now it is known what the run starts from.
        folder = RunFolder.open(asked.out, facts if allow_drift else begun, resume, overwrite)
        if resume and folder.complete:
            return _done(folder)
        folder.start({**begun, "notes": notes})
        _train(asked, model, splits, folder, {"data": _counts(splits)}, quiet, allow_drift)
        metrics = _finish(asked, model, splits, folder)
    return Run(folder.path, metrics, notes)


def _done(folder: RunFolder) -> Run:
    return Run(folder.path, read_json(folder.metrics), ["This run was already complete; nothing was done."])


def _tables(asked: Finetune, sources: Mapping[str, Source | None]) -> tuple[dict[str, Table], list[str]]:
    """The rows of each side; what is not given is split off the training rows, the same way each time."""
    if sources["train"] is None:
        raise UserError('No training rows were given: --train FILE, or [data] train = "FILE" in the run file.')
    needs = asked.task.columns()
    tables = {
        name: read(source, settings=asked.data.reading(), needs=needs)
        for name, source in sources.items()
        if source is not None
    }
    notes = [note for table in tables.values() for note in table.notes]
    if "eval" not in tables:
        tables, note = _split_off(asked, tables)
        notes.append(note)
    return tables, notes


def _split_off(asked: Finetune, tables: dict[str, Table]) -> tuple[dict[str, Table], str]:
    table, data = tables["train"], asked.data
    shares = {"eval": data.eval_share, **({} if "test" in tables else {"test": data.test_share})}
    shares = {name: share for name, share in shares.items() if share}
    rest = 1 - sum(shares.values())
    if rest <= 0:
        raise UserError(f"data.eval_share and data.test_share leave nothing to train on: {shares}.")
    labels = asked.task.discover(table)
    strata = asked.task.strata(asked.task.examples(table, labels))
    try:
        parts = split(strata, len(table), (rest, *shares.values()), asked.seed)
    except UserError as problem:
        raise UserError(f"{table.source} cannot be split: {problem} More rows or an eval file would do.") from None
    named = dict(zip(("train", *shares), parts, strict=True))
    counts = ", ".join(f"{len(rows):,} {name}" for name, rows in named.items())
    how = "" if strata is None else " by class" if strata.ndim == 1 else " by label"
    out = {**tables, **{name: table.select(rows) for name, rows in named.items()}}
    return out, f"{table.source} was split{how} with seed {asked.seed}: {counts} rows."


def _splits(model: Model, tables: Mapping[str, Table]) -> dict[str, Split]:
    out = {}
    for name, table in tables.items():
        examples = model.task.examples(table, model.labels)
        out[name] = Split(examples, model.encode(examples.texts, examples.pairs))
    return out


def _remarks(splits: Mapping[str, Split], model: Model) -> list[str]:
    """What the task has to say of each side."""
    return [f"{name}: {note}" for name, s in splits.items() for note in model.task.notes(s.examples, model.labels)]


def _cuts(splits: Mapping[str, Split], model: Model) -> list[str]:
    notes = []
    for name, side in splits.items():
        cut = side.encodings.truncated
        if cut:
            end = "end" if model.keep == "head" else "start"
            notes.append(
                f"{cut:,} of {len(side.examples):,} {name} texts are longer than {model.max_length} pieces and were "
                f"cut at the {end} ({side.encodings.pieces_cut:,} pieces lost); keep=head or keep=tail says which end "
                "stays."
            )
    return notes


def _counts(splits: Mapping[str, Split]) -> dict[str, dict[str, int]]:
    """What went in, what was cut off, and what the vocabulary does not know, for the log."""
    return {
        name: {
            "rows": len(side.examples),
            "pieces": len(side.encodings.ids),
            "texts_cut": side.encodings.truncated,
            "pieces_cut": side.encodings.pieces_cut,
            "unknown_pieces": side.encodings.unknown,
        }
        for name, side in splits.items()
    }


def _train(
    asked: Finetune,
    model: Model,
    splits: Mapping[str, Split],
    folder: RunFolder,
    preface: dict[str, Any],
    quiet: bool,
    allow_drift: bool,
) -> None:
    """Train, and leave the best evaluation's weights in the model."""
    held, task = splits["eval"], TaskObjective(model.network, model.task)
    targets = splits["train"].examples.targets
    assert targets is not None
    loop = Loop(
        task,
        ExampleFeed(splits["train"].encodings, targets, asked.train, asked.seed),
        asked.train,
        folder.seed(asked.seed),
        lambda: _ranked(judge(model, held.encodings, held.examples), model.task),
        preface,
        quiet,
        allow_drift,
    )
    progress = loop.run()
    if progress.best_step is not None and progress.best_step < progress.step:
        load_weights(loop.best, task)
    model.network.eval()


def _finish(asked: Finetune, model: Model, splits: Mapping[str, Split], folder: RunFolder) -> dict[str, dict[str, Any]]:
    """Judge what was held out, save the model, prove it, and only then let the folder look finished."""
    judged = {name: judge(model, s.encodings, s.examples) for name, s in splits.items() if name != "train"}
    model.save(folder.unproved)
    _prove(model, folder.unproved, splits["eval"].encodings)
    folder.accept()
    metrics = {name: j.plain() for name, j in judged.items()}
    write_json(folder.seed(asked.seed) / "metrics.json", metrics)
    write_json(folder.metrics, metrics)
    return metrics


def _ranked(judged: Judgement, task: Task) -> dict[str, float]:
    """The metrics, the one that decides first."""
    return {task.main: judged.metrics[task.main], **judged.metrics}


def _prove(model: Model, folder: Path, encodings: Encodings) -> None:
    """Reload what was saved and compare its outputs with the trained model's, which must be the same numbers."""
    rows = np.arange(min(PROOF_ROWS, len(encodings)))
    again = load(folder)
    again.network.to(next(model.network.parameters()).device)
    difference = float(np.abs(model.scores(encodings.select(rows)) - again.scores(encodings.select(rows))).max())
    if not difference <= 1e-6:
        raise UserError(
            f"The model saved in {folder} does not repeat the trained one: its outputs differ by up to "
            f"{difference:.2g}. This is a fault of maskwright or of the disk; please report it."
        )


def _facts(asked: Finetune, tables: Mapping[str, Table], sources: Mapping[str, Source | None]) -> dict[str, Any]:
    """What config.json says: enough to repeat the run, and to notice that it would not be the same run."""
    settings = asked.model_dump(mode="json")
    settings["task"] = dump(asked.task)
    data = {name: _fingerprint(tables[name], sources.get(name)) for name in tables}
    return {
        "settings": settings,
        "data": data,
        "versions": runtime.versions(),
        "machine": runtime.facts(runtime.device(asked.train.device)),
    }


def _start(model: Model, splits: Mapping[str, Split]) -> dict[str, str]:
    """Digests of the first weights and of the pieces that texts became: other ones make another run."""
    weights, pieces = hashlib.sha256(), hashlib.sha256()
    for name, tensor in model.network.state_dict().items():
        weights.update(name.encode())
        weights.update(tensor.contiguous().numpy())
    for side in splits.values():
        pieces.update(np.ascontiguousarray(side.encodings.ids))
        pieces.update(np.ascontiguousarray(side.encodings.offsets))
    return {"weights": weights.hexdigest(), "pieces": pieces.hexdigest()}


def _fingerprint(table: Table, source: Source | None) -> dict[str, Any]:
    """Where rows came from, and a digest: of the file, or of the cells when they came from memory or a split."""
    if isinstance(source, str | Path):
        return {"source": str(source), "rows": len(table), "sha256": sha256(Path(source).expanduser())}
    digest = hashlib.sha256()
    for name, cells in table.columns.items():
        digest.update(repr((name, cells)).encode())
    return {"source": table.source, "rows": len(table), "sha256": digest.hexdigest()}


__all__ = ["Finetune", "Labels", "Run", "finetune"]
