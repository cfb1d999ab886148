"""Show what a masking does to a text: what the model sees, what it is asked for, and which rule acted."""

from __future__ import annotations

from typing import Annotated

import typer

from maskwright.cli._options import given, with_options
from maskwright.pretraining.show import Shown

_SET = "a setting of the masking, e.g. masking.p=0.3, masking.rate=cosine, masking.copies=2 (repeat it)"


def _command(
    text: Annotated[str, typer.Argument(help="The text to mask.")],
    *,
    rate: Annotated[float | None, typer.Option(help="share of the pieces that are chosen")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=_SET)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, one line a trial")] = False,
    **options: object,
) -> None:
    """Show what a masking does to a text: what the model sees, what it is asked for, and which rule acted.

    Each trial is drawn as in another epoch of a training. Below a chosen piece stand what was there and the rule:
    masked, random or kept; a "+" marks pieces that were chosen together with the one before them.
    """
    import json
    import shutil
    from dataclasses import asdict

    from maskwright.base.config import merge, pairs, parse
    from maskwright.pretraining.show import lines, trials

    typed = given(options)
    settings = merge({**typed, "masking": {"name": typed.get("masking", Shown().masking.name)}}, pairs(set_ or []))
    if isinstance(settings["masking"], str):
        settings["masking"] = {"name": settings["masking"]}
    settings = merge({"masking": given({"rate": rate})}, settings)  # last, since another masking takes nothing over
    found = trials(text, parse(Shown, settings, "maskwright mask"))
    width = shutil.get_terminal_size((100, 24)).columns
    for line in (json.dumps(asdict(trial), ensure_ascii=False) for trial in found) if as_json else lines(found, width):
        typer.echo(line)


command = with_options(_command, Shown.model_fields)
