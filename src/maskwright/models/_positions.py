"""A loaded encoder with a longer table of positions."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from maskwright.base.errors import UserError
from maskwright.base.files import read_json, write_json
from maskwright.models._family import name_of
from maskwright.models._load import Loaded
from maskwright.nn.embeddings import Embeddings
from maskwright.nn.positions import Positions


def lengthen(loaded: Loaded, way: Positions, tokens: int) -> str:
    """Let the encoder take texts of `tokens`. Returns what was done in a sentence; "" where it took them before.

    Raises UserError where the family ties something else to the table's length.
    """
    encoder, limit = loaded.encoder, loaded.encoder.limit
    if limit is None or tokens <= limit:
        return ""
    if getattr(loaded.config, "reach", None) == loaded.config.positions and getattr(encoder, "relative", None):
        raise UserError(
            f"{name_of(loaded.family)} takes its distances from the table of positions too; set max_relative_positions "
            "in its config.json first."
        )
    for table in tables(loaded.network).values():
        rows = table.position.weight
        with torch.no_grad():
            longer = torch.cat([rows[: table.start], way.longer(rows[table.start :], tokens)])
        table.position.weight = nn.Parameter(longer)
        loaded.config = loaded.config.model_copy(update={"positions": table.start + tokens})
    return (
        f"The encoder has {tokens:,} positions now instead of {limit:,}, made by {way.name!r}. It was not trained with "
        "them: train it further on texts of that length before you trust it there."
    )


def write_length(folder: Path, tokens: int) -> None:
    """Let the tokenizer of a folder say that texts may have so many tokens, where it says how many."""
    beside = folder / "tokenizer_config.json"
    if beside.exists() and "model_max_length" in (said := read_json(beside)):
        write_json(beside, {**said, "model_max_length": tokens})


def tables(network: nn.Module) -> dict[str, Embeddings]:
    """The embeddings with a table of positions, by the name of that table's tensor."""
    found = ((f"{name}.position.weight", part) for name, part in network.named_modules())
    return {name: part for name, part in found if isinstance(part, Embeddings) and part.position is not None}
