"""The contract of an objective of pre-training: the sequences it reads, what it asks of them, and its loss.

Shapes: N pieces of B sequences, M of them scored.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from maskwright.base.choice import Choice, Part
from maskwright.nn.batch import Batch, Chosen
from maskwright.pretraining.formats import Format
from maskwright.pretraining.formats.doc_sentences import DocSentences
from maskwright.pretraining.masking import Draw, Masking, Pieces, Vocabulary
from maskwright.pretraining.masking.token import Token
from maskwright.training.objective import Objective


@dataclass(frozen=True)
class Asked:
    """A batch and what is asked of it. chosen: the M scored pieces; labels (M,) int64: what stands there; units (M,)
    int64: pieces that were masked as one have the same number; order (B,) int64: of pairs, whether the second text
    follows the first."""

    batch: Batch
    chosen: Chosen
    labels: Tensor
    units: Tensor | None = None
    order: Tensor | None = None

    def to(self, device: torch.device | str) -> Asked:
        moved = [None if t is None else t.to(device, non_blocking=True) for t in (self.labels, self.units, self.order)]
        assert moved[0] is not None
        chosen = Chosen(self.chosen.tokens.to(device, non_blocking=True), self.chosen.counts)
        return Asked(self.batch.to(device), chosen, moved[0], moved[1], moved[2])


class PretrainingObjective(Part):
    """Settings, the questions and the loss."""

    head: ClassVar[str]  #: the network that it trains, a name in the family's HEADS

    format: Choice[Format] = Field(DocSentences(), description="how sequences are cut out of documents")

    @abstractmethod
    def ask(
        self,
        pieces: Pieces,
        segments: np.ndarray,
        order: np.ndarray | None,
        vocabulary: Vocabulary,
        draw: Draw,
        progress: float,
    ) -> Asked:
        """The questions on some sequences. segments (N,) int64; order (B,) int64, the labels of pairs; progress: the
        share of the training that is behind."""

    @abstractmethod
    def build(self, network: nn.Module) -> Objective:
        """The module whose forward takes `Asked`. network: the family's `head`. It may hold parts of its own, which are
        trained and not saved with the model."""


class Masks(PretrainingObjective):
    """An objective that asks for masked pieces."""

    masking: Choice[Masking] = Field(Token(), description="which pieces are asked for, and what stands in their place")
    z: float = Field(0.0, ge=0, description="weight of (log sum exp)^2, which keeps scores from drifting")

    def ask(
        self,
        pieces: Pieces,
        segments: np.ndarray,
        order: np.ndarray | None,
        vocabulary: Vocabulary,
        draw: Draw,
        progress: float,
    ) -> Asked:
        masked = self.masking.apply(pieces, vocabulary, draw, progress)
        counts = np.bincount(pieces.owner[masked.chosen], minlength=len(pieces))
        batch = Batch.packed(torch.from_numpy(masked.ids), pieces.lengths.tolist(), torch.from_numpy(segments))
        return Asked(
            batch,
            Chosen(torch.from_numpy(masked.chosen), tuple(counts.tolist())),
            torch.from_numpy(masked.labels),
            torch.from_numpy(masked.units),
            None if order is None else torch.from_numpy(order),
        )


def with_first(batch: Batch, chosen: Chosen) -> tuple[Chosen, Tensor, Tensor]:
    """The chosen pieces and the first of each sequence together, none twice, so that one pass serves words and pairs;
    and where the chosen (M,) and the first (B,) stand among them. A special piece such as the first is never chosen."""
    tokens, places = torch.cat([batch.first.tokens, chosen.tokens]).sort()
    where = torch.empty_like(places)
    where[places] = torch.arange(len(places), device=places.device)
    counts = tuple(count + 1 for count in chosen.counts)
    return Chosen(tokens, counts), where[len(batch) :], where[: len(batch)]


def facts(**sums: Any) -> dict[str, float]:
    """Sums over items, for the log."""
    return {name: float(value) for name, value in sums.items()}
