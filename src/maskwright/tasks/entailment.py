"""Whether a second text follows from the first; and from that, classes nobody trained for (Yin et al. 2019).

A model of this task classifies any text: each class is described in a sentence, and the class whose sentence follows
from the text most surely is the answer (`tasks.ZeroShot`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from maskwright.base.errors import UserError
from maskwright.base.words import counted
from maskwright.data.labels import Labels
from maskwright.data.table import Table
from maskwright.tasks.classification import Classification

#: what sets of pairs call the two labels that matter, in small letters
FOLLOWS = ("entailment", "entails", "entailed", "e", "true", "yes")
DENIES = ("contradiction", "contradicts", "c", "not_entailment", "not entailment", "false", "no")
UNDECIDED = "-"


class Entailment(Classification):
    """Cross-entropy over whether the second text follows, is denied, or neither."""

    problem: ClassVar[str] = "entailment"

    text: str = Field("premise", description="column of the text")
    pair: str | None = Field("hypothesis", description="column of the second text, for pairs")
    entails: str | None = Field(None, description="entailment: the label that says that it follows")
    denies: str | None = Field(None, description="entailment: the label that says that it does not")

    def discover(self, table: Table) -> Labels:
        """Raises UserError where no label is known to say that the second text follows, and for rows without one, in
        whose place SNLI has a dash: of these the annotators could not agree."""
        found = super().discover(table)
        if UNDECIDED in found.names:
            count = [str(cell).strip() for cell in table.column(self.label)].count(UNDECIDED)
            raise UserError(
                f"{table.source}: {counted(count, 'row')} with the label {UNDECIDED!r}, which SNLI writes where its "
                "annotators did not agree. Remove these rows."
            )
        self.places(found)
        return found

    def places(self, labels: Labels) -> tuple[int, int | None]:
        """The label that says that the second text follows, and the one that says that it does not, None for none."""
        follows = _place(labels.names, self.entails, FOLLOWS, "entails")
        if follows is None:
            raise UserError(
                f"None of the labels {', '.join(labels.names)} is known to say that the second text follows from the "
                f"first. Name it: --entails {labels.names[0]}."
            )
        denied = _place(labels.names, self.denies, DENIES, "denies")
        if denied == follows:
            raise UserError(
                f"The label {labels.names[follows]!r} cannot say both that a text follows and that it does not. Name "
                "another by --entails or --denies."
            )
        return follows, denied

    def describe(self, labels: Labels | None) -> dict[str, object]:
        return {**super().describe(labels), "problem_type": Classification.problem}


def _place(names: Sequence[str], given: str | None, usual: Sequence[str], option: str) -> int | None:
    if given is not None:
        if given not in names:
            raise UserError(f"{option} = {given} is none of the labels {', '.join(names)}.")
        return names.index(given)
    small = [name.strip().lower() for name in names]
    return next((small.index(name) for name in usual if name in small), None)
