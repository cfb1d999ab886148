"""Run a benchmark: all its cases with seeds, one table, and a file to submit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli._options import stoppable
from maskwright.cli._table import print_note, print_notes

NAME = "glue, squad, superglue, swag, tagging, or package.module:Class"
DATA = (
    "a folder that holds the sets, in any of the layouts that are known; or owner/name on the hub (Parquet; not for "
    "tagging)"
)
SET = "any setting of the runs, e.g. train.epochs=1 (repeat it)"


def command(
    name: Annotated[str, typer.Argument(help=NAME)],
    data: Annotated[str, typer.Option("--data", help=DATA)],
    model: Annotated[
        str, typer.Option("--model", help="the encoder: a folder, an id on the hub, or minilm")
    ] = "minilm",
    only: Annotated[str, typer.Option("--only", help="cases, by comma")] = "",
    seeds: Annotated[int, typer.Option("--seeds", help="of each case")] = 3,
    out: Annotated[Path | None, typer.Option("--out", help="the folder of all runs; runs/NAME by default")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=SET)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with a benchmark that was stopped")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress bar, no notes")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Run a benchmark: all its cases with seeds, one table, and a file to submit.

    Figures are in points: the mean over seeds with its 95 % interval over seeds and examples, each seed, a constant
    answer, a linear model of words, and what was published, with what that was measured on. A case that cannot be run
    does not end the others; the command then ends with 2.
    """
    from maskwright.base.columns import aligned
    from maskwright.base.config import pairs
    from maskwright.base.errors import UserError
    from maskwright.finetuning._benchmark_table import HEAD, remarks, rows
    from maskwright.finetuning.benchmark import benchmark, sentences

    with stoppable():
        found = benchmark(
            name, data, out=out, model=model, only=[one.strip() for one in only.split(",") if one.strip()], seeds=seeds,
            settings=pairs(set_ or []), resume=resume, quiet=quiet, say=None if quiet else print_note,
        )  # fmt: skip
    if as_json:
        print(json.dumps(found.told))
    else:
        print_notes(found.notes)
        print("\n".join(aligned([HEAD, *rows(found.benchmark, found.told)], left=(0, 1, 6, 7))))
        print("\n" + "\n".join(remarks(found.benchmark, found.told)) + f"\n\n{found.folder / 'README.md'}")
    if found.failed:
        told = sentences(found.failed)
        raise UserError(f"Not run: {', '.join(found.failed)}. {told} Mend that, and go on with --resume.")
