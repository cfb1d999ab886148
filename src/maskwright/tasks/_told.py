"""Tasks that a model of entailment does untrained: each class is told in a sentence (Yin et al. 2019).

Shapes: B texts, C classes, L labels of entailment. A network reads B x C pairs, a text with each of the sentences.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import numpy as np

from maskwright.tasks._given import Inputs
from maskwright.tasks._task import Example, Examples, Task
from maskwright.tasks.classification import Classification
from maskwright.tasks.long import Long
from maskwright.tasks.long.head import Head
from maskwright.tasks.multi_label import MultiLabel
from maskwright.text.encodings import Encodings
from maskwright.text.groups import Grouped
from maskwright.text.tokenizer import Tokenizer


class Told(Task):
    """What they share. A class's score is how much likelier its sentence follows from the text than not."""

    sentences: tuple[str, ...]
    follows: int  #: the label that says that a sentence follows
    denies: int | None  #: the one that says that it does not; None: all others do

    def characters(self, example: Example) -> int:
        return len(example.text) * len(self.sentences) + sum(map(len, self.sentences))

    def inputs(self, tokenizer: Tokenizer, examples: Examples, max_length: int, long: Long | None = None) -> Inputs:
        """Each text with each sentence. Of a text so many pieces are cut as the longest sentence takes."""
        count = len(self.sentences)
        texts = [text for text in examples.texts for _ in range(count)]
        found = (long or Head()).inputs(tokenizer, texts, self.sentences * len(examples), max_length)
        assert isinstance(found, Encodings)
        grouped = Grouped.of(found, [count] * len(examples))
        return replace(grouped, lost=found.cut.reshape(-1, count).max(axis=1))

    def condensed(self, scores: np.ndarray, inputs: Inputs) -> np.ndarray:
        """(B,) of (C, L) -> (B, C) float64."""
        if not len(scores):
            return np.zeros((0, len(self.sentences)))
        return self.weighed(np.stack(list(scores)).astype(np.float64))

    @abstractmethod
    def weighed(self, scores: np.ndarray) -> np.ndarray:
        """(B, C, L) -> (B, C)."""


class OneOf(Told, Classification):
    """One class a text: a softmax over the classes of the scores of "follows"."""

    def weighed(self, scores: np.ndarray) -> np.ndarray:
        return scores[..., self.follows]


class AnyOf(Told, MultiLabel):
    """Several classes a text, or none: of each the odds of "follows" against "is denied", or against all else."""

    def weighed(self, scores: np.ndarray) -> np.ndarray:
        others = np.delete(scores, self.follows, -1) if self.denies is None else scores[..., [self.denies]]
        with np.errstate(invalid="ignore"):  # of a NaN the stream tells
            return scores[..., self.follows] - np.logaddexp.reduce(others, axis=-1)
