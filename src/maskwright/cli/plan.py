"""Say what a pre-training will take before it runs: operations, hours, memory, traffic, cost.

`pretrain` computes it from the shapes; `published` sets published costs beside what it computes for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from maskwright.cli._options import given, with_options
from maskwright.pretraining.calculator.settings import Planned

app = typer.Typer(help="Say what a pre-training will take before it runs.", no_args_is_help=True)

_CORPUS = "the folder of a corpus, whose size makes a pass"
_SET = "a setting of a part, e.g. optimizer.steps=5, objective.width=0.5 (repeat it)"
_Json = Annotated[bool, typer.Option("--json", help="print one JSON object")]


def _pretrain(
    corpus: Annotated[Path | None, typer.Argument(help=_CORPUS)] = None,
    *,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=_SET)] = None,
    as_json: _Json = False,
    **options: Any,
) -> None:
    """Say what a pre-training will take, from the shapes of its network. Nothing is trained.

    Operations are those of matrix products, forward and backward. Hours are operations over the machine's peak rate
    times the share of it that is reached; without a machine, this one is measured by matrix products for a few seconds.
    A budget in minutes is turned into pieces at that rate. Memory and traffic are those of one device.
    """
    from maskwright.base.config import merge, pairs
    from maskwright.pretraining.calculator import plan
    from maskwright.pretraining.calculator.words import lines

    found = plan(corpus, **merge(given(options), pairs(set_ or [])))
    _print([json.dumps(asdict(found))] if as_json else lines(found))


@app.command()
def published(as_json: _Json = False) -> None:
    """Set published costs of pre-training beside what is computed for the same work, with their sources."""
    from maskwright.pretraining.calculator.published import compare
    from maskwright.pretraining.calculator.words import published

    found = compare()
    _print([json.dumps([asdict(one) for one in found])] if as_json else published(found))


def _print(said: Iterable[str]) -> None:
    for line in said:
        typer.echo(line)


app.command("pretrain")(with_options(_pretrain, Planned.model_fields))
