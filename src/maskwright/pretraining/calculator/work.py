"""Floating-point operations of a training, from the shapes of its network.

A product of (N, H) with (H, O) is 2 N H O forward; backward two of the same size, for its input and its weight.
Attention between T tokens is 4 T^2 H forward in each layer, and twice that backward. Whatever is no matrix product is
left out: a hundredth of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import mean
from typing import Any

import torch
from torch import nn

from maskwright.base.errors import UserError
from maskwright.models._flops import asks_less, between_tokens, flops
from maskwright.pretraining.objectives import PretrainingObjective
from maskwright.pretraining.objectives.causal import Causal
from maskwright.pretraining.objectives.mlm import Mlm
from maskwright.pretraining.objectives.next_sentence import NextSentence
from maskwright.pretraining.objectives.replaced_tokens import ReplacedTokens, share, table_of
from maskwright.training.optimizers._stacks import stacks
from maskwright.training.optimizers.muon import Muon

BACKWARD = 2  #: times forward
BETWEEN = "attention between tokens"


@dataclass(frozen=True)
class Trained:
    """A network that a step runs. masked: whether its head reads the masked tokens alone, or every one; more: tokens of
    a text beside them whose states are read."""

    name: str
    network: Any
    masked: bool
    more: int = 0


@dataclass(frozen=True)
class Question:
    """What an objective asks of a text. rate: the share of its pieces that is masked; 1 where nothing is."""

    objective: PretrainingObjective
    rate: float

    def masked(self, length: int) -> int:
        """Masked pieces of a text; special ones, [CLS] and one [SEP] a segment, are never."""
        if isinstance(self.objective, Causal):
            return length - 1
        return max(1, round(self.rate * (length - (3 if self.objective.format.pairs else 2))))

    def scored(self, length: int) -> int:
        """Pieces of a text whose loss is taken."""
        return length if isinstance(self.objective, ReplacedTokens) else self.masked(length)


def question(objective: PretrainingObjective, rate: float | None) -> Question:
    """Raises UserError for an objective whose operations are not known here, and for a rate where nothing is masked."""
    known = {"mlm": Mlm, "next-sentence": NextSentence, "causal": Causal, "replaced-tokens": ReplacedTokens}
    if not isinstance(objective, tuple(known.values())):
        raise UserError(
            f"The operations of the objective {objective.name!r} are not known here. Known: {', '.join(known)}, "
            "sentence-order. Plan the nearest of them; the encoder is nearly all of it."
        )
    masking: Any = getattr(objective, "masking", None)
    if masking is None:
        if rate is not None:
            raise UserError(f"rate = {rate}: the objective {objective.name!r} masks nothing. Leave the rate away.")
        return Question(objective, 1.0)
    usual = mean(masking.rate.at(i / 100) for i in range(101))  # a rate may move
    return Question(objective, usual if rate is None else rate)


def trained(kind: Any, config: Any, objective: PretrainingObjective) -> list[Trained]:
    """The networks of a step, without weights; the model that comes out last."""
    with torch.device("meta"):
        network = _network(kind, config, objective.head_of(kind))
        if isinstance(objective, ReplacedTokens):
            generator = _network(kind, objective.smaller(config), "masked-lm")
            if objective.sharing != "none":
                share(table_of(network), table_of(generator), objective.sharing)
            return [Trained("generator", generator, True), Trained("discriminator", network, False)]
    return [Trained("", network, True, more=int(isinstance(objective, NextSentence)))]


def _network(kind: Any, config: Any, head: str) -> Any:
    """As `random_network`, but nothing is drawn."""
    return kind.HEADS[head](config, kind.build(config), 2)


def forward(networks: list[Trained], asked: Question, length: int, every: bool = False) -> dict[str, int]:
    """Of one text, by part. every: the states of all tokens are read, as a dense implementation does."""
    total: Counter[str] = Counter()
    for one in networks:
        read = asked.masked(length) + one.more if one.masked and not every else None
        parts = _parts(one.network, length, read)
        if read is not None:
            parts["masked_lm"] -= parts["masked_lm"] * one.more // read  # of those, no word is scored
        for part, count in parts.items():
            total[f"{one.name} {part}".strip()] += count
    return dict(total)


def _parts(network: Any, length: int, read: int | None) -> dict[str, int]:
    """`flops` with attention's quadratic term as a part of its own."""
    found = {
        name.removeprefix("encoder.").replace(".", " "): count for name, count in flops(network, length, read).items()
    }
    layers = list(getattr(network.encoder, "layers", ()))
    of = [sum(between_tokens(module, length) for module in layer.modules()) for layer in layers]
    if of and read is not None and asks_less(layers[-1]):
        of[-1] -= of[-1] * (length - read) // length
    if sum(of) and "blocks attention" in found:
        found["blocks attention"] -= sum(of)
        found[BETWEEN] = sum(of)
    return found


def training(forward: dict[str, int], recompute: bool) -> dict[str, float]:
    """Of one text forward and backward; with recompute blocks are computed forward once more."""

    def times(part: str) -> int:
        again = recompute and ("blocks " in part or part.endswith(BETWEEN))
        return 1 + BACKWARD + again

    return {part: float(count * times(part)) for part, count in forward.items()}


def update(networks: list[Trained], optimizer: Any) -> float:
    """Of one step of the optimizer, in products: Newton-Schulz of Muon, 4 m^2 n + 2 m^3 an iteration of a matrix (m,
    n), m <= n. Adam and LAMB have none."""
    if not isinstance(optimizer, Muon):
        return 0.0
    total = 0
    named = weights(networks)
    stacked, mover = stacks(named), optimizer.build(named, 1.0)
    for weight in (w for group in mover.param_groups if group.get("orthogonal") for w in group["params"]):
        count = stacked.get(weight, 1)
        small, large = sorted((weight.shape[0] // count, weight.shape[1]))
        total += optimizer.steps * count * (4 * small * small * large + 2 * small**3)
    return float(total)


def weights(networks: list[Trained]) -> list[tuple[str, nn.Parameter]]:
    """Of all networks of a step, what two share once."""
    found: dict[nn.Parameter, str] = {}
    for one in networks:
        for name, weight in one.network.named_parameters():
            found.setdefault(weight, f"{one.name}.{name}".strip("."))
    return [(name, weight) for weight, name in found.items()]
