"""The steps of a pre-training and their batches: what is read in which order, how long, and how much at once.

A row is a number that names one sequence of one pass over the corpus, from 0 through the whole training. From it alone
follow the phase, the pass, the sequence and its masks, so that any step can be made without those before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
import torch
from pydantic import Field

from maskwright.base.config import Config
from maskwright.base.errors import UserError
from maskwright.data import batching
from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.formats import Sequences
from maskwright.pretraining.masking import Draw, Vocabulary
from maskwright.pretraining.objectives import Asked, PretrainingObjective
from maskwright.training.objective import Moment

KEPT = 2  #: passes whose sequences are held, as one ends and the next begins


class Phase(Config):
    """A part of the training in which length and batch stay as they are."""

    share: float = Field(1.0, gt=0, le=1, description="share of the training's pieces, or of its steps, that it has")
    length: int = Field(128, ge=8, description="most pieces of a sequence, special ones included")
    batch_tokens: int = Field(4096, ge=1, description="pieces of an optimizer step")
    batch_from: int | None = Field(None, ge=1, description="pieces of its first step, where batches grow")
    ramp: float = Field(0.1, gt=0, le=1, description="share of the phase in which they grow, in a straight line")

    def batch(self, progress: float) -> float:
        """Pieces of a step, `progress` of the phase being behind."""
        if self.batch_from is None:
            return self.batch_tokens
        return self.batch_from + (self.batch_tokens - self.batch_from) * min(1.0, progress / self.ramp)

    @property
    def grows(self) -> bool:
        """Whether its batches are not all of one size."""
        return self.batch_from not in (None, self.batch_tokens)

    @property
    def steps_a_piece(self) -> float:
        """The mean of 1 / batch over the phase's pieces."""
        if self.batch_from is None or not self.grows:
            return 1 / self.batch_tokens
        first, last = self.batch_from, self.batch_tokens
        return self.ramp * math.log(last / first) / (last - first) + (1 - self.ramp) / last


def shares_flaw(phases: Sequence[Phase]) -> str:
    """What is wrong with the shares of phases that are one training; "" if nothing is."""
    total = sum(phase.share for phase in phases)
    if abs(total - 1) <= 1e-6:
        return ""
    told = ", ".join(f"{phase.share:g}" for phase in phases)
    return f"The phases' shares come to {total:g} ({told}); let them come to 1."


@dataclass(frozen=True)
class Pass:
    """One pass over the corpus, or its beginning where the phase ends within it.

    spent, whole: pieces, or steps where the budget is in steps, of its phase that are behind at its beginning, and that
    the phase has in all. Batches that grow follow from them.
    """

    phase: Phase
    epoch: int
    spent: float
    whole: float
    first_row: int = 0
    first_step: int = 0
    steps: int = 0


class Course:
    """Plan and feed of a pre-training at once (`training.plan.Plan`, `training.objective.Feed`)."""

    def __init__(
        self,
        corpus: Encoded,
        objective: PretrainingObjective,
        vocabulary: Vocabulary,
        specials: tuple[int, int],
        amount: float,
        phases: Sequence[Phase] = (Phase(),),
        seed: int = 0,
        micro_tokens: int = 8192,
        unit: Literal["tokens", "steps"] = "tokens",
    ) -> None:
        """specials: the ids of [CLS] and [SEP]; amount: pieces that the training reads in all, or its steps. Raises
        UserError for shares that do not come to 1, and for a training shorter than a step."""
        if flaw := shares_flaw(phases):
            raise UserError(flaw)
        self.corpus, self.objective, self.vocabulary_, self.specials = corpus, objective, vocabulary, specials
        self.seed, self.micro_tokens, self.unit = seed, micro_tokens, unit
        self.sequences = lru_cache(KEPT)(self._sequences)
        self.order = lru_cache(KEPT)(self._order)
        self.passes = self._all_passes(amount, phases)
        self._first_rows = np.array([one.first_row for one in self.passes])
        self._first_steps = np.array([one.first_step for one in self.passes])
        self.total = self.passes[-1].first_step + self.passes[-1].steps

    def _all_passes(self, amount: float, phases: Sequence[Phase]) -> list[Pass]:
        found: list[Pass] = []
        row = step = epoch = 0
        for phase in phases:
            whole, spent = phase.share * amount, 0.0
            whole = round(whole) if self.unit == "steps" else whole
            if whole < 1:
                raise UserError(f"{amount:,.0f} {self.unit} are too few for a phase of {phase.share:g} of them.")
            while spent < whole:
                lengths = self.sequences(phase.length, epoch).lengths
                order = self.order(phase, epoch, spent, whole)
                costs = [1 if self.unit == "steps" else lengths[rows].sum() for rows in order]
                ends = spent + np.cumsum(costs)
                steps = min(len(ends), int(np.searchsorted(ends, whole)) + 1)
                found.append(Pass(phase, epoch, spent, whole, row, step, steps))
                spent = float(ends[steps - 1])
                row, step, epoch = row + len(lengths), step + steps, epoch + 1
        return found

    def _sequences(self, length: int, epoch: int) -> Sequences:
        if self.objective.copies is not None:  # as BERT's were written to disk, pairs and masks, and read in turn
            epoch %= self.objective.copies
        found = self.objective.format.sequences(self.corpus, length, self.seed, epoch)
        if not len(found):
            raise UserError("The corpus has no text to read; build it from files that hold some.")
        return found

    def _order(self, phase: Phase, epoch: int, spent: float, whole: float) -> list[np.ndarray]:
        """The sequences of each step of a pass, from 0. spent, whole: see `Pass`."""
        lengths = self.sequences(phase.length, epoch).lengths
        rows = batching.order(len(lengths), self.seed, epoch)
        ends = np.cumsum(lengths[rows])
        out, start, used = [], 0, 0
        while start < len(rows):
            room = used + int(phase.batch(spent / whole))
            end = max(start + 1, int(np.searchsorted(ends, room, side="right")))
            out.append(rows[start:end])
            spent += 1 if self.unit == "steps" else float(ends[end - 1] - used)
            start, used = end, int(ends[end - 1])
        return out

    def _steps(self, one: Pass) -> list[np.ndarray]:
        return self.order(one.phase, one.epoch, one.spent, one.whole)

    # ------------------------------------------------------------ the plan

    @cached_property
    def tokens(self) -> int:
        """Pieces that are read in all."""
        return sum(map(self.size, range(self.total)))

    @cached_property
    def read(self) -> int:
        """Sequences that are read in all."""
        return sum(len(self.rows(step)) for step in range(self.total))

    @cached_property
    def text(self) -> int:
        """Pieces of the corpus that are read in all, each as often as it is read; special ones are not of it."""
        return sum(int(found.texts[own].sum()) for found, own in map(self._own, range(self.total)))

    def size(self, step: int) -> int:
        """Pieces of a step."""
        found, own = self._own(step)
        return int(found.lengths[own].sum())

    def _own(self, step: int) -> tuple[Sequences, np.ndarray]:
        """The sequences of a step's pass, and which of them are the step's."""
        one = self._pass_at(step)
        return self.sequences(one.phase.length, one.epoch), self._steps(one)[step - one.first_step]

    def rows(self, step: int) -> np.ndarray:
        one = self._pass_at(step)
        return one.first_row + self._steps(one)[step - one.first_step]

    def moment(self, step: int) -> Moment:
        return Moment(step, self.total, self._pass_at(step).epoch)

    def _pass_at(self, step: int) -> Pass:
        return self.passes[int(np.searchsorted(self._first_steps, step, side="right")) - 1]

    def evaluates(self, done: int, evaluations: int) -> bool:
        """At equal distances through the whole training, the last at its end."""
        return done in {round(self.total * (i + 1) / evaluations) for i in range(evaluations)}

    # ------------------------------------------------------------ the feed

    def epoch(self, number: int) -> list[np.ndarray]:
        one = self.passes[number]
        return [one.first_row + rows for rows in self._steps(one)[: one.steps]]

    def vocabulary(self) -> np.ndarray | None:
        return None

    def pieces(self, rows: np.ndarray) -> list[np.ndarray]:
        """Rows of one pass by length, so many at once that they fit `micro_tokens`."""
        one = self._pass_of(rows)
        lengths = self.sequences(one.phase.length, one.epoch).lengths
        own = rows - one.first_row
        ordered = own[np.argsort(lengths[own], kind="stable")]
        return [one.first_row + some for some in batching.by_tokens(ordered, lengths, self.micro_tokens)]

    def fetch(self, rows: np.ndarray, device: torch.device, at: Moment) -> tuple[Asked, int]:
        one = self._pass_of(rows)
        own, found = rows - one.first_row, self.sequences(one.phase.length, one.epoch)
        pieces = found.assemble(own, self.corpus.ids, *self.specials)
        asked = self.objective.ask(pieces, self.vocabulary_, Draw(self.seed, one.epoch), at.progress)
        return asked.to(device), len(pieces.ids)

    def _pass_of(self, rows: np.ndarray) -> Pass:
        return self.passes[int(np.searchsorted(self._first_rows, rows[0], side="right")) - 1]
