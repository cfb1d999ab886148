"""Masked language modelling (Devlin et al. 2019, section 3.1)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from maskwright.nn.batch import Chosen
from maskwright.nn.cross_entropy import cross_entropy
from maskwright.pretraining.objectives._objective import Asked, Masks, facts
from maskwright.training.objective import Objective


class Mlm(Masks):
    """-log p(what stood there | the masked text), summed over the masked pieces."""

    head: ClassVar[str] = "masked-lm"
    learns: ClassVar[str] = "masked language modelling"

    shift: bool = Field(
        False,
        description="read the answer from the piece before the masked one, as next words are (masked next-token "
        "prediction, Charpentier and Samuel 2024, section 2.2)",
    )

    @property
    def learnt(self) -> str:
        return super().learnt + ", each masked piece from the one before it" * self.shift

    @property
    def spoken(self) -> Literal["at", "before", "none"]:
        return "before" if self.shift else "at"

    def build(self, network: nn.Module, kind: Any, config: Any) -> Objective:
        return MaskedWords(network, self.z, self.shift)

    def answers(self, built: Any) -> Objective:
        return MaskedWords(built.network, shift=self.shift)

    def outside(self, kind: Any) -> str:
        if not self.shift:
            return ""
        return (
            "It is trained to name a masked piece from the state before it, which the transformers library does not "
            "do: there its fill-mask answers are off by one place."
        )


class MaskedWords(Objective):
    """Scores at the masked pieces alone, a portion of them at a time."""

    def __init__(self, network: nn.Module, z: float = 0.0, shift: bool = False) -> None:
        super().__init__()
        self.network, self.z, self.shift = network, z, shift

    def forward(self, asked: Asked) -> tuple[Tensor, int, dict[str, float]]:
        chosen = asked.chosen  # [CLS] is never masked, so that there is a piece before each
        read = Chosen(chosen.tokens - 1, chosen.counts) if self.shift else chosen
        x, vectors, bias = self.network.before(asked.batch, read)
        loss, words, right, _ = cross_entropy(x, vectors, bias, asked.labels, self.z)
        return loss, len(asked.labels), facts(words=words, accuracy=right.sum())
