"""The contract of a masking: which pieces are asked for, and what stands in their place.

Shapes: N pieces of B sequences end to end, M of them chosen, V the vocabulary.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator, model_validator

from maskwright.base import draws
from maskwright.base.choice import Choice, Part
from maskwright.pretraining.rates import Rate
from maskwright.pretraining.rates.constant import Constant
from maskwright.text.tokenizer import Tokenizer

MASKED, RANDOM, KEPT = 0, 1, 2  #: what stands in the place of a chosen piece
RULES = ("masked", "random", "kept")  #: the same in words: [MASK], any ordinary piece, the piece itself

_RULE, _WORD = 1, 2  # streams of random numbers


@dataclass(frozen=True)
class Vocabulary:
    """What a masking knows of pieces.

    mask: the id of [MASK]. special (V,) bool: [CLS], [SEP] and their like, never chosen and never put in. starts (V,)
    bool: the piece begins a word. ends (V,) bool: the piece ends a word, so that the next one begins another; None: no
    piece says so of itself. ordinary (K,) int64: the ids that may stand as a random piece, all but the special.
    """

    mask: int
    special: np.ndarray
    starts: np.ndarray
    ends: np.ndarray | None = None

    @cached_property
    def ordinary(self) -> np.ndarray:
        return np.flatnonzero(~self.special)


@dataclass(frozen=True)
class Pieces:
    """N pieces of B sequences, packed. ids (N,) int64; offsets (B + 1,) int64; rows (B,) int64: which sequence of the
    corpus each is, which its random numbers follow; segments (N,) int64; order (B,) int64: of pairs, their labels."""

    ids: np.ndarray
    offsets: np.ndarray
    rows: np.ndarray
    segments: np.ndarray | None = None  #: None: all 0
    order: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    @cached_property
    def owner(self) -> np.ndarray:
        """(N,) the sequence of each piece, from 0."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @cached_property
    def positions(self) -> np.ndarray:
        """(N,) the place of each piece in its sequence, from 0."""
        return np.arange(len(self.ids)) - np.repeat(self.offsets[:-1], self.lengths)

    def take(self, which: np.ndarray) -> Pieces:
        """Some of the sequences, `which` rising."""
        kept = np.isin(self.owner, which)
        offsets = np.concatenate([[0], np.cumsum(self.lengths[which])]).astype(np.int64)
        segments = None if self.segments is None else self.segments[kept]
        order = None if self.order is None else self.order[which]
        return Pieces(self.ids[kept], offsets, self.rows[which], segments, order)

    def words(self, vocabulary: Vocabulary) -> np.ndarray:
        """(N,) int64 the word of each piece, rising through the batch; -1 for special pieces. A word begins with a
        piece that begins words, behind one that ends them, behind a special piece, and with each sequence."""
        special = vocabulary.special[self.ids]
        over = special if vocabulary.ends is None else special | vocabulary.ends[self.ids]
        behind = np.concatenate([[True], over[:-1]])
        begins = (vocabulary.starts[self.ids] | behind | (self.positions == 0)) & ~special
        return np.where(special, -1, np.cumsum(begins) - 1)


@dataclass(frozen=True)
class Draw:
    """Random numbers for places of a batch: they follow from the seed, the epoch, the sequence and the place in it."""

    seed: int
    epoch: int

    def of_pieces(self, pieces: Pieces, stream: int, more: draws.Place = 0) -> np.ndarray:
        """(N,) in [0, 1), one for each piece."""
        return draws.uniform(self.seed, self.epoch, stream, more, pieces.rows[pieces.owner], pieces.positions)

    def of_rows(self, pieces: Pieces, stream: int, more: draws.Place = 0) -> np.ndarray:
        """(B,) in [0, 1), one for each sequence."""
        return draws.uniform(self.seed, self.epoch, stream, more, pieces.rows)


@dataclass(frozen=True)
class Masked:
    """A batch with its questions. ids (N,): what the model sees; chosen (M,) int64, rising: the places that it is asked
    for; labels (M,): what stood there; rules (M,): what was put in (MASKED, RANDOM or KEPT); units (M,) int64: pieces
    that were chosen as one have the same number."""

    pieces: Pieces
    ids: np.ndarray
    chosen: np.ndarray
    labels: np.ndarray
    rules: np.ndarray
    units: np.ndarray


def percent(share: float) -> str:
    return f"{100 * share:.4g} %"


class Masking(Part):
    """Chooses pieces and replaces them (Devlin et al. 2019, section 3.1 and appendix A.1)."""

    chooses: ClassVar[str] = ""  #: what it chooses, in words; one's own goes by its name
    together: ClassVar[bool] = False  #: whether the pieces of a unit are replaced by the same rule, or each by its own

    rate: Choice[Rate] = Field(Constant(), description="share of the pieces that are chosen")
    masked: float = Field(0.8, ge=0, le=1, description="share of the chosen in whose place [MASK] stands")
    random: float = Field(
        0.1, ge=0, le=1, description="share in whose place any ordinary piece stands; the rest is kept"
    )
    copies: int | None = Field(
        None, ge=1, description="masks of a text: so many in turn (static masking), or new ones in each epoch"
    )

    @field_validator("rate", mode="before")
    @classmethod
    def _a_number_is_constant(cls, given: Any) -> Any:
        return {"name": "constant", "start": given} if isinstance(given, int | float) else given

    @model_validator(mode="after")
    def _shares_fit(self) -> Masking:
        if self.masked + self.random > 1:
            raise ValueError(f"masked = {self.masked} and random = {self.random} come to more than 1")
        return self

    def told(self) -> str:
        """In words: how many pieces it chooses, which, and what stands in their place."""
        first, last = self.rate.at(0.0), self.rate.at(1.0)
        share = f"{percent(first)} of the pieces"
        if first != last:
            share += f" at first and {percent(last)} in the end"
        rules = {"[MASK]": self.masked, "a random piece": self.random}
        places = [f"{rule} in the place of {percent(of) if of < 1 else 'all'}" for rule, of in rules.items() if of]
        places += [] if self.masked + self.random > 1 - 1e-6 else ["the rest kept"]
        return f"{share}, {self.chooses or self.name}; {', '.join(places)}"

    def prepare(self, tokenizer: Tokenizer) -> Masking:
        """This masking, ready for texts of a tokenizer: a run calls it once, before anything is masked. Maskings that
        look words up read their file here, and raise UserError for one that is absent or of another tokenizer."""
        return self

    @property
    def files(self) -> list[str]:
        """What it reads."""
        return []

    @property
    def notes(self) -> list[str]:
        """What a person should know of it once it is prepared, one sentence each."""
        return []

    @abstractmethod
    def choose(self, pieces: Pieces, vocabulary: Vocabulary, budget: np.ndarray, draw: Draw) -> np.ndarray:
        """(N,) int64: the unit of each chosen piece, -1 for the others. budget (B,) float64: how many pieces of each
        sequence, in expectation. Never a special piece."""

    def apply(self, pieces: Pieces, vocabulary: Vocabulary, draw: Draw, progress: float = 0.0) -> Masked:
        """progress: the share of the training that is behind, in [0, 1], which the rate may follow.

        With `copies` = k the masks of epoch e are those of epoch e mod k. BERT's were written to disk ten times
        (github.com/google-research/bert, create_pretraining_data.py, dupe_factor); RoBERTa compares both ways (Liu et
        al. 2019, section 4.1).
        """
        if self.copies is not None:
            draw = replace(draw, epoch=draw.epoch % self.copies)
        ordinary = np.bincount(pieces.owner[~vocabulary.special[pieces.ids]], minlength=len(pieces))
        units = self.choose(pieces, vocabulary, self.rate.at(progress) * ordinary, draw)
        chosen = np.flatnonzero(units >= 0)
        return self._replaced(pieces, vocabulary, chosen, units[chosen], draw)

    def _replaced(
        self, pieces: Pieces, vocabulary: Vocabulary, chosen: np.ndarray, units: np.ndarray, draw: Draw
    ) -> Masked:
        rolls = draw.of_pieces(pieces, _RULE)[chosen]
        if self.together:
            _, first, of = np.unique(units, return_index=True, return_inverse=True)
            rolls = rolls[first][of]
        rules = np.where(rolls < self.masked, MASKED, np.where(rolls < self.masked + self.random, RANDOM, KEPT))
        labels, ids = pieces.ids[chosen], pieces.ids.copy()
        ids[chosen[rules == MASKED]] = vocabulary.mask
        swapped = chosen[rules == RANDOM]
        others = (draw.of_pieces(pieces, _WORD)[swapped] * len(vocabulary.ordinary)).astype(np.int64)
        ids[swapped] = vocabulary.ordinary[others]
        return Masked(pieces, ids, chosen, labels, rules, units)
