"""How a pre-training is judged: masked pieces of held-out text, minimal pairs, and text that the model knew before."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch

from maskwright.base.errors import UserError
from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.formats import Format
from maskwright.pretraining.held_out import TOKENS, HeldOut, frozen, judge, judge_each
from maskwright.pretraining.objectives import PretrainingObjective
from maskwright.pretraining.objectives.mlm import Mlm
from maskwright.pretraining.settings import Pretrain
from maskwright.pretraining.start import Start
from maskwright.pretraining.vocabulary import vocabulary_of
from maskwright.pretraining.zero_shot import ZeroShot
from maskwright.text.tokenizer import Tokenizer
from maskwright.training.objective import Objective

TIMED = 50  #: held-out sequences by which the judging in the end is timed


@dataclass(frozen=True)
class Text:
    """The held-out pieces of a corpus, what that is called, and of how many documents they are."""

    pieces: Encoded
    source: str
    documents: int


@dataclass(frozen=True, eq=False)
class Before:
    """Of a trained encoder before its first step: the held-out loss, and that of each sequence of the known text."""

    loss: float
    known: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Forgotten:
    """Of each sequence of the known text the loss before and after, and how many pieces were asked."""

    text: Text
    before: np.ndarray
    after: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True, eq=False)
class Judged:
    """The trained network on held-out text: of each of S sequences its loss, how many pieces were asked, and how many
    answers were right. beside: what else the objective tells, sums and counts of the same sequences."""

    held: HeldOut
    losses: np.ndarray
    counts: np.ndarray
    right: np.ndarray
    documents: int
    beside: dict[str, tuple[np.ndarray, np.ndarray]]
    before: Before | None = None
    forgotten: Forgotten | None = None
    pairs: Any = None  #: `tasks.MaskedLM.judge` of minimal pairs, where there are some

    @property
    def loss(self) -> float:
        return float(self.losses.sum() / self.counts.sum())


@dataclass(eq=False)
class Judging:
    """The questions, the same for every seed, and who is asked. known: text whose loss says what was forgotten."""

    asked: Pretrain
    objective: PretrainingObjective
    tokenizer: Tokenizer
    text: Text
    known: Text | None
    zero_shot: ZeroShot | None
    device: torch.device
    format: Literal["fp32", "bf16"]

    @cached_property
    def questions(self) -> HeldOut:
        return self._frozen(self.text, TOKENS)

    @cached_property
    def each(self) -> HeldOut:
        """The same, every sequence by itself, which an interval over sequences needs."""
        return self._frozen(self.text, 1)

    @cached_property
    def own(self) -> HeldOut | None:
        """What the objective is asked beside; None where the held-out text has none of it, as one document has no pairs
        with another."""
        asks = self.objective.asks_beside()
        if asks == self.objective.questions():
            return self.each
        try:
            return self._frozen(self.text, 1, asks, asks.format)
        except UserError:
            return None

    @cached_property
    def masked(self) -> HeldOut:
        """Masked pieces, whatever the objective asks for: what a masked-LM head that is fitted is judged by."""
        return self._frozen(self.text, TOKENS, Mlm().questions())

    @cached_property
    def _known(self) -> HeldOut | None:
        return self._frozen(self.known, 1) if self.known else None

    def _frozen(
        self, text: Text, tokens: int, questions: PretrainingObjective | None = None, format: Format | None = None
    ) -> HeldOut:
        asked = self.asked
        length, sequences = asked.phases[-1].length, asked.judge_sequences
        words, asks = vocabulary_of(self.tokenizer), questions or self.objective.questions()
        found = frozen(text.pieces, self.tokenizer, words, length, sequences, 0, asks, tokens, format)
        if not found.count:
            raise UserError(
                f"The held-out text of {text.source} is so short that nothing of it is asked for. Build the corpus "
                "with a larger --held-out."
            )
        return found

    def check(self, start: Start) -> None:
        """Raises UserError for a minimal pair that cannot be judged, before hours of training learn of it."""
        if self.zero_shot is not None:
            self.zero_shot.check(start)

    def before(self, built: Objective, start: Start) -> Before:
        return Before(self.on_the_way(built, start)["loss"], self._each_known(built))

    def on_the_way(self, built: Objective, start: Start) -> dict[str, float]:
        """The held-out loss, and a few of the minimal pairs."""
        found = judge(self.objective.answers(built), self.questions, self.device, self.format)
        if self.zero_shot is not None:
            pairs = self.zero_shot.judge(self.objective, built, start, self.format, few=True)
            found |= {} if pairs is None else {"minimal_pairs": pairs.overall.accuracy.value}
        return found

    def in_the_end(self, built: Objective, start: Start, before: Before | None) -> Judged:
        losses, counts, right = judge_each(self.objective.answers(built), self.each, self.device, self.format)
        beside = self._beside(built, self.own)
        forgotten = None
        if self.known and self._known and before and before.known is not None:
            after = self._each_known(built)
            assert after is not None
            asked = np.array([len(one.labels) for one in self._known.asked])
            forgotten = Forgotten(self.known, before.known, after, asked)
        pairs = self.zero_shot and self.zero_shot.judge(self.objective, built, start, self.format)
        return Judged(
            self.each, losses, counts, right, self.text.documents, beside, before, forgotten, pairs or None
        )  # fmt: skip

    def takes(self, built: Objective, start: Start) -> tuple[float, float]:
        """Seconds of judging once on the way, and in the end: every sequence by itself, of which some are timed, and
        all of the minimal pairs."""
        answers = self.objective.answers(built)
        way = _seconds(lambda: judge(answers, self.questions, self.device, self.format))
        some = _some(self.each)
        ending = _seconds(lambda: judge_each(answers, some, self.device, self.format))
        ending += _seconds(lambda: self._beside(built, self.own and _some(self.own)))
        sequences = len(self.each.asked) + (len(self._known.asked) if self._known else 0)
        ending *= sequences / len(some.asked)
        shot = self.zero_shot
        if shot is not None:
            few = _seconds(lambda: shot.judge(self.objective, built, start, self.format, few=True))
            way, ending = way + few, ending + few * len(shot.pairs) / len(shot.few)
        return way, ending

    def _beside(self, built: Objective, held: HeldOut | None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return {} if held is None else self.objective.beside(built, held, self.device, self.format)

    def digests(self) -> dict[str, str]:
        """Of what is judged beside the held-out text of the corpus."""
        found = {}
        if self.zero_shot is not None:
            sentences = [(pair.good, pair.bad) for pair in self.zero_shot.pairs]
            found["pairs"] = hashlib.sha256(repr(sentences).encode()).hexdigest()
        if self.known is not None:
            found["remembered"] = hashlib.sha256(np.ascontiguousarray(self.known.pieces.ids)).hexdigest()
        return found

    def _each_known(self, built: Objective) -> np.ndarray | None:
        if self._known is None:
            return None
        return judge_each(self.objective.answers(built), self._known, self.device, self.format)[0]


def _some(held: HeldOut) -> HeldOut:
    """TIMED sequences of all lengths."""
    return replace(held, asked=held.asked[:: max(1, len(held.asked) // TIMED)])


def _seconds(work: Callable[[], Any]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
