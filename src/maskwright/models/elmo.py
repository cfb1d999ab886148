"""An arm: a language model of LSTMs in both directions, and the weighted sum of its layers (Peters et al. 2018, 3).

As in the paper: projected LSTMs with a residual connection between layers, token vectors and softmax shared by both
directions. Its token vectors are those of pieces; the paper's come from a convolution over characters, for words.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from maskwright.models._family import Changes, Preset
from maskwright.models._heads import Head, Mean, Tokens
from maskwright.models._sizes import Sizes
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.dropout import Dropout
from maskwright.nn.heads import Classifier
from maskwright.nn.linear import linear
from maskwright.nn.lookup import Lookup
from maskwright.nn.recurrent import over_sequences


class Config(Sizes):
    """The defaults are the paper's: 4,096 cells projected to 512 numbers, two layers. Heads and positions there are
    none, and `inner` is the number of cells."""

    width: int = 512
    layers: int = 2
    heads: int = 1
    inner: int = 4096
    dropout: float = 0.1


class Words(nn.Module):
    """(N,) ids -> (N, H)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.word, self.drop = Lookup(config.vocabulary, config.width), Dropout(config.dropout)

    def forward(self, batch: Batch) -> Tensor:
        x: Tensor = self.drop(self.word(batch.ids))
        return x


class Direction(nn.Module):
    """LSTMs from left to right; from right to left they read each sequence turned round."""

    def __init__(self, config: Config, backward: bool) -> None:
        super().__init__()
        self.backward = backward
        projected = config.width if config.width < config.inner else 0
        sizes = config.width, config.inner if projected else config.width
        self.layers = nn.ModuleList(nn.LSTM(*sizes, proj_size=projected) for _ in range(config.layers))
        self.drop = Dropout(config.dropout)

    def forward(self, x: Tensor, batch: Batch) -> list[Tensor]:
        """(N, H) -> of each layer (N, H)."""
        turn = _turned(batch) if self.backward else torch.arange(len(x), device=x.device)
        x, found = x.index_select(0, turn), []
        for i, lstm in enumerate(self.layers):
            y = over_sequences(lstm, self.drop(x), batch)
            x = y + x if i else y
            found.append(x.index_select(0, turn))
        return found


def _turned(batch: Batch) -> Tensor:
    """(N,) of each place the token that stands there when every sequence is turned round; padding stays."""
    counts = batch.ids.new_tensor(batch.lengths) if batch.real is None else batch.real.view(len(batch), -1).sum(1)
    first, count = batch.offsets[:-1][batch.sequence], counts[batch.sequence]
    turned = first + count - 1 - batch.positions
    return torch.where(batch.positions < count, turned, first + batch.positions)


class BiLM(nn.Module):
    """gamma * sum_j s_j [forward h_j; backward h_j], s = softmax(w), over the token vectors and all layers: (N, 2H)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.embeddings = Words(config)
        self.ahead, self.back = Direction(config, backward=False), Direction(config, backward=True)
        self.mix, self.gamma = nn.Parameter(torch.zeros(config.layers + 1)), nn.Parameter(torch.ones(1))
        self.width, self.limit = 2 * config.width, None

    def forward(self, batch: Batch, chosen: Chosen | None = None) -> Tensor:
        shares = self.mix.softmax(0)
        mixed = self.gamma * sum(share * h for share, h in zip(shares, self.states(batch), strict=True))
        return mixed if chosen is None else mixed.index_select(0, chosen.tokens)

    def states(self, batch: Batch) -> list[Tensor]:
        """Layer 0, the token vector twice, and each layer's two directions: L + 1 of (N, 2H)."""
        x = self.embeddings(batch)
        pairs = [(x, x), *zip(self.ahead(x, batch), self.back(x, batch), strict=True)]
        return [torch.cat(pair, -1) for pair in pairs]


def build(config: Config) -> BiLM:
    """The encoder, with random weights."""
    return BiLM(config)


def draw(config: Config, name: str, tensor: Tensor) -> None:
    """LSTMs uniformly by their width, vectors normally, the mixture even."""
    if ".layers." in name:
        nn.init.uniform_(tensor, -(config.width**-0.5), config.width**-0.5)
    elif tensor.dim() > 1:
        nn.init.normal_(tensor, std=config.initial_std)
    else:
        nn.init.constant_(tensor, 1.0 if name.endswith(("gamma", "weight")) else 0.0)


class NextAndPrevious(Head):
    """Scores (N, V) of the token after each, by what stands up to it, and of the one before, by what stands from it."""

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        top = self.encoder.states(batch)[-1]
        words = self.encoder.embeddings.word.weight
        ahead, back = (linear(side, words, self.words.bias) for side in top.chunk(2, -1))
        return ahead, back

    def products(self, rows: int) -> int:
        """Operations of the scores over the vocabulary, in both directions."""
        return 2 * 2 * rows * self.encoder.embeddings.word.weight.numel()


class Bias(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(size))


def words(config: Config, classes: int) -> nn.Module:
    return Bias(config.vocabulary)


def classifier(config: Config, classes: int) -> nn.Module:
    return Classifier(2 * config.width, classes, config.dropout)


HEADS = {
    "bare": Mean.of("ELMo"),
    "language-model": NextAndPrevious.of("ELMoLanguageModel", words=words),
    "classification": Mean.of("ELMoClassification", classifier=classifier),
    "token-classification": Tokens.of("ELMoTokens", classifier=classifier),
}

PRESETS = {
    "base": Preset(
        Config(),
        'Peters et al. 2018, section 3; allenai.org, ELMo "original"',
        "93.6",
        note="the paper's token vectors come from characters; here 15.6 million are vectors of pieces",
    )
}

CHANGES = Changes(
    "2018-02",
    "Peters et al., Deep contextualized word representations",
    embedding="a token's vector alone | Words",
    attention="none: LSTMs in each direction, which meet in a sum of all layers | BiLM",
    block="a projected LSTM; its input is added | Direction",
    objective="the next word, and the one before | NextAndPrevious",
    sharing="both directions share word vectors and softmax | NextAndPrevious",
    parent="",
)
