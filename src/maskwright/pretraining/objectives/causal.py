"""The next piece from those before it (Radford et al. 2018, section 3.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from maskwright.base.errors import UserError
from maskwright.models._family import name_of
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.cross_entropy import cross_entropy
from maskwright.pretraining.masking import Draw, Pieces, Vocabulary
from maskwright.pretraining.objectives._objective import Asked, PretrainingObjective, facts, packed
from maskwright.training.objective import Objective


class Causal(PretrainingObjective):
    """-log p(x_{i+1} | x_1 ... x_i), summed over all pieces but the last of each sequence. Attention looks at nothing
    that comes later, in a network that otherwise looks both ways too."""

    head: ClassVar[str] = "masked-lm"
    learns: ClassVar[str] = "naming each piece from those before it"

    z: float = Field(0.0, ge=0, description="weight of (log sum exp)^2, which keeps scores from drifting")

    def ask(self, pieces: Pieces, vocabulary: Vocabulary, draw: Draw, progress: float) -> Asked:
        asks = np.ones(len(pieces.ids), bool)
        asks[pieces.offsets[1:] - 1] = False
        chosen = np.flatnonzero(asks)
        batch = packed(pieces)
        counts = tuple((pieces.lengths - 1).tolist())
        labels = torch.from_numpy(pieces.ids[chosen + 1])
        return Asked(replace(batch, causal=True), Chosen(torch.from_numpy(chosen), counts), labels)

    def questions(self) -> Causal:
        return Causal()

    def speaks(self, built: Any) -> None:
        """It names the next word, never a masked one."""

    @property
    def spoken(self) -> Literal["at", "before", "none"]:
        return "none"

    def answers(self, built: Any) -> Objective:
        return NextWords(built.network)

    def outside(self, kind: Any) -> str:
        return (
            "It is trained to look left alone, which the class that its config names does not do in the transformers "
            "library: use it there as an encoder to train further, not to continue texts."
        )

    def build(self, network: nn.Module, kind: Any, config: Any) -> Objective:
        if sees_later(network):
            raise UserError(
                f"In the family {name_of(kind)!r} a piece sees what comes later by other ways than attention (a "
                "convolution, or its neighbours' embeddings), so that it would know the next piece. Take another."
            )
        return NextWords(network, self.z)


class NextWords(Objective):
    """Scores at every piece that has one behind it."""

    def __init__(self, network: nn.Module, z: float = 0.0) -> None:
        super().__init__()
        self.network, self.z = network, z

    def forward(self, asked: Asked) -> tuple[Tensor, int, dict[str, float]]:
        x, vectors, bias = self.network.before(asked.batch, asked.chosen)
        loss, words, right, _ = cross_entropy(x, vectors, bias, asked.labels, self.z)
        return loss, len(asked.labels), facts(words=words, accuracy=right.sum())


@torch.no_grad()
def sees_later(network: Any) -> bool:
    """Whether, in a causal batch, the last piece of a text moves the states of those before it."""
    training = network.training
    network.eval()
    device = network.encoder.embeddings.word.weight.device
    states = [
        network.encoder(replace(Batch.packed(torch.tensor([5, 6, 7, last], device=device), [4]), causal=True))[:3]
        for last in (8, 9)
    ]
    network.train(training)
    return bool((states[0] - states[1]).abs().max() > 1e-6 * states[0].abs().max())
