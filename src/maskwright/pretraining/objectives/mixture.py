"""Several objectives of one network: masked and causal (Charpentier and Samuel 2024), causal and then masked
(Gisserot-Boukhlef et al. 2025)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from maskwright.base import draws
from maskwright.base.choice import Choice
from maskwright.pretraining.masking import Draw, Pieces, Vocabulary, percent
from maskwright.pretraining.objectives._objective import Asked, Masks, PretrainingObjective
from maskwright.pretraining.objectives.causal import Causal
from maskwright.pretraining.objectives.mlm import Mlm
from maskwright.text.tokenizer import Tokenizer
from maskwright.training.objective import Objective

_WHICH = 4  # stream of random numbers


class Mixture(PretrainingObjective):
    """Sequences are dealt to the parts by their shares: each anew in each epoch, or the parts one after the other over
    the whole training. All parts train the same network and read sequences of this format."""

    head: ClassVar[str] = "masked-lm"

    parts: list[Choice[PretrainingObjective]] = Field(
        [Mlm(shift=True), Causal()], description="the objectives", min_length=2
    )
    shares: list[float] = Field([0.5, 0.5], description="of the sequences, or of the training, that each gets")
    order: Literal["mixed", "then"] = Field("mixed", description="mixed: sequence by sequence; then: one after another")

    @model_validator(mode="after")
    def _parts_fit(self) -> Mixture:
        if len(self.shares) != len(self.parts) or min(self.shares) <= 0 or abs(sum(self.shares) - 1) > 1e-6:
            raise ValueError(f"shares = {self.shares}: give {len(self.parts)} numbers above 0 that come to 1")
        if heads := {part.head for part in self.parts} - {self.head}:
            raise ValueError(f"parts of a mixture train the network {self.head!r}, not {', '.join(sorted(heads))}")
        if self.format.pairs:
            raise ValueError("parts of a mixture read single texts; give a format without pairs")
        usual = PretrainingObjective.model_fields["format"].default
        for part in self.parts:
            if part.format not in (usual, self.format):
                raise ValueError(
                    f"its parts read the format {self.format.name!r}, so that {part.format.name!r} of the part "
                    f"{part.name!r} would be left out; say it of the mixture: objective.format"
                )
        return self

    def ask(  # type: ignore[override]
        self, pieces: Pieces, vocabulary: Vocabulary, draw: Draw, progress: float
    ) -> Several:
        ends = np.cumsum(self.shares)
        if self.order == "then":
            which = np.full(len(pieces), min(int(np.searchsorted(ends, progress, side="right")), len(ends) - 1))
        else:
            lots = draws.uniform(draw.seed, draw.epoch, _WHICH, pieces.rows)
            which = np.minimum(np.searchsorted(ends, lots, side="right"), len(ends) - 1)
        found = []
        for number in np.unique(which).tolist():
            some = pieces.take(np.flatnonzero(which == number))
            found.append((number, self.parts[number].ask(some, vocabulary, draw, progress)))
        return Several(found)

    def told(self) -> str:
        each = [(percent(share), part.told()) for share, part in zip(self.shares, self.parts, strict=True)]
        if self.order == "then":
            return ", then ".join(f"for {share} of the training {part}" for share, part in each)
        return ", ".join(f"in {share} of the sequences {part}" for share, part in each)

    def prepared(self, tokenizer: Tokenizer) -> Mixture:
        return self.model_copy(update={"parts": [part.prepared(tokenizer) for part in self.parts]})

    def questions(self) -> PretrainingObjective:
        return self._judged.questions()

    def answers(self, built: Any) -> Objective:
        return self._judged.answers(built.parts[self.parts.index(self._judged)])

    def speaks(self, built: Any) -> Any:
        return self._judged.speaks(built.parts[self.parts.index(self._judged)])

    @property
    def spoken(self) -> Literal["at", "before", "none"]:
        return self._judged.spoken

    @property
    def files(self) -> list[str]:
        return [file for part in self.parts for file in part.files]

    @property
    def anew(self) -> str:
        return " and ".join(dict.fromkeys(part.anew for part in self.parts if part.anew))

    @property
    def notes(self) -> list[str]:
        return list(dict.fromkeys(note for part in self.parts for note in part.notes))

    @property
    def _judged(self) -> PretrainingObjective:
        """The last part that asks for masked pieces, or the last one."""
        return next((part for part in reversed(self.parts) if isinstance(part, Masks)), self.parts[-1])

    def outside(self, kind: Any) -> str:
        return self._judged.outside(kind)

    def build(self, network: nn.Module, kind: Any, config: Any) -> Objective:
        return Parts([part.build(network, kind, config) for part in self.parts], [part.name for part in self.parts])


@dataclass(frozen=True)
class Several:
    """What each of some parts is asked, with its number."""

    parts: list[tuple[int, Asked]]

    def to(self, device: torch.device | str) -> Several:
        return Several([(number, asked.to(device)) for number, asked in self.parts])


class Parts(Objective):
    """The mean loss of each part's items in the whole step, weighed by the pieces that it read, so that a part that
    asks at every piece does not outweigh one that asks at some."""

    same_passes: ClassVar[bool] = False  # a piece may have nothing for one of the parts

    def __init__(self, parts: list[Objective], names: list[str]) -> None:
        super().__init__()
        self.parts, self.names = nn.ModuleList(parts), names

    @property
    def network(self) -> Any:
        """What all parts train."""
        return self.parts[0].network

    def counts(self, several: Several) -> dict[str, int]:
        found = {}
        for number, asked in several.parts:
            inner = self.parts[number].counts(asked) or {}
            found |= {f"{number}.pieces": pieces_of(asked), f"{number}.items": items_of(asked)}
            found |= {f"{number}.within.{name}": count for name, count in inner.items()}
        return found

    def forward(self, several: Several) -> tuple[Tensor, int, dict[str, float]]:
        step, losses, said = self.of_step(several), [], {}
        total = sum(count for name, count in step.items() if name.endswith(".pieces") and name.count(".") == 1)
        mine = pieces_of(several)
        for number, asked in several.parts:
            part, start = self.parts[number], f"{number}.within."
            part.totals = {k.removeprefix(start): count for k, count in step.items() if k.startswith(start)}
            loss, count, facts = part(asked)
            assert count == items_of(asked), f"the part {self.names[number]} counts others than its labels"
            items = max(step[f"{number}.items"], 1)
            losses.append(loss * (step[f"{number}.pieces"] / items))
            said |= {f"{self.names[number]}.{name}": value / items * total for name, value in facts.items()}
        return torch.stack(losses).sum(), mine, said


def pieces_of(asked: Asked | Several) -> int:
    """How many pieces are read."""
    return sum(pieces_of(part) for _, part in asked.parts) if isinstance(asked, Several) else len(asked.batch.ids)


def items_of(asked: Asked | Several) -> int:
    """How many items the objective that is asked will count."""
    return pieces_of(asked) if isinstance(asked, Several) else len(asked.labels)
