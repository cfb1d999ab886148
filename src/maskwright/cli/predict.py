"""Predict for texts given on the command line or in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli._sets import SET, with_sets


def command(
    model: Annotated[str, typer.Argument(help="a model folder or a run folder")],
    text: Annotated[list[str] | None, typer.Option("--text", help="a text (repeat it for several)")] = None,
    pair: Annotated[list[str] | None, typer.Option("--pair", help="second text of a pair, one a --text")] = None,
    data: Annotated[str | None, typer.Option("--data", help="a CSV, TSV or JSONL file with the text columns")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="write JSON lines here instead of stdout")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=SET)] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda")] = "auto",
) -> None:
    """Predict for texts given on the command line or in a file: one JSON object a line, in the order of the input."""
    from maskwright.base import runtime
    from maskwright.base.errors import UserError
    from maskwright.base.files import write_text
    from maskwright.cli._table import print_notes
    from maskwright.data.read import read
    from maskwright.tasks import load

    if (data is None) == (not text):
        raise UserError("Give the texts either by --text (repeat it for several) or as a file by --data.")
    if data is not None and pair:
        raise UserError("--pair goes with --text; in a file the second texts are a column.")
    runtime.set_threads()
    loaded, settings = with_sets(load(model, device), set_)
    if data is not None:
        table = read(data, settings=settings, needs=loaded.task.columns(with_label=False))
        print_notes(table.notes)
        texts, pairs = loaded.task.texts(table)
    else:
        texts, pairs = list(text or []), list(pair) if pair else None
    lines = [json.dumps(answer, ensure_ascii=False) for answer in loaded.predict(texts, pairs)]
    if out is not None:
        write_text(out, "".join(f"{line}\n" for line in lines))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
