"""Whether a tokenizer, a length and a network belong together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from maskwright.base.errors import UserError
from maskwright.text.tokenizer import Tokenizer

SPARE = 128  #: rows without a piece that an embedding may have, or 2 % where that is more: mDeBERTa's has 898


def check_length(asked: int | None, positions: int | None, usual: int) -> int:
    """How many pieces of a text are read: what was asked for, else the usual number. Raises UserError for more than
    the encoder has positions, where it has a table of them."""
    if asked is not None and positions is not None and asked > positions:
        raise UserError(
            f"max_length = {asked}, but the encoder has {positions} positions. Give at most {positions}; longer texts "
            "are then cut (counted and said), or read in another way (long). Or make its table longer: "
            "positions = interpolate, tile or extend."
        )
    return asked or usual


def check_vocabulary(tokenizer: Tokenizer, config: Any, model: str, pairs: bool = False) -> str:
    """Refuse a vocabulary that is not the embedding's, and of pairs segments that it has no row for; a few rows of
    padding at its end are usual and said."""
    rows, size = config.vocabulary, tokenizer.size
    if size > rows:
        raise UserError(
            f"The vocabulary of {model} has {size:,} pieces, its embedding only {rows:,} rows: ids from {rows:,} on "
            "would have no vector. The tokenizer belongs to another model."
        )
    spare = rows - size
    if spare > max(SPARE, rows // 50):
        raise UserError(
            f"The vocabulary of {model} has {size:,} pieces, its embedding {rows:,} rows, {spare:,} too many to be "
            "padding. The tokenizer belongs to another model."
        )
    kinds = getattr(config, "segments", 0)
    if pairs and 0 < kinds <= tokenizer.encode(["a"], ["a"]).segments.max():
        raise UserError(
            f"The tokenizer of {model} numbers the texts of a pair 0 and 1, its embedding has one segment. "
            "The tokenizer belongs to another model."
        )
    return f"The embedding of {model} has {spare} rows of padding." if spare else ""


def listed(given: Any, name: str) -> list[Any]:
    """A text as a list of one; what holds texts as a list."""
    if isinstance(given, str):
        return [given]
    if isinstance(given, Mapping) or not isinstance(given, Iterable):
        raise UserError(f"{name} = {given!r}, a {type(given).__name__}: give a text, or a list of texts.")
    return list(given)
