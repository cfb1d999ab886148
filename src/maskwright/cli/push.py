"""Send a run's model to the Hugging Face hub, with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    model: Annotated[str, typer.Argument(help="A run's folder, or a model's.")],
    name: Annotated[str, typer.Argument(metavar="ID", help="owner/name on the hub, or owner/name@branch.")],
    private: Annotated[bool, typer.Option("--private/--public", help="For a repository that is made now.")] = True,
    message: Annotated[str, typer.Option(help="Of the commit.")] = "Add a model made with maskwright",
) -> None:
    """Send a run's model to the Hugging Face hub, with its card.

    What goes is the model's folder: weights, configuration, tokenizer, calibration and README.md, the card. The
    repository is made where there is none. The token is HF_TOKEN or that of a login, the hub is HF_ENDPOINT.
    """
    from maskwright.models import locate, push

    folder = locate(Path(model))
    typer.echo(push(folder, name, private, message))
