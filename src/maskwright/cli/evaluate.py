"""Judge a saved model on labelled rows."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

_SET = "how the file is read and its columns, e.g. data.header=false, task.label=gold (repeat it)"


def command(
    model: Annotated[str, typer.Argument(help="a model folder or a run folder")],
    data: Annotated[str, typer.Option("--data", help="a file with the columns that the model was trained on")],
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=_SET)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Judge a saved model on labelled rows.

    The file must name its columns as the training file did; others are said by --set task.text=..., task.label=...
    """
    from maskwright.base import runtime
    from maskwright.base.choice import dump, resolve
    from maskwright.base.config import merge, pairs, parse
    from maskwright.cli._table import print_notes, print_table
    from maskwright.data.settings import Data
    from maskwright.evaluation import evaluate
    from maskwright.tasks import Task, load

    runtime.set_threads()
    sets = _only(pairs(set_ or []), ("data", "task"))
    loaded = load(model)
    loaded.task = resolve(Task, merge(dump(loaded.task), sets.get("task", {})))
    judged = evaluate(loaded, data, parse(Data, sets.get("data", {}), "--set data"))
    if as_json:
        print(json.dumps(judged.plain()))
        return
    print_notes(judged.notes)
    print_table({"all": judged.plain()})


def _only(sets: dict[str, Any], allowed: tuple[str, ...]) -> dict[str, Any]:
    from maskwright.base.errors import UserError, unknown

    for name, value in sets.items():
        if name not in allowed or not isinstance(value, dict):
            raise UserError(unknown("--set here", name, [f"{a}.NAME" for a in allowed]))
    return sets
