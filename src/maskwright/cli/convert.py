"""Turn pickled weights (pytorch_model.bin) into safetensors, which loading takes."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    model: Annotated[str, typer.Argument(help="A folder with pytorch_model.bin, or an id on the hub.")],
    out: Annotated[str, typer.Option(help="The new folder.")],
) -> None:
    """Turn pickled weights (pytorch_model.bin) into safetensors, which loading takes.

    A pickle runs any code that it contains when it is opened. Here a process of its own opens it, and only as weights:
    tensors are built, nothing is called. Configuration and tokenizer are copied beside them.
    """
    from maskwright.models import convert

    done = convert(model, out)
    typer.echo(f"{done.tensors} tensors of {', '.join(done.from_pickle)} are in {done.folder / 'model.safetensors'}.")
