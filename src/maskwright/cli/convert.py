"""Turn pickled weights into safetensors, which loading takes, or make a longer table of positions."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    model: Annotated[str, typer.Argument(help="A folder, or an id on the hub.")],
    out: Annotated[str, typer.Option(help="The new folder.")],
    positions: Annotated[
        str | None, typer.Option(help="Make a longer table of positions: interpolate, tile or extend.")
    ] = None,
    max_length: Annotated[int | None, typer.Option(min=3, help="Tokens of a text that it is to take.")] = None,
) -> None:
    """Turn pickled weights into safetensors, which loading takes, or make a longer table of positions.

    A pickle (pytorch_model.bin) runs any code that it contains when it is opened. Here a process of its own opens it,
    and only as weights: tensors are built, nothing is called. Configuration and tokenizer are copied beside them.

    With --positions and --max-length the encoder takes longer texts. It needs further training on such texts.
    """
    from maskwright.base.choice import resolve
    from maskwright.models import convert
    from maskwright.nn.positions import Positions

    done = convert(model, out, None if positions is None else resolve(Positions, positions), max_length)
    taken = f" of {', '.join(done.from_pickle)}" if done.from_pickle else ""
    typer.echo(f"{done.tensors} tensors{taken} are in {done.folder / 'model.safetensors'}.")
    if done.lengthened:
        typer.echo(done.lengthened)
