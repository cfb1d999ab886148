"""The rows of a run: who reads what, what is split off, what was cut, and digests of all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.base.errors import UserError
from maskwright.base.files import sha256
from maskwright.data.facts import Facts, Side, examine
from maskwright.data.groups import number_groups
from maskwright.data.read import Source, read
from maskwright.data.splits import split, split_groups
from maskwright.data.table import NoColumn, Table
from maskwright.data.tagged import WORDS
from maskwright.finetuning.settings import FILES, Finetune
from maskwright.tasks import Examples, Model
from maskwright.tasks._given import Inputs

Sources = dict[str, Source | None]

NEAR_ROWS = 200_000  #: a run looks for near repeats among up to so many rows, which takes some ten seconds


@dataclass(frozen=True)
class Split:
    """One side of the data, as texts and as pieces."""

    examples: Examples
    encodings: Inputs


def roles(asked: Finetune, sources: Sources) -> tuple[Sources, list[str]]:
    """Who is what. Rows that are reported on choose nothing: eval rows without test rows are reported on, and others,
    split off the training rows, choose the checkpoint in their place."""
    if sources["eval"] is None or sources["test"] is not None or asked.data.eval_chooses:
        return sources, []
    note = (
        "There are no test rows, so the eval rows are the ones reported on, under the name of test, and choose "
        "nothing; to let them choose the checkpoint too: --set data.eval_chooses=true."
    )
    return {**sources, "eval": None, "test": sources["eval"]}, [note]


def read_tables(asked: Finetune, sources: Mapping[str, Source | None]) -> tuple[dict[str, Table], list[str]]:
    """The rows of each side; what is not given is split off the training rows, the same way each time."""
    if sources["train"] is None:
        raise UserError('No training rows were given: --train FILE, or [data] train = "FILE" in the run file.')
    group = asked.data.group
    if group and sources["eval"] is not None:
        raise UserError(
            "data.group says how rows are split off, but an eval file is given and nothing is. Leave one of them out."
        )
    needs = dict.fromkeys(sources, asked.task.columns())
    needs["train"] += (group,) if group else ()
    found = {name: read_rows(asked, source, needs[name]) for name, source in sources.items() if source is not None}
    notes = [note for table in found.values() for note in table.notes]
    if "eval" not in found:
        found, note = _split_off(asked, found)
        notes.append(note)
    return found, notes


def read_rows(asked: Finetune, source: Source, needs: Sequence[str]) -> Table:
    """The rows of one side. A UserError for a column that is not there says by which option another one is named."""
    try:
        return read(source, settings=asked.data.reading(), needs=needs)
    except NoColumn as problem:
        named = [n for n, column in asked.task if column == problem.column and n in ("text", "pair", "label")]
        how = f"--{named[0]} NAME" if named else "--set data.group=NAME" if problem.column == asked.data.group else ""
        told = f"{problem} Name the right one by {how}." if how else str(problem)
        if asked.task.answers == "tags" and asked.data.reader is None and WORDS not in problem.columns:
            told += " A file with one word a line, whatever its suffix, is --set data.reader=conll."
        raise UserError(told) from None


def _split_off(asked: Finetune, tables: dict[str, Table]) -> tuple[dict[str, Table], str]:
    table, data = tables["train"], asked.data
    shares = {"eval": data.eval_share, **({} if "test" in tables else {"test": data.test_share})}
    shares = {name: share for name, share in shares.items() if share}
    rest = 1 - sum(shares.values())
    if rest <= 0:
        raise UserError(f"data.eval_share and data.test_share leave nothing to train on: {shares}.")
    cut = (rest, *shares.values())
    task = asked.task.spelled(table)
    labels = task.discover(table)
    strata = task.strata(task.examples(table, labels))
    groups = number_groups(table.column(data.group), table.where) if data.group else None
    try:
        if groups is None:
            parts = split(strata, len(table), cut, asked.seed)
        else:
            parts = split_groups(strata, groups, cut, asked.seed)
    except UserError as problem:
        raise UserError(f"{table.source} cannot be split: {problem} {_remedy(tables)}") from None
    named = dict(zip(("train", *shares), parts, strict=True))
    counts = ", ".join(f"{len(rows):,} {name}" for name, rows in named.items())
    how = "" if strata is None else " by class" if strata.ndim == 1 else " by label"
    note = f"{table.source} was split{how} with seed {asked.seed}: {counts} rows."
    if groups is not None:
        held = ", ".join(f"{len(set(groups[rows])):,} {name}" for name, rows in named.items())
        note += f" Groups of {data.group!r} were kept whole: {held}."
    return {**tables, **{name: table.select(rows) for name, rows in named.items()}}, note


def _remedy(tables: Mapping[str, Table]) -> str:
    """What makes a split needless. An eval file alone does not: it is reported on, and others choose."""
    if "test" in tables:
        return "More rows, both --eval and --test, or --eval alone with --set data.eval_chooses=true would do."
    return "More rows, or files for both --eval and --test, would do."


def encode_splits(model: Model, tables: Mapping[str, Table]) -> dict[str, Split]:
    out = {}
    for name, table in tables.items():
        examples = model.task.examples(table, model.labels)
        out[name] = Split(examples, model.inputs(examples))
    return out


def examined(
    model: Model, tables: Mapping[str, Table], splits: Mapping[str, Split], corpus: Sequence[str] = ()
) -> Facts:
    """What is worth knowing of the rows; all of it goes to data.json, the warnings to the notes. corpus: files that the
    encoder was trained on, as data.corpus names them."""
    sides = [
        Side(name, tables[name], s.examples.texts, s.examples.pairs, s.examples.targets, s.encodings)
        for name, s in ((name, splits[name]) for name in FILES if name in splits)
    ]
    names = model.labels.names if model.labels else ()
    return examine(
        sides,
        names=names,
        tokenizer=model.tokenizer,
        max_length=model.max_length,
        corpus=corpus,
        near=NEAR_ROWS,
    )


def remarks(splits: Mapping[str, Split], model: Model) -> list[str]:
    """What the task has to say of each side."""
    out = []
    for name, side in splits.items():
        assert side.examples.targets is not None
        told = model.task.notes(side.examples, model.labels), model.task.lost(side.examples.targets, side.encodings)
        out += [f"{name}: {note}" for notes in told for note in notes]
    return out


def cut_notes(splits: Mapping[str, Split], model: Model) -> list[str]:
    notes = []
    for name, side in splits.items():
        parted = side.encodings.windowed
        if parted:
            how = "windows that overlap" if model.task.windows else f"chunks, which long = {model.long.name} joins"
            notes.append(
                f"{parted:,} of {len(side.examples):,} {name} texts are longer than {model.max_length} pieces; they "
                f"are read in {how}, and nothing is cut off."
            )
        cut = side.encodings.truncated
        if cut and parted:
            notes.append(
                f"Of {cut:,} {name} texts more than half of {model.max_length} pieces stand before what is read in "
                f"windows; they were cut at their ends ({side.encodings.pieces_cut:,} pieces lost)."
            )
        elif cut:
            lost = side.encodings.pieces_cut
            share = lost / int(side.encodings.full_lengths.sum())
            notes.append(
                f"{cut:,} of {len(side.examples):,} {name} texts are longer than {model.max_length} pieces and were "
                f"{model.long.told}: {lost:,} pieces, {share:.1%} of all, are never seen. Other ways to read long "
                "texts are --long tail, head-tail, chunk-mean and more."
            )
    return notes


def count_pieces(splits: Mapping[str, Split]) -> dict[str, dict[str, int]]:
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


def start_digests(model: Model, splits: Mapping[str, Split]) -> dict[str, str]:
    """Digests of the first weights and of the pieces that texts became: other ones make another run."""
    weights, pieces = hashlib.sha256(), hashlib.sha256()
    for name, tensor in model.network.state_dict().items():
        weights.update(name.encode())
        weights.update(tensor.contiguous().numpy())
    for side in splits.values():
        pieces.update(np.ascontiguousarray(side.encodings.ids))
        pieces.update(np.ascontiguousarray(side.encodings.offsets))
    return {"weights": weights.hexdigest(), "pieces": pieces.hexdigest()}


def fingerprint(table: Table, source: Source | None) -> dict[str, Any]:
    """Where rows came from, and a digest: of the file, or of the cells where there is not one file for the rows."""
    if isinstance(source, str | Path) and Path(source).expanduser().is_file():
        return {"source": str(source), "rows": len(table), "sha256": sha256(Path(source).expanduser())}
    digest = hashlib.sha256()
    for name, cells in table.columns.items():
        digest.update(repr((name, cells)).encode())
    return {"source": table.source, "rows": len(table), "sha256": digest.hexdigest()}
