"""Predict for texts given on the command line, in a file of any size, or on standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli._sets import SET, with_sets

if TYPE_CHECKING:
    from maskwright.tasks import Bulk

DATA = "a CSV, TSV, JSONL or Parquet file with the text columns; - for standard input"
FORMAT = "of --data: csv, tsv, jsonl, parquet, or lines (one text a line); default: by the suffix, lines for -"
BELOW = "withhold labels whose probability is lower, e.g. 0.8"
COVERAGE = "add the set of labels that holds the true one so often: 0.8, 0.9, 0.95 or 0.99"
OUT = "write here instead of stdout: .csv, .tsv or .parquet as they say, else JSON lines"


def command(
    model: Annotated[str, typer.Argument(help="a model folder or a run folder")],
    text: Annotated[list[str] | None, typer.Option("--text", help="a text (repeat it for several)")] = None,
    pair: Annotated[list[str] | None, typer.Option("--pair", help="second text of a pair, one a --text")] = None,
    data: Annotated[str | None, typer.Option("--data", help=DATA)] = None,
    format_: Annotated[str | None, typer.Option("--format", help=FORMAT)] = None,
    out: Annotated[Path | None, typer.Option("--out", help=OUT)] = None,
    top: Annotated[int | None, typer.Option("--top", help="only the so many likeliest classes")] = None,
    below: Annotated[float | None, typer.Option("--abstain-below", help=BELOW)] = None,
    coverage: Annotated[float | None, typer.Option("--coverage", help=COVERAGE)] = None,
    id_: Annotated[str | None, typer.Option("--id", help="column whose value each answer carries as id")] = None,
    columns: Annotated[str, typer.Option("--columns", help="columns to carry along as input, by comma")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="go on with a job that was killed")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="end with an error if a row had no answer")] = False,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=SET)] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda")] = "auto",
) -> None:
    """Predict for texts given on the command line, in a file of any size, or on standard input.

    One answer a row, in the order of the input. Answers of --data carry their row, from 1; a row that cannot be
    answered carries line and error instead, and the job goes on. --out grows as OUT.part; after a kill the same command
    with --resume goes on with it.
    """
    from maskwright.base import runtime
    from maskwright.base.errors import UserError
    from maskwright.base.files import write_text
    from maskwright.cli._table import print_note
    from maskwright.tasks import Bulk, check_top, likeliest, load

    if (data is None) == (not text):
        raise UserError("Give the texts either by --text (repeat it for several) or as a file by --data.")
    if data is not None and pair:
        raise UserError("--pair goes with --text; in a file the second texts are a column.")
    of_data = {"--format": format_, "--id": id_, "--columns": columns, "--resume": resume, "--strict": strict}
    if data is None and (given := [name for name, value in of_data.items() if value]):
        raise UserError(f"{given[0]} goes with --data.")
    if resume and out is None:
        raise UserError("--resume goes with --out: what stdout took is not known.")
    runtime.set_threads()
    loaded, settings = with_sets(load(model, device), set_)
    if below is not None or coverage is not None:
        loaded = loaded.hedged(abstain_below=below, coverage=coverage)
    if data is not None:
        carried = tuple(name for name in columns.split(",") if name)
        _answer(Bulk(loaded, data, settings, format_, id_, carried, top), out, resume, strict)
        return
    check_top(loaded, top)
    answers = [likeliest(answer, top) for answer in loaded.predict(list(text or []), list(pair) if pair else None)]
    lines = "".join(f"{json.dumps(answer, ensure_ascii=False)}\n" for answer in answers)
    if out is not None:
        if out.exists():
            print_note(f"{out} is there already; it is replaced.")
        write_text(out, lines)
    else:
        sys.stdout.write(lines)


def _answer(bulk: Bulk, out: Path | None, resume: bool, strict: bool) -> None:
    """Write all answers, say what a person should know, and with `strict` leave with an error if a row had none."""
    from maskwright.base.errors import UserError
    from maskwright.cli._table import print_note, print_notes

    told = len(bulk.rows.notes)
    print_notes(bulk.rows.notes)
    counts = bulk.print(sys.stdout) if out is None else bulk.write(out, resume, print_note)
    print_notes([*bulk.rows.notes[told:], *bulk.summary(counts)])
    if strict and counts["errors"]:
        raise UserError(f"{counts['errors']:,} rows had no answer (--strict); all others have theirs.")
