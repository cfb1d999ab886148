"""An arm: a left-to-right and a right-to-left encoder side by side, their states joined at the end.

The shallow way to two directions that Devlin et al. 2019 (section 5.1) set BERT against: no layer of either side sees
the other, and it costs both.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from maskwright.models import bert
from maskwright.models._family import Changes, Preset
from maskwright.models._heads import Mean, Tokens, Words
from maskwright.nn.activations import activation
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.encoder import Encoder
from maskwright.nn.heads import Classifier, MaskedLanguageModel
from maskwright.nn.pattern import LEFT, RIGHT


class Config(bert.Config):
    """BERT's sizes, of each side."""


class SideBySide(nn.Module):
    """[left(x); right(x)]: (N, 2H). What an `Encoder` gives, of two."""

    def __init__(self, left: Encoder, right: Encoder) -> None:
        super().__init__()
        self.left, self.right = left, right
        self.width = left.width + right.width

    @property
    def limit(self) -> int | None:
        return self.left.limit

    @property
    def embeddings(self) -> nn.Module:
        return self.left.embeddings

    def forward(self, batch: Batch, chosen: Chosen | None = None) -> Tensor:
        return torch.cat([side(batch, chosen) for side in (self.left, self.right)], -1)

    def attentions(self, batch: Batch) -> Iterator[list[Tensor]]:
        """Of each layer (2A, T, T) of each sequence: the left side's attention heads, then the right side's."""
        for sides in zip(self.left.attentions(batch), self.right.attentions(batch), strict=True):
            yield [torch.cat(pair) for pair in zip(*sides, strict=True)]

    def states(self, batch: Batch) -> list[Tensor]:
        return [torch.cat(pair, -1) for pair in zip(self.left.states(batch), self.right.states(batch), strict=True)]


def build(config: Config) -> SideBySide:
    """Both encoders, with random weights."""
    return SideBySide(bert.build(config, pattern=LEFT), bert.build(config, pattern=RIGHT))


def masked_lm(config: Config, classes: int) -> nn.Module:
    """From both sides' states to one word vector, of the left side's table."""
    norm = nn.LayerNorm(config.width, eps=config.eps)
    act = activation(config.activation)
    return MaskedLanguageModel(2 * config.width, config.width, config.vocabulary, act, norm)


def classifier(config: Config, classes: int) -> nn.Module:
    return Classifier(2 * config.width, classes, bert.rate(config))


def ends(config: Config, classes: int) -> nn.Module:
    return nn.Linear(2 * config.width, 2)


HEADS = {
    "bare": Mean.of("TwoDirections"),
    "masked-lm": Words.of("TwoDirectionsMaskedLM", masked_lm=masked_lm),
    "classification": Mean.of("TwoDirectionsClassification", classifier=classifier),
    "token-classification": Tokens.of("TwoDirectionsTokens", classifier=classifier),
    "question-answering": Tokens.of("TwoDirectionsAnswers", ends=ends),
}

PRESETS = {"base": Preset(Config(), "Devlin et al. 2019, section 5.1: two of BERT-base")}

CHANGES = Changes(
    "2018-10",
    "Devlin et al., BERT, section 5.1: two encoders, joined at the end",
    attention="one encoder sees what stands before, one what follows; their states are joined | SideBySide",
    parent="left-to-right",
)
