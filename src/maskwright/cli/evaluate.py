"""Judge a saved model on labelled rows."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from maskwright.cli._sets import SET, with_sets


def command(
    model: Annotated[str, typer.Argument(help="a model folder or a run folder")],
    data: Annotated[str, typer.Option("--data", help="a file with the columns that the model was trained on")],
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=SET)] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Judge a saved model on labelled rows.

    The file must name its columns as the training file did; others are said by --set task.text=..., task.label=...
    """
    from maskwright.base import runtime
    from maskwright.cli._table import print_judgement
    from maskwright.evaluation import evaluate
    from maskwright.tasks import load

    runtime.set_threads()
    loaded, settings = with_sets(load(model, device), set_)
    judged = evaluate(loaded, data, settings)
    if as_json:
        print(json.dumps({**judged.plain(), "intervals": judged.figures}))
        return
    print_judgement(data, judged)
