"""word + position + segment, normalised (Devlin et al. 2019, figure 2)."""

from __future__ import annotations

from torch import Tensor, nn

from maskwright.base.errors import UserError
from maskwright.nn.batch import Batch
from maskwright.nn.dropout import Dropout
from maskwright.nn.lookup import Lookup


class Embeddings(nn.Module):
    """(N,) ids, positions and segments -> (N, H). Raises UserError for a sequence that is longer than the positions."""

    def __init__(self, words: int, positions: int, segments: int, width: int, norm: nn.Module, dropout: float) -> None:
        super().__init__()
        self.word = Lookup(words, width)
        self.position = Lookup(positions, width)
        self.segment = Lookup(segments, width)
        self.norm = norm
        self.drop = Dropout(dropout)

    def forward(self, batch: Batch) -> Tensor:
        longest, positions = max(batch.lengths, default=0), len(self.position.weight)
        if longest > positions:
            raise UserError(
                f"A sequence has {longest:,} tokens, but the encoder has {positions:,} positions. Cut it to at most "
                f"that, for example by Tokenizer.encode(texts, max_length={positions})."
            )
        x = self.word(batch.ids) + self.position(batch.positions) + self.segment(batch.segments)
        x = self.drop(self.norm(x))
        return x
