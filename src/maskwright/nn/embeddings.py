"""word + position + segment, normalised (Devlin et al. 2019, figure 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from maskwright.base.errors import UserError
from maskwright.nn.batch import Batch
from maskwright.nn.dropout import Dropout
from maskwright.nn.linear import Linear
from maskwright.nn.lookup import Lookup


class Embeddings(nn.Module):
    """(N,) ids, positions and segments -> (N, E). Raises UserError for a sequence that is longer than the positions.

    positions, segments: rows of their tables; a table of 0 rows is left out with its term, and one segment is that of
    all tokens, since it tells none apart. start: the row of the first token's position.
    """

    def __init__(
        self, words: int, positions: int, segments: int, width: int, norm: nn.Module, dropout: float, start: int = 0
    ) -> None:
        super().__init__()
        self.word = Lookup(words, width)
        self.position = Lookup(positions, width) if positions else None
        self.segment = Lookup(segments, width) if segments else None
        self.norm = norm
        self.drop = Dropout(dropout)
        self.start = start

    @property
    def limit(self) -> int | None:
        """How many tokens a sequence may have; None where no table of positions ends."""
        return None if self.position is None else len(self.position.weight) - self.start

    def forward(self, batch: Batch) -> Tensor:
        x: Tensor = self.drop(self.norm(self.total(batch, self.word(batch.ids))))
        return x

    def total(self, batch: Batch, words: Tensor) -> Tensor:
        """words (N, E) with what else there is added."""
        if self.position is not None:
            check_length(batch, self.limit or 0)
            places = batch.positions + self.start if self.start else batch.positions
            words = words + self.position(places)
        if self.segment is not None:
            one = len(self.segment.weight) == 1
            words = words + self.segment(torch.zeros_like(batch.segments) if one else batch.segments)
        return words


class Projected(nn.Module):
    """Embeddings of a width E of their own, and a product that takes them to the blocks' width H (Lan et al. 2020,
    section 3.1)."""

    def __init__(self, embeddings: Embeddings, width: int, bias: bool = True) -> None:
        super().__init__()
        self.table = embeddings
        self.project = Linear(embeddings.word.weight.shape[1], width, bias=bias)

    @property
    def word(self) -> Lookup:
        return self.table.word

    @property
    def limit(self) -> int | None:
        return self.table.limit

    def forward(self, batch: Batch) -> Tensor:
        """(N,) -> (N, H)."""
        x: Tensor = self.project(self.table(batch))
        return x


def check_length(batch: Batch, positions: int) -> None:
    """Raises UserError for a sequence that is longer than `positions`."""
    longest = max(batch.lengths, default=0)
    if longest > positions:
        raise UserError(
            f"A sequence has {longest:,} tokens, but the encoder has {positions:,} positions. Cut it to at most that, "
            f"for example by Tokenizer.encode(texts, max_length={positions}), or build a longer table: "
            "--positions interpolate, tile or extend."
        )
