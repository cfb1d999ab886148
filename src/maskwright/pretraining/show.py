"""What a masking does to a text, drawn several times: the pieces that a model sees, and what it is asked for.

Shapes: N pieces of the text, M of them chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field
from rich.cells import cell_len

from maskwright.base.choice import Choice
from maskwright.base.columns import visible
from maskwright.base.config import Config
from maskwright.base.errors import UserError
from maskwright.pretraining.masking import RULES, Draw, Masking, Pieces
from maskwright.pretraining.masking.token import Token
from maskwright.pretraining.reading import tokenizer_of
from maskwright.pretraining.vocabulary import vocabulary_of


class Shown(Config):
    """What is to be shown."""

    model: str = Field("minilm", description="a model or a tokenizer's folder; of it only the tokenizer is read")
    masking: Choice[Masking] = Field(Token(), description="which pieces are asked for, and what stands in their place")
    trials: int = Field(5, ge=1, description="how often masks are drawn, as in so many epochs")
    seed: int = Field(0, ge=0, description="masks follow from it")


@dataclass(frozen=True)
class Trial:
    """One draw. tokens: the N pieces that the model sees, of which `specials` are special; places (M): where it is
    asked, from 0; labels (M): what stood there; rules (M): "masked", "random" or "kept"; units (M), from 0: pieces that
    were chosen as one have the same."""

    tokens: list[str]
    specials: int
    places: list[int]
    labels: list[str]
    rules: list[str]
    units: list[int]


def trials(text: str, shown: Shown) -> list[Trial]:
    """The text as each of the first epochs of a training masks it. Raises UserError for a text without pieces, and for
    a tokenizer without [MASK]."""
    tokenizer = tokenizer_of(shown.model)
    vocabulary, masking = vocabulary_of(tokenizer), shown.masking.prepare(tokenizer)
    ids = tokenizer.encode([text]).ids.astype(np.int64)
    if vocabulary.special[ids].all():
        raise UserError(f"The text {text[:40]!r} has no pieces that could be masked. Give a few words.")
    pieces = Pieces(ids, np.array([0, len(ids)]), np.zeros(1, np.int64))
    found = []
    for epoch in range(shown.trials):
        masked = masking.apply(pieces, vocabulary, Draw(shown.seed, epoch))
        _, units = np.unique(masked.units, return_inverse=True)
        found.append(
            Trial(
                tokenizer.tokens(masked.ids),
                int(vocabulary.special[ids].sum()),
                masked.chosen.tolist(),
                tokenizer.tokens(masked.labels),
                [RULES[rule] for rule in masked.rules],
                units.tolist(),
            )
        )
    return found


def lines(found: Sequence[Trial], width: int = 100) -> list[str]:
    """Trials for reading, in rows of at most `width` columns: what the model sees; below it, at the chosen places, what
    stood there and the rule, with a "+" before it where the piece belongs to the unit of the piece before. The last
    line counts."""
    out = []
    for number, trial in enumerate(found, start=1):
        out.append(f"trial {number}")
        for row in _rows(_columns(trial), width):
            out += [f"  {line}".rstrip() for line in row]
        out.append("")
    return [*out, _counts(found)]


def _columns(trial: Trial) -> list[tuple[str, str, str]]:
    columns = [(token, "", "") for token in trial.tokens]
    before = (-1, -1)
    for place, label, rule, unit in zip(trial.places, trial.labels, trial.rules, trial.units, strict=True):
        joined = before == (place - 1, unit)
        columns[place] = (trial.tokens[place], label, f"+{rule}" if joined else rule)
        before = (place, unit)
    return columns


def _rows(columns: list[tuple[str, str, str]], width: int) -> list[list[str]]:
    """Columns that line up, folded into rows of three lines; the lines of a row in which nothing is chosen are left
    out."""
    rows: list[list[str]] = [["", "", ""]]
    taken = 0
    for cells in columns:
        shown = [visible(cell) for cell in cells]
        wide = max(map(cell_len, shown)) + 2
        if taken and taken + wide > width:
            rows.append(["", "", ""])
            taken = 0
        rows[-1] = [line + cell + " " * (wide - cell_len(cell)) for line, cell in zip(rows[-1], shown, strict=True)]
        taken += wide
    return [[line for line in row if line.strip()] for row in rows]


def _counts(found: Sequence[Trial]) -> str:
    pieces = sum(len(trial.tokens) - trial.specials for trial in found)
    chosen = sum(len(trial.places) for trial in found)
    rules = [rule for trial in found for rule in trial.rules]
    each = ", ".join(f"{rules.count(rule)} {rule}" for rule in RULES)
    return f"{chosen} of {pieces} pieces chosen ({chosen / pieces:.1%}; special ones are not counted): {each}"
