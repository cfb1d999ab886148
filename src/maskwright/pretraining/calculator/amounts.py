"""How many pieces a training reads, and how many one pass over a corpus has."""

from __future__ import annotations

from pathlib import Path

from maskwright.base.errors import UserError
from maskwright.base.files import read_json
from maskwright.data.corpus import Corpus
from maskwright.pretraining.calculator.settings import Planned, amount_of
from maskwright.pretraining.reading import PIECES

USUAL = 1e9  #: pieces that are planned for where nobody says how many
A_WORD = 1.3  #: pieces of an English word in a vocabulary of tens of thousands, where nobody has counted


def tokens_of(asked: Planned, once: float | None, per_second: float, notes: list[str]) -> float:
    """Pieces that the training reads. per_second: those that the machine does, which a budget in minutes is turned by.

    Raises UserError for passes over no corpus.
    """
    if asked.passes is not None:
        if once is None:
            raise UserError(f"passes = {asked.passes:g}: over which corpus? Name its folder, or give tokens.")
        return asked.passes * once
    amount = amount_of(asked)
    if amount is None:
        if once is not None:
            return once
        notes.append("How much is read was not said: this is for a billion pieces, and all but memory grows with them.")
        return USUAL
    if amount.unit == "minutes":
        return amount.amount * 60 * per_second
    return amount.amount * (asked.batch_tokens if amount.unit == "steps" else 1)


def corpus_tokens(folder: str | Path, notes: list[str]) -> float:
    """Pieces of the training part of a corpus: as pre-training counted them in it, else by its words.

    Raises UserError for a folder that is no corpus.
    """
    corpus = Corpus.open(folder, verify=False)
    counted = {int(read_json(file)["pieces"]) for file in Path(folder).glob(f"{PIECES}/train-*/pieces.json")}
    if counted:
        if len(counted) > 1:
            notes.append("Several tokenizers have cut this corpus; the pieces are those of the one that makes fewest.")
        return float(min(counted))
    words = int(corpus.facts["splits"]["train"]["words"])
    if not words:
        raise UserError(f"{folder} has no text to train on. Build the corpus from files that hold some.")
    notes.append(f"The corpus's pieces are not counted yet: {A_WORD:g} for each of its {words:,} words is assumed.")
    return words * A_WORD
