"""A loaded encoder with a longer table of positions."""

from __future__ import annotations

import torch
from torch import nn

from maskwright.base.errors import UserError
from maskwright.models._family import name_of
from maskwright.models._load import Loaded
from maskwright.nn.positions import Positions


def lengthen(loaded: Loaded, way: Positions, tokens: int) -> str:
    """Let the encoder take texts of `tokens`. Returns what was done in a sentence; "" where it took them before.

    Raises UserError where the family ties something else to the table's length.
    """
    encoder = loaded.encoder
    limit = encoder.limit
    if limit is None or tokens <= limit:
        return ""
    embeddings = getattr(encoder.embeddings, "table", encoder.embeddings)
    table, start = embeddings.position.weight, embeddings.start
    if getattr(loaded.config, "reach", None) == loaded.config.positions and getattr(encoder, "relative", None):
        raise UserError(
            f"{name_of(loaded.family)} takes its distances from the table of positions too; set max_relative_positions "
            "in its config.json first."
        )
    with torch.no_grad():
        longer = torch.cat([table[:start], way.longer(table[start:], tokens)])
    embeddings.position.weight = nn.Parameter(longer)
    loaded.config = loaded.config.model_copy(update={"positions": start + tokens})
    return (
        f"The encoder has {tokens:,} positions now instead of {limit:,}, made by {way.name!r}. It was not trained with "
        "them: train it further on texts of that length before you trust it there."
    )
