"""Masked words, and whether the second text follows the first (Devlin et al. 2019, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from maskwright.base.choice import Choice
from maskwright.base.errors import UserError
from maskwright.models._family import name_of
from maskwright.nn.cross_entropy import cross_entropy
from maskwright.pretraining.formats import Format
from maskwright.pretraining.formats.segment_pair import SegmentPair
from maskwright.pretraining.objectives._objective import Asked, Masks, facts, reading
from maskwright.training.objective import Objective


class NextSentence(Masks):
    """The mean loss of the masked words plus the mean loss of the pairs, as BERT was trained. With the format
    sentence-order it is ALBERT's second task (Lan et al. 2020, section 3.1), with sentence-pair one of RoBERTa's
    arms."""

    head: ClassVar[str] = "pretraining"
    adds: ClassVar[str] = "order"
    learns: ClassVar[str] = "masked language modelling and whether the second text of a pair follows the first"

    format: Choice[Format] = Field(SegmentPair(), description="how pairs are cut out of documents")

    @model_validator(mode="after")
    def _there_are_pairs(self) -> NextSentence:
        if not self.format.pairs:
            raise ValueError(f"format = {self.format.name}: it has no pairs, whose order is asked for")
        return self

    def head_of(self, kind: Any) -> str:
        found = super().head_of(kind)
        if "next_sentence" not in kind.HEADS[found].parts:
            raise UserError(
                f"The objective {self.name!r} asks for the order of a pair, which the family {name_of(kind)!r} has no "
                "layer for. Take bert or albert, or another objective."
            )
        return found

    def explained(self, figures: Mapping[str, Any]) -> list[str]:
        if "order" not in figures:
            return ["No pairs can be made of the held-out text, so that nothing is said of their order."]
        order = figures["order"]
        reach = "" if order["low"] is None else f" ({order['low']:.1%} to {order['high']:.1%})"
        return [f"Of {order['value']:.1%} of the held-out pairs{reach} it tells the order, chance being 50 %."]

    def build(self, network: nn.Module, kind: Any, config: Any) -> Objective:
        return WordsAndPairs(network, self.z)


class WordsAndPairs(Objective):
    """words / M + pairs / B is what descends, of M words and B pairs of the whole step; times M it is a sum over the
    words, which the loop divides by M."""

    def __init__(self, network: nn.Module, z: float = 0.0) -> None:
        super().__init__()
        self.network, self.z = network, z

    def counts(self, asked: Asked) -> dict[str, int]:
        return {"words": len(asked.labels), "pairs": len(asked.batch)}

    def told(self, asked: Asked) -> tuple[float, float]:
        """Of some pairs: whose order is told rightly, and all."""
        assert asked.order is not None
        network, first = self.network, asked.batch.first
        scores = network.next_sentence(network.pooler(network.encoder(asked.batch, first)))
        return float((scores.argmax(-1) == asked.order).sum()), len(asked.order)

    def forward(self, asked: Asked) -> tuple[Tensor, int, dict[str, float]]:
        assert asked.order is not None
        network, step = self.network, self.of_step(asked)
        words_per_pair = step["words"] / step["pairs"]
        read, (masked, first) = reading(asked.batch, asked.chosen.tokens, asked.batch.first.tokens)
        states = network.encoder(asked.batch, read)
        x, vectors, bias = network.masked_lm.before(states[masked], network.encoder.embeddings.word.weight)
        loss, words, hit, _ = cross_entropy(x, vectors, bias, asked.labels, self.z)
        scores = network.next_sentence(network.pooler(states[first])).float()
        pairs = F.cross_entropy(scores, asked.order, reduction="sum") * words_per_pair
        right = (scores.argmax(-1) == asked.order).sum() * words_per_pair
        said = facts(words=words, accuracy=hit.sum(), pairs=pairs.detach(), pairs_accuracy=right)
        return loss + pairs, len(asked.labels), said
