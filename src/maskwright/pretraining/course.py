"""The steps of a pre-training and their batches: what is read in which order, how long, and how much at once.

A row is a number that names one sequence of one pass over the corpus, from 0 through the whole training. From it alone
follow the phase, the pass, the sequence and its masks, so that any step can be made without those before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

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

    share: float = Field(1.0, gt=0, le=1, description="share of the pieces of the whole training that are read in it")
    length: int = Field(128, ge=8, description="most pieces of a sequence, special ones included")
    batch_tokens: int = Field(4096, ge=1, description="pieces of an optimizer step")


@dataclass(frozen=True)
class Pass:
    """One pass over the corpus, or its beginning where the phase ends within it."""

    phase: Phase
    epoch: int
    first_row: int
    first_step: int
    steps: int


class Course:
    """Plan and feed of a pre-training at once (`training.plan.Plan`, `training.objective.Feed`)."""

    def __init__(
        self,
        corpus: Encoded,
        objective: PretrainingObjective,
        vocabulary: Vocabulary,
        specials: tuple[int, int],
        tokens: int,
        phases: Sequence[Phase] = (Phase(),),
        seed: int = 0,
        micro_tokens: int = 8192,
    ) -> None:
        """specials: the ids of [CLS] and [SEP]; tokens: pieces that the training reads in all. Raises UserError for
        shares that do not come to 1, and for a training shorter than a step."""
        if abs(sum(phase.share for phase in phases) - 1) > 1e-6:
            told = ", ".join(f"{phase.share:g}" for phase in phases)
            raise UserError(
                f"The phases' shares come to {sum(p.share for p in phases):g} ({told}); let them come to 1."
            )
        self.corpus, self.objective, self.vocabulary_, self.specials = corpus, objective, vocabulary, specials
        self.seed, self.micro_tokens = seed, micro_tokens
        self.sequences = lru_cache(KEPT)(self._sequences)
        self.order = lru_cache(KEPT)(self._order)
        self.passes = self._all_passes(tokens, phases)
        self._first_rows = np.array([one.first_row for one in self.passes])
        self._first_steps = np.array([one.first_step for one in self.passes])
        self.total = self.passes[-1].first_step + self.passes[-1].steps

    def _all_passes(self, tokens: int, phases: Sequence[Phase]) -> list[Pass]:
        found: list[Pass] = []
        row = step = epoch = 0
        for phase in phases:
            left = phase.share * tokens
            if left < 1:
                raise UserError(f"{tokens:,} pieces are too few for a phase of {phase.share:g} of them.")
            while left > 0:
                lengths = self.sequences(phase.length, epoch).lengths
                read = np.cumsum([lengths[rows].sum() for rows in self.order(phase, epoch)])
                steps = min(len(read), int(np.searchsorted(read, left)) + 1)
                found.append(Pass(phase, epoch, row, step, steps))
                left -= float(read[steps - 1])
                row, step, epoch = row + len(lengths), step + steps, epoch + 1
        return found

    def _sequences(self, length: int, epoch: int) -> Sequences:
        found = self.objective.format.sequences(self.corpus, length, self.seed, epoch)
        if not len(found):
            raise UserError("The corpus has no text to read; build it from files that hold some.")
        return found

    def _order(self, phase: Phase, epoch: int) -> list[np.ndarray]:
        """The sequences of each step of a pass, from 0."""
        lengths = self.sequences(phase.length, epoch).lengths
        return batching.by_tokens(batching.order(len(lengths), self.seed, epoch), lengths, phase.batch_tokens)

    # ------------------------------------------------------------ the plan

    def rows(self, step: int) -> np.ndarray:
        one = self.passes[int(np.searchsorted(self._first_steps, step, side="right")) - 1]
        return one.first_row + self.order(one.phase, one.epoch)[step - one.first_step]

    def moment(self, step: int) -> Moment:
        epoch = self.passes[int(np.searchsorted(self._first_steps, step, side="right")) - 1].epoch
        return Moment(step, self.total, epoch)

    def evaluates(self, done: int, evaluations: int) -> bool:
        """At equal distances through the whole training, the last at its end."""
        return done in {round(self.total * (i + 1) / evaluations) for i in range(evaluations)}

    # ------------------------------------------------------------ the feed

    def epoch(self, number: int) -> list[np.ndarray]:
        one = self.passes[number]
        return [one.first_row + rows for rows in self.order(one.phase, one.epoch)[: one.steps]]

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
