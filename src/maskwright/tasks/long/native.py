"""The encoder reads the text as it is, as far as its positions reach: Longformer's 4,096, ModernBERT's 8,192."""

from __future__ import annotations

from typing import ClassVar

from maskwright.base.errors import UserError
from maskwright.tasks.long.head import Head as Beginning


class Native(Beginning):
    """Sequences as long as the encoder takes; what is longer still is cut at the end."""

    whole: ClassVar[bool] = True

    def length(self, asked: int | None, limit: int | None, usual: int) -> int | None:
        if asked is not None:
            raise UserError(
                f"long = native reads as many pieces as the encoder takes; max_length = {asked} says otherwise. Leave "
                "one of them out."
            )
        return limit
