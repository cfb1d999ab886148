"""What stands on an encoder: BERT's pooler and the heads of its objectives and tasks (Devlin et al. 2019, 3.1, 4.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from maskwright.nn.activations import Activation
from maskwright.nn.dropout import Dropout
from maskwright.nn.linear import Linear, linear


class Pooler(nn.Module):
    """act(W drop(h_[CLS])): (B, H) -> (B, H); in BERT tanh, without dropout."""

    def __init__(self, width: int, activation: Activation = torch.tanh, dropout: float = 0.0) -> None:
        super().__init__()
        self.drop = Dropout(dropout)
        self.dense = Linear(width, width, activation)

    def forward(self, first: Tensor) -> Tensor:
        y: Tensor = self.dense(self.drop(first))
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


class DenseClassifier(nn.Module):
    """W_out drop(act(W drop(x))) + b: a classifier that brings the layer that others have in a pooler."""

    def __init__(self, width: int, classes: int, activation: Activation, dropout: float, first: float) -> None:
        """first: the rate before the dense layer."""
        super().__init__()
        self.first = Dropout(first)
        self.dense = Linear(width, width, activation)
        self.last = Classifier(width, classes, dropout)

    @property
    def out(self) -> nn.Linear:
        return self.last.out

    def forward(self, x: Tensor) -> Tensor:
        """(B, H) -> (B, classes)."""
        y: Tensor = self.last(self.dense(self.first(x)))
        return y


class MaskedLanguageModel(nn.Module):
    """norm(act(W h)) E^T + b over the vocabulary, E being the encoder's own word vectors (the decoder is tied)."""

    def __init__(
        self,
        width: int,
        out: int,
        words: int,
        activation: Activation,
        norm: nn.Module,
        dense_bias: bool = True,
        bias: bool = True,
    ) -> None:
        """out: the width of the word vectors."""
        super().__init__()
        self.dense = Linear(width, out, activation, bias=dense_bias)
        self.norm, self.words_count = norm, words
        self.bias = nn.Parameter(torch.zeros(words)) if bias else None

    def forward(self, states: Tensor, words: Tensor) -> Tensor:
        """states: (M, H) of the scored positions; words: (V, E) -> (M, V)."""
        return linear(*self.before(states, words))

    def before(self, states: Tensor, words: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """What the last product is of: (M, E), the vectors (V, E) and the bias. A loss takes it in portions
        (`nn.cross_entropy`)."""
        return self.norm(self.dense(states)), words, self.bias

    def products(self, rows: int) -> int:
        """Floating-point operations with the word vectors, which stand elsewhere."""
        return 2 * rows * self.words_count * self.dense.out_features
