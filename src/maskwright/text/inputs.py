"""What a tokenizer is given, checked: a mistake is said with the row that it stands in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maskwright.base.errors import UserError


def checked(texts: Sequence[str], pairs: Sequence[str] | None) -> list[Any]:
    """Texts, or (text, pair) tuples, after the checks that name a row."""
    texts = _texts(texts, "texts")
    if pairs is None:
        return texts
    pairs = _texts(pairs, "pairs")
    if len(texts) != len(pairs):
        raise UserError(f"There are {len(texts)} texts and {len(pairs)} pairs; each text needs one pair.")
    return list(zip(texts, pairs, strict=True))


def _texts(given: Sequence[str], name: str) -> list[str]:
    if isinstance(given, str):
        raise UserError(f"{name}={given[:40]!r} is one text; give a list of texts, for example [{given[:40]!r}].")
    texts = list(given)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise UserError(f"{name}[{row}] is {text!r} ({type(text).__name__}), not a text. Fill or drop such rows.")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UserError(
                f"{name}[{row}] = {text[:40]!r} holds half of a surrogate pair, which is no character: the file it "
                "came from was decoded wrongly."
            ) from None
    return texts
