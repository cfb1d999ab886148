"""Masked language modelling (Devlin et al. 2019, section 3.1)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from maskwright.nn.cross_entropy import cross_entropy
from maskwright.pretraining.objectives._objective import Asked, Masks, facts
from maskwright.training.objective import Objective


class Mlm(Masks):
    """-log p(what stood there | the masked text), summed over the masked pieces."""

    head: ClassVar[str] = "masked-lm"

    def build(self, network: nn.Module) -> Objective:
        return MaskedWords(network, self.z)


class MaskedWords(Objective):
    """Scores at the masked pieces alone, a portion of them at a time."""

    def __init__(self, network: nn.Module, z: float = 0.0) -> None:
        super().__init__()
        self.network, self.z = network, z

    def forward(self, asked: Asked) -> tuple[Tensor, int, dict[str, float]]:
        x, vectors, bias = self.network.before(asked.batch, asked.chosen)
        loss, words, hits = cross_entropy(x, vectors, bias, asked.labels, self.z)
        return loss, len(asked.labels), facts(words=words, accuracy=hits)
