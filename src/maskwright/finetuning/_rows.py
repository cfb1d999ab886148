"""The rows of a run: who reads what, what is split off, what was cut, and digests of all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from maskwright.tasks import Examples, Model, Task
from maskwright.tasks._given import Inputs
from maskwright.text.several import Several
from maskwright.training.state import digest

Sources = dict[str, Source | None]

NEARLY = 0.9  #: of its share of the rows, which groups that were not asked for must leave the training side
NEAR_ROWS = 200_000  #: a run looks for near repeats among up to so many rows, which takes some ten seconds


@dataclass(frozen=True)
class Split:
    """One side of the data, as texts and as pieces, and where its rows stand."""

    examples: Examples
    encodings: Inputs
    table: Table


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
    """The rows of one side, what is doubtful of them noted. A UserError for a column that is not there says by which
    option another one is named."""
    try:
        table = read(source, settings=asked.data.reading(), needs=needs, whole=asked.task.whole_rows)
    except NoColumn as problem:
        told = asked.task.absent(problem, "--{} NAME")
        if problem.column == asked.data.group and problem.column not in asked.task.columns():
            told = f"{problem} Name the right one by --set data.group=NAME."
        if asked.task.answers == "tags" and asked.data.reader is None and WORDS not in problem.columns:
            told += " A file with one word a line, whatever its suffix, is --set data.reader=conll."
        raise UserError(told) from None
    return replace(table, notes=list(dict.fromkeys([*table.notes, *asked.task.doubts(table)])))


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
    stated = {data.group: number_groups(table.column(data.group), table.where)} if data.group else {}
    together = {} if stated else dict(_together(task, table))
    try:
        group, parts = _parts(stated or {**together, None: None}, strata, len(table), cut, asked.seed)
    except UserError as problem:
        raise UserError(f"{table.source} cannot be split: {problem} {_remedy(tables)}") from None
    named = dict(zip(("train", *shares), parts, strict=True))
    counts = ", ".join(f"{len(rows):,} {name}" for name, rows in named.items())
    how = "" if strata is None else " by class" if strata.ndim == 1 else " by label"
    note = f"{table.source} was split{how} with seed {asked.seed}: {counts} rows."
    if group is not None:
        numbers = {**stated, **together}[group]
        held = ", ".join(f"{len(set(numbers[rows])):,} {name}" for name, rows in named.items())
        note += f" Groups of {group!r} were kept whole: {held}."
        note += "" if stated else " --set data.group=NAME keeps others whole."
    elif together:
        note += f" There are too few groups of {' or '.join(map(repr, together))} to keep each on one side."
    return {**tables, **{name: table.select(rows) for name, rows in named.items()}}, note


def _parts(
    ways: Mapping[str | None, Any], strata: np.ndarray | None, count: int, cut: tuple[float, ...], seed: int
) -> tuple[str | None, list[np.ndarray]]:
    """The parts, and the name of what they keep whole: of the first groups (rows,) with which the training side has
    nearly its share, else of the last; None keeps nothing whole. Raises UserError where not even the last fill all
    parts."""
    *others, (name, groups) = ways.items()
    for other, numbers in others:
        try:
            parts = split_groups(strata, numbers, cut, seed)
        except UserError:
            continue
        if len(parts[0]) >= NEARLY * cut[0] * count:
            return other, parts
    return name, split(strata, count, cut, seed) if groups is None else split_groups(strata, groups, cut, seed)


def _together(task: Task, table: Table) -> Iterator[tuple[str, np.ndarray]]:
    """What the task would keep on one side: by name the group of each row, counted from 0. What no two rows share is
    left out."""
    for name, cells in task.together(table).items():
        index = {cell: i for i, cell in enumerate(dict.fromkeys(cells))}
        if len(index) < len(table):
            yield name, np.array([index[cell] for cell in cells], np.int64)


def _remedy(tables: Mapping[str, Table]) -> str:
    """What makes a split needless. An eval file alone does not: it is reported on, and others choose."""
    if "test" in tables:
        return "More rows, both --eval and --test, or --eval alone with --set data.eval_chooses=true would do."
    return "More rows, or files for both --eval and --test, would do."


def encode_splits(model: Model, tables: Mapping[str, Table]) -> dict[str, Split]:
    out = {}
    for name, table in tables.items():
        examples = model.task.examples(table, model.labels)
        out[name] = Split(examples, model.inputs(examples), table)
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
    """What becomes of texts that are too long: how they are parted, what is cut off, and which share that is."""
    notes, narrowed = [], []
    for name, side in splits.items():
        pieces, longer = side.encodings, f"{name} texts are longer than {model.max_length} pieces"
        if pieces.windowed:
            how = "windows that overlap" if model.task.windows else f"chunks, which long = {model.long.name} joins"
            end = "" if pieces.truncated else ", and nothing is cut off"
            notes.append(f"{pieces.windowed:,} of {len(side.examples):,} {longer}; they are read in {how}{end}.")
        if pieces.truncated:
            # Of examples of several sequences it is a first text, which a person may want to shorten.
            first = side.table.where(int(np.flatnonzero(pieces.cut)[0])) if isinstance(pieces, Several) else ""
            notes.append(
                f"{pieces.truncated:,} of {len(side.examples):,} {longer} and were "
                f"{model.task.shortened(model.long)}{f' (first at {first})' if first else ''}: {pieces.pieces_cut:,} "
                f"pieces, {pieces.share_cut:.1%} of all, are never seen.{_other_ways(model, pieces)}"
            )
        if isinstance(pieces, Several) and pieces.narrowed:
            narrowed.append(pieces.narrowed)
    if narrowed:
        asked, least = min(narrowed)
        parts = "Windows" if model.task.windows else "Chunks"
        notes.append(
            f"{parts} share as few as {least:,} pieces where {asked:,} were asked for: neighbours share at most half "
            "of the room that a text has."
        )
    return notes


def _other_ways(model: Model, pieces: Inputs) -> str:
    if model.task.answers == "choice":
        return " Other ways to shorten a question are --long tail and head-tail."
    if isinstance(pieces, Several):
        return ""
    return " Other ways to read long texts are --long tail, head-tail, chunk-mean and more."


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
    pieces = hashlib.sha256()
    for side in splits.values():
        pieces.update(np.ascontiguousarray(side.encodings.ids))
        pieces.update(np.ascontiguousarray(side.encodings.offsets))
    return {"weights": digest(model.network), "pieces": pieces.hexdigest()}


def fingerprint(table: Table, source: Source | None) -> dict[str, Any]:
    """Where rows came from, and a digest: of the file, or of the cells where there is not one file for the rows."""
    if isinstance(source, str | Path) and Path(source).expanduser().is_file():
        return {"source": str(source), "rows": len(table), "sha256": sha256(Path(source).expanduser())}
    found = hashlib.sha256()
    for name, cells in table.columns.items():
        found.update(repr((name, cells)).encode())
    return {"source": table.source, "rows": len(table), "sha256": found.hexdigest()}
