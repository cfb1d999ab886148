"""What stands on an encoder: BERT's pooler and the heads of its objectives and tasks (Devlin et al. 2019, 3.1, 4.1)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from maskwright.nn.block import Activation
from maskwright.nn.dropout import Dropout


class Pooler(nn.Module):
    """tanh(W h_[CLS]): (B, H) -> (B, H)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)

    def forward(self, first: Tensor) -> Tensor:
        y: Tensor = self.dense(first).tanh()
        return y


class Classifier(nn.Module):
    """W drop(x): (B, H) -> (B, classes)."""

    def __init__(self, width: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.drop = Dropout(dropout)
        self.out = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.out(self.drop(x))
        return y


class MaskedLanguageModel(nn.Module):
    """norm(act(W h)) E^T + b over the vocabulary, E the encoder's own word vectors (the decoder is tied).

    (M, H) hidden states of the scored positions -> (M, V).
    """

    def __init__(self, width: int, words: nn.Parameter, activation: Activation, norm: nn.Module) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.activation, self.norm = activation, norm
        self.bias = nn.Parameter(words.new_zeros(len(words)))
        self._words = [words]  # in a list: the parameter belongs to the embeddings and is saved there

    def forward(self, states: Tensor, words: Tensor | None = None) -> Tensor:
        h = self.norm(self.activation(self.dense(states)))
        return F.linear(h, self._words[0] if words is None else words, self.bias)
