"""What stands on an encoder: BERT's pooler and the heads of its objectives and tasks (Devlin et al. 2019, 3.1, 4.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from maskwright.nn.activations import Activation
from maskwright.nn.dropout import Dropout
from maskwright.nn.linear import Linear, linear


class Pooler(nn.Module):
    """tanh(W h_[CLS]): (B, H) -> (B, H)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = Linear(width, width, torch.tanh)

    def forward(self, first: Tensor) -> Tensor:
        y: Tensor = self.dense(first)
        return y


class Classifier(nn.Module):
    """W drop(x) + b: (B, H) -> (B, classes).

    A single output is a number in any unit, and computed in the weights' own format under autocast too: of the years
    from 1990 to 2020 bf16 knows four.
    """

    def __init__(self, width: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.drop = Dropout(dropout)
        self.out = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(x)
        if self.out.out_features > 1:
            y: Tensor = self.out(x)
            return y
        with torch.autocast(x.device.type, enabled=False):
            number: Tensor = self.out(x.to(self.out.weight.dtype))
            return number


class MaskedLanguageModel(nn.Module):
    """norm(act(W h)) E^T + b over the vocabulary, E being the encoder's own word vectors (the decoder is tied)."""

    def __init__(self, width: int, words: int, activation: Activation, norm: nn.Module) -> None:
        super().__init__()
        self.dense = Linear(width, width, activation)
        self.norm = norm
        self.bias = nn.Parameter(torch.zeros(words))

    def forward(self, states: Tensor, words: Tensor) -> Tensor:
        """states: (M, H) of the scored positions; words: (V, H) -> (M, V)."""
        return linear(self.norm(self.dense(states)), words, self.bias)
