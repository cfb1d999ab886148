"""An arm: the Transformer as it was first published, an encoder and a decoder that looks at it (Vaswani et al. 2017).

The encoder alone is a family like the others (`bare`); `sequence-to-sequence` is the whole. Positions are sines and
cosines; one table of word vectors, scaled by sqrt(H), serves both sides and the output.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from maskwright.models import bert
from maskwright.models._family import Changes, Preset
from maskwright.models._heads import First, Head
from maskwright.models._sizes import Sizes
from maskwright.nn.activations import activation
from maskwright.nn.batch import Batch
from maskwright.nn.block import FeedForward
from maskwright.nn.cross import DecoderBlock
from maskwright.nn.dropout import Dropout
from maskwright.nn.encoder import Encoder
from maskwright.nn.linear import linear
from maskwright.nn.lookup import Lookup


class Config(Sizes):
    """Sizes and numerics; the defaults are the paper's base model."""

    vocabulary: int = 37000
    width: int = 512
    layers: int = 6  #: on either side
    heads: int = 8
    inner: int = 2048
    activation: str = "relu"
    dropout: float = 0.1
    attention_dropout: float = 0.0
    eps: float = 1e-5


class SineEmbeddings(nn.Module):
    """drop(sqrt(H) E[id] + PE), PE(p, 2i) = sin(p / 10000^(2i / H)), PE(p, 2i + 1) = cos of the same (section 3.5)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.word, self.drop = Lookup(config.vocabulary, config.width), Dropout(config.dropout)

    def forward(self, batch: Batch) -> Tensor:
        width = self.word.weight.shape[1]
        steps = 10000 ** (-torch.arange(0, width, 2, device=batch.ids.device).float() / width)
        angles = batch.positions[:, None].float() * steps
        waves = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :width]
        x: Tensor = self.drop(math.sqrt(width) * self.word(batch.ids) + waves)
        return x


def build(config: Config) -> Encoder:
    """The encoder, with random weights."""
    return Encoder(SineEmbeddings(config), [bert.block(config) for _ in range(config.layers)], config.width)


class Decoder(nn.Module):
    """(N, H) of the target, from its word vectors and the encoder's states of the source."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(self._block(config) for _ in range(config.layers))

    def _block(self, config: Config) -> nn.Module:
        feedforward = FeedForward(config.width, config.inner, activation(config.activation))
        norms: list[nn.Module] = [nn.LayerNorm(config.width, eps=config.eps) for _ in range(3)]
        return DecoderBlock(config.width, config.heads, feedforward, norms, (config.attention_dropout, config.dropout))

    def forward(self, x: Tensor, target: Batch, memory: Tensor, source: Batch) -> Tensor:
        for block in self.blocks:
            x = block(x, target, memory, source)
        return x


def decoder(config: Config, classes: int) -> nn.Module:
    return Decoder(config)


class SequenceToSequence(Head):
    """Scores (N, V) of the token after each of the target's, by what stands up to it and by all of the source."""

    def forward(self, source: Batch, target: Batch | None = None) -> Tensor:
        """Without a target the source is repeated: an auto-encoder."""
        target = source if target is None else target
        memory = self.encoder(source)
        states = self.decoder(self.encoder.embeddings(target), target, memory, source)
        return linear(states, self.encoder.embeddings.word.weight)

    def products(self, rows: int) -> int:
        """Operations of the scores over the vocabulary."""
        return 2 * rows * self.encoder.embeddings.word.weight.numel()


HEADS = {
    "bare": First.of("TransformerEncoder"),
    "sequence-to-sequence": SequenceToSequence.of("Transformer", decoder=decoder),
}

PRESETS = {
    "base": Preset(
        Config(), "Vaswani et al. 2017, table 3", "65", "sequence-to-sequence", note="its vocabulary is about 37,000"
    ),
    "big": Preset(
        Config(width=1024, heads=16, inner=4096, dropout=0.3), "Vaswani et al. 2017, table 3", "213",
        "sequence-to-sequence", note="its vocabulary is about 37,000",
    ),
}  # fmt: skip

CHANGES = Changes(
    "2017-06",
    "Vaswani et al., Attention Is All You Need",
    embedding="word + sines and cosines | SineEmbeddings",
    attention="an encoder that sees all; a decoder that sees what stands before and all of the source | Decoder",
    block="ReLU",
    objective="the next word of a translation | SequenceToSequence",
    sharing="one table of word vectors for source, target and output | SequenceToSequence",
    parent="",
)
