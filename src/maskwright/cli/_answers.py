"""A file through a model: the options of verbs that answer one, and what they tell of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from maskwright.tasks import Bulk

_DATA = "a CSV, TSV, JSONL, Parquet, CoNLL or SQuAD file with the columns of texts; - for standard input"
_FORMAT = (
    "of --data: csv, tsv, jsonl, parquet, conll, conllu, squad, or lines (one text a line); default: by the suffix, "
    "lines for -"
)
_OUT = "write here instead of stdout: .csv, .tsv or .parquet as they say; .json: {id: answer}; else JSON lines"

DataFile = Annotated[str | None, typer.Option("--data", help=_DATA)]
Format = Annotated[str | None, typer.Option("--format", help=_FORMAT)]
Out = Annotated[Path | None, typer.Option("--out", help=_OUT)]
Top = Annotated[int | None, typer.Option("--top", help="only the so many likeliest classes")]
Id = Annotated[str | None, typer.Option("--id", help="column whose value each answer carries as id")]
Columns = Annotated[str, typer.Option("--columns", help="columns to carry along as input, by comma")]
Resume = Annotated[bool, typer.Option("--resume", help="go on with a job that was killed")]
Strict = Annotated[bool, typer.Option("--strict", help="end with an error if a row had no answer")]


def go_with_data(data: str | None, options: Mapping[str, Any]) -> None:
    """Raises UserError for one of these options where there is no file."""
    from maskwright.base.errors import UserError

    if data is None and (given := [name for name, value in options.items() if value]):
        raise UserError(f"{given[0]} goes with --data.")


def names_of(columns: str) -> tuple[str, ...]:
    """`--columns a,b`."""
    return tuple(name for name in columns.split(",") if name)


def answer_file(bulk: Bulk, out: Path | None, resume: bool, strict: bool) -> None:
    """Write all answers, say what a person should know, and with `strict` leave with an error if a row had none."""
    from maskwright.base.errors import UserError
    from maskwright.cli._table import print_note, print_notes

    told = len(bulk.rows.notes)
    print_notes(bulk.rows.notes)
    counts = bulk.print(sys.stdout) if out is None else bulk.write(out, resume, print_note)
    print_notes([*bulk.rows.notes[told:], *bulk.summary(counts)])
    if strict and counts["errors"]:
        raise UserError(f"{counts['errors']:,} rows had no answer (--strict); all others have theirs.")
