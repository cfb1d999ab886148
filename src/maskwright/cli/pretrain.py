"""Train an encoder on text, from random weights or further, in a budget of minutes, steps or tokens."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from pydantic import Field

from maskwright.base.config import pairs
from maskwright.cli._options import given, stoppable, with_options
from maskwright.cli._table import print_note, print_summary
from maskwright.pretraining.settings import SHORT, Pretrain

_TEXT = "a corpus of `maskwright corpus build`, text to make one of, or a run file (.toml)"
_SET = "any setting, e.g. masking.rate=0.4, train.lr=1e-3, network.heads=8 (repeat it)"


def _command(
    text: Annotated[str | None, typer.Argument(help=_TEXT)] = None,
    *,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=_SET)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run in --out")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the run in --out")] = False,
    allow_drift: Annotated[bool, typer.Option("--allow-drift", help="resume on another machine or threads")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress bar, no notes")] = False,
    **options: Any,
) -> None:
    """Train an encoder on text, from random weights or further, in a budget of minutes, steps or tokens.

    A budget in minutes holds for everything from reading to the report; it is turned into steps once, by timing a few,
    and a resumed run has the same. The recipe decides what is not said: family, size, masking, optimizer and schedule.
    The run folder's config.json holds all of it, as it was.
    """
    from maskwright.pretraining.run import pretrain

    config = text if text is not None and text.endswith(".toml") else None
    typed = given(options)
    with stoppable():
        run = pretrain(
            config,
            settings=pairs(set_ or []),
            resume=resume,
            overwrite=overwrite,
            allow_drift=allow_drift,
            quiet=quiet,
            say=None if quiet else print_note,
            **(typed if config or text is None else {"text": text, **typed}),
        )
    if not run.leads:
        return
    print_summary(run.summary)
    print(f"\nmodel: {run.model}")


_DEEP = ("text", "network", "train", "phases")  # the first is the argument; the others are tables, for --set
_fields = {
    **{name: field for name, field in Pretrain.model_fields.items() if name not in _DEEP},
    **{name: Field(None, description=words) for name, words in SHORT.items()},
}
command = with_options(_command, _fields)
