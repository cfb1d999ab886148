"""Predict for texts given on the command line, in a file of any size, or on standard input."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from maskwright.cli import _answers
from maskwright.cli._sets import SET, with_sets

PAIR = "second text of a pair, one a --text; or one choice of the --text (repeat it)"
BELOW = "withhold labels whose probability is lower, e.g. 0.8"
COVERAGE = "add the set of labels that holds the true one so often: 0.8, 0.9, 0.95 or 0.99"


def command(
    model: Annotated[str, typer.Argument(help="a model folder or a run folder")],
    text: Annotated[list[str] | None, typer.Option("--text", help="a text (repeat it for several)")] = None,
    pair: Annotated[list[str] | None, typer.Option("--pair", help=PAIR)] = None,
    data: _answers.DataFile = None,
    format_: _answers.Format = None,
    out: _answers.Out = None,
    top: _answers.Top = None,
    below: Annotated[float | None, typer.Option("--abstain-below", help=BELOW)] = None,
    coverage: Annotated[float | None, typer.Option("--coverage", help=COVERAGE)] = None,
    id_: _answers.Id = None,
    columns: _answers.Columns = "",
    resume: _answers.Resume = False,
    strict: _answers.Strict = False,
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
    from maskwright.tasks import Bulk, check_top, cut_note, likeliest, load

    if (data is None) == (not text):
        raise UserError("Give the texts either by --text (repeat it for several) or as a file by --data.")
    if data is not None and pair:
        raise UserError("--pair goes with --text; in a file the second texts are a column.")
    of_data = {"--format": format_, "--id": id_, "--columns": columns, "--resume": resume, "--strict": strict}
    _answers.go_with_data(data, of_data)
    if resume and out is None:
        raise UserError("--resume goes with --out: what stdout took is not known.")
    runtime.set_threads()
    loaded, settings = with_sets(load(model, device), set_)
    if below is not None or coverage is not None:
        loaded = loaded.hedged(abstain_below=below, coverage=coverage)
    if data is not None:
        _answers.answer_file(
            Bulk(loaded, data, settings, format_, id_, _answers.names_of(columns), top), out, resume, strict
        )
        return
    check_top(loaded, top)
    answers = [likeliest(answer, top) for answer in loaded.predict(list(text or []), list(pair) if pair else None)]
    cut = sum("pieces_cut" in answer for answer in answers)
    if cut:
        print_note(cut_note(loaded, cut, len(answers)))
    lines = "".join(f"{json.dumps(answer, ensure_ascii=False)}\n" for answer in answers)
    if out is not None:
        if out.exists():
            print_note(f"{out} is there already; it is replaced.")
        write_text(out, lines)
    else:
        sys.stdout.write(lines)
