"""One of several choices for each question, as in SWAG and ARC (Devlin et al. 2019, section 4.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from maskwright.base.errors import UserError
from maskwright.base.ragged import objects
from maskwright.base.words import counted
from maskwright.data.choices import Choices, First, choices, counted_from, right
from maskwright.data.doubts import ID, empty
from maskwright.data.labels import Labels
from maskwright.data.table import Table
from maskwright.nn.segments import log_sum_exp
from maskwright.stats.calibration import Temperature
from maskwright.stats.measures import Measure, share
from maskwright.tasks._calibration import SPREAD, Calibration, temperature
from maskwright.tasks._given import Given, Inputs
from maskwright.tasks._task import Example, Examples, Task
from maskwright.tasks._worded import of_cells, of_table
from maskwright.tasks.long import Long
from maskwright.tasks.long.head import Head
from maskwright.text.encodings import Encodings
from maskwright.text.groups import Grouped, shortened_firsts
from maskwright.text.tokenizer import Tokenizer
from maskwright.text.windows import first_text

BETWEEN = "\n"  #: the choices of a row where they are told as one text


@dataclass(frozen=True)
class Asked:
    """The choices of a question, and which one is right, from 0."""

    choices: tuple[str, ...]
    right: int


class Choice(Task):
    """Cross-entropy over the scores of a question's choices: each is read behind the question and scored by one output.

    Questions may have different numbers of choices. What is too long is cut off the question, by default at its end, so
    that each choice is read whole where the encoder's length allows it.
    """

    head: ClassVar[str] = "multiple-choice"
    problem: ClassVar[str] = "multiple_choice"
    main: ClassVar[str] = "accuracy"
    answers: ClassVar[Any] = "choice"
    labelled: ClassVar[bool] = False
    welcome: ClassVar[tuple[str, ...]] = (ID,)

    text: str = Field("question", description="column of the text")
    pair: str | None = Field("choices", description="column of the second text, for pairs")
    first: First = Field("auto", description="choice: the number of the first choice in labels; or text")

    @model_validator(mode="after")
    def _has_choices(self) -> Self:
        if not self.pair:
            raise UserError("A question has choices: name their column, or their columns by comma (pair).")
        return self

    # Rows

    @property
    def choice_columns(self) -> list[str]:
        """One that holds a list, or one for each choice."""
        assert self.pair is not None
        return [name.strip() for name in self.pair.split(",")]

    def by_option(self) -> dict[str, tuple[str, ...]]:
        return {**super().by_option(), "pair": tuple(self.choice_columns)}

    def doubts(self, table: Table) -> list[str]:
        return [*super().doubts(table), *empty(table, of_table(table, self.spelled(table).text), "question")]

    def texts(self, table: Table) -> tuple[list[str], list[str] | None]:
        """The choices of a row as one text, for what looks at texts."""
        return of_table(table, self.text), [BETWEEN.join(one.texts) for one in self._choices(table)]

    def example(self, cells: Mapping[str, Any]) -> Example:
        found = choices([cells.get(name) for name in self.choice_columns], self.choice_columns)
        return Example(of_cells(cells, self.text), BETWEEN.join(found.texts), choices=found.texts)

    def gather(self, some: Sequence[Example]) -> Examples:
        given = [one.choices or () for one in some]
        return Examples([one.text for one in some], list(map(BETWEEN.join, given)), None, choices=given)

    def examples(self, table: Table, labels: Labels | None) -> Examples:
        targets = self.targets(table, labels)
        texts, pairs = self.texts(table)
        return Examples(texts, pairs, targets, choices=[one.choices for one in targets])

    def targets(self, table: Table, labels: Labels | None) -> np.ndarray:
        """(B,) of `Asked`."""
        found, said = self._choices(table), table.column(self.label)
        first = self._counted_from(table, found)
        return objects(table.each(lambda label, one: Asked(one.texts, right(label, one, first)), said, found))

    def _choices(self, table: Table) -> list[Choices]:
        names = self.choice_columns
        return table.each(lambda *cells: choices(cells, names), *map(table.column, names))

    def _counted_from(self, table: Table, found: Sequence[Choices]) -> First:
        if self.first != "auto":
            return self.first
        try:
            return counted_from(table.column(self.label), found)
        except UserError as problem:
            raise UserError(f"{table.source}: {problem}") from None

    def discover(self, table: Table) -> None:
        """There are no labels. Raises UserError where the same place is right in all rows."""
        asked = self.targets(table, None)
        places = {one.right for one in asked}
        if len(places) == 1 and len(asked) > 1:
            raise UserError(
                f"{table.source}: in all {counted(len(asked), 'row')} choice {1 + places.pop()} is the right one. "
                f"Check the column {self.label!r}, and task.first."
            )

    def settled_on(self, labels: Labels | None, table: Table | None = None) -> Self:
        if self.first != "auto" or table is None:
            return self
        return self.model_copy(update={"first": self._counted_from(table, self._choices(table))})

    def notes(self, examples: Examples, labels: Labels | None) -> list[str]:
        assert examples.choices is not None
        sizes = sorted({len(one) for one in examples.choices})
        told = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        again = sum(len(set(one)) < len(one) for one in examples.choices)
        out = [f"{counted(len(examples), 'question')} with {told} choices."]
        return [*out, f"{counted(again, 'question')} have a choice twice."] if again else out

    # The network

    def marks(self, pieces: Encodings) -> None:
        """The choice, as transformers' Longformer has it: its head knows by the separators where that begins, which
        pieces do not tell of every tokenizer."""
        return None

    def inputs(self, tokenizer: Tokenizer, examples: Examples, max_length: int, long: Long | None = None) -> Inputs:
        """A sequence for each choice, behind the question; `long` says what stays of a question that is too long."""
        assert examples.choices is not None
        counts = [len(own) for own in examples.choices]
        questions = [text for text, count in zip(examples.texts, counts, strict=True) for _ in range(count)]
        each = [choice for own in examples.choices for choice in own]
        found = tokenizer.encode(questions, each)
        if found.lengths.max(initial=0) > max_length:  # which pieces are the question's is asked only where it matters
            found = shortened_firsts(tokenizer.encode(questions, each, details=True), max_length, (long or Head()).kept)
        return Grouped.of(found, counts)

    def shortened(self, long: Long) -> str:
        return f"{long.told} of the question"

    def lost(self, targets: np.ndarray, inputs: Inputs) -> list[str]:
        """Choices beside which nothing of their question is read."""
        assert isinstance(inputs, Grouped)
        pieces, count = inputs.encodings, 0
        for i in np.flatnonzero(pieces.cut):
            assert pieces.words is not None
            own, _ = first_text(pieces.words[pieces.offsets[i] : pieces.offsets[i + 1]])
            count += not len(own)
        if not count:
            return []
        leave = "leaves" if count == 1 else "leave"
        return [
            f"{counted(count, 'choice')} {leave} no room for the question and may be cut at the end; a larger "
            "--max-length helps."
        ]

    def wanted(self, targets: np.ndarray, inputs: Inputs) -> np.ndarray:
        return np.array([one.right for one in targets], np.int64)

    def classes(self, labels: Labels | None) -> int:
        return 1

    def loss(self, scores: Tensor, targets: Tensor, given: Given | None = None) -> Tensor:
        """scores: (S, 1), one for each choice of all B questions; targets: (B,)."""
        assert given is not None
        assert given.counts is not None
        counts = torch.tensor(given.counts, device=scores.device)
        first = counts.cumsum(0) - counts
        question = torch.repeat_interleave(torch.arange(len(counts), device=scores.device), counts)
        each = scores.float().squeeze(-1)
        return (log_sum_exp(each, question, len(counts)) - each[first + targets]).sum()

    def condensed(self, scores: np.ndarray, inputs: Inputs) -> np.ndarray:
        """(B,) of (C,): the scores of each question's choices."""
        return objects([one[:, 0] for one in scores])

    # Answers

    def decode(
        self,
        scores: np.ndarray,
        labels: Labels | None,
        calibration: Calibration | None = None,
        examples: Examples | None = None,
    ) -> list[dict[str, Any]]:
        """The choice, its number from 1, its probability, and those of all in their order."""
        assert examples is not None
        assert examples.choices is not None
        out = []
        for p, own in zip(self.chances(scores, calibration), examples.choices, strict=True):
            best = int(p.argmax())
            said = {"choice": own[best], "number": best + 1, "probability": float(p[best])}
            out.append({**said, "choices": [float(each) for each in p]})
        return out

    def blank(self, labels: Labels | None) -> dict[str, Any]:
        return {"choice": "", "number": 0, "probability": 0.0, "choices": []}

    def chances(self, scores: np.ndarray, calibration: Calibration | None = None) -> list[np.ndarray]:
        """Of each question the probabilities of its choices."""
        scale = Temperature(temperature(calibration))
        return [scale(one[None])[0] for one in scores]

    def truths(self, targets: np.ndarray, labels: Labels | None) -> list[Any]:
        return [one.right + 1 for one in targets]

    def measures(
        self, scores: np.ndarray, targets: np.ndarray, calibration: Calibration | None = None
    ) -> dict[str, Measure]:
        """accuracy, and the mean of one over the rank of the right choice; of equal scores the first counts."""
        order = [np.argsort(-one, kind="stable") for one in scores]
        ranks = [1 + int(np.flatnonzero(each == one.right)[0]) for each, one in zip(order, targets, strict=True)]
        return {"accuracy": share([rank == 1 for rank in ranks]), "reciprocal_rank": share([1 / r for r in ranks])}

    def calibrate(self, scores: np.ndarray, targets: np.ndarray, split: str) -> Calibration:
        """A temperature (Guo et al. 2017), over the choices of each question."""
        longest = max((len(one) for one in scores), default=0)
        padded = np.full((len(scores), longest), ABSENT)
        for row, one in zip(padded, scores, strict=True):
            row[: len(one)] = one
        scale = Temperature.fit(padded, np.array([one.right for one in targets]), spread=SPREAD)
        return Calibration(split, len(targets), temperature=scale.value)

    def describe(self, labels: Labels | None) -> dict[str, Any]:
        return {}


ABSENT = -1e9  #: the score of a choice that a question does not have
