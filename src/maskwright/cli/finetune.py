"""Fine-tune an encoder on labelled rows and save the best model."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from maskwright.base.config import pairs
from maskwright.cli._options import given, stoppable, with_options
from maskwright.cli._table import print_counts, print_note, print_summary
from maskwright.finetuning.settings import FILES, Data, Finetune, task_options

_SET = "any setting, e.g. train.lr=3e-5 (repeat it)"


def _command(
    config: Annotated[str | None, typer.Argument(help="a run file (TOML); options win over it")] = None,
    *,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=_SET)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run in --out")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the run in --out")] = False,
    allow_drift: Annotated[bool, typer.Option("--allow-drift", help="resume on another machine or threads")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress bar, no notes")] = False,
    **options: Any,
) -> None:
    """Fine-tune an encoder on labelled rows and save the best model.

    Everything has a name: `--set train.lr=3e-5`, `--set train.schedule=cosine`, `--set data.header=false`. The run
    folder's config.json holds all of them, as they were.
    """
    from maskwright.finetuning.run import finetune

    with stoppable():
        run = finetune(
            config,
            settings=pairs(set_ or []),
            resume=resume,
            overwrite=overwrite,
            allow_drift=allow_drift,
            quiet=quiet,
            say=None if quiet else print_note,
            **given(options),
        )
    print_summary(run.summary)
    print_counts(run.metrics[run.summary["reported"]["split"]])
    print(f"\nmodel: {run.folder / 'model'}")


_fields = {
    **{name: field for name, field in Finetune.model_fields.items() if name not in ("data", "train", "network")},
    **{name: Data.model_fields[name] for name in FILES},
    **task_options(),
}
command = with_options(_command, _fields)
