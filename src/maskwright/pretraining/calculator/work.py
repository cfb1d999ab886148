"""Floating-point operations of a training, from the shapes of its network.

A product of (N, H) with (H, O) is 2 N H O forward; backward two of the same size, for its input and its weight.
Attention between T tokens is 4 T^2 H forward in each layer, and twice that backward. Whatever is no matrix product is
left out: a hundredth of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

import torch
from torch import nn

from maskwright.base.choice import names
from maskwright.base.errors import UserError
from maskwright.models._flops import asks_less, between_tokens, flops, products
from maskwright.pretraining.calculator.amounts import A_WORD
from maskwright.pretraining.masking import Masking
from maskwright.pretraining.masking._spans import SpanMasking
from maskwright.pretraining.masking.token import Token
from maskwright.pretraining.objectives import PretrainingObjective
from maskwright.pretraining.objectives.causal import Causal
from maskwright.pretraining.objectives.mixture import Mixture
from maskwright.pretraining.objectives.mlm import Mlm
from maskwright.pretraining.objectives.next_sentence import NextSentence
from maskwright.pretraining.objectives.replaced_tokens import ReplacedTokens, share, table_of
from maskwright.pretraining.objectives.span_boundary import Boundary, SpanBoundary
from maskwright.training.optimizers._stacks import stacks
from maskwright.training.optimizers.muon import Muon

BACKWARD = 2  #: times forward
BETWEEN = "attention between tokens"
COUNTED = (Mlm, NextSentence, SpanBoundary, Causal, ReplacedTokens)  #: and mixtures of them


@dataclass(frozen=True)
class Trained:
    """A network that a step runs. masked: whether its head reads the masked tokens alone, or every one; beside: layers
    that are trained with it and not saved, the boundary's of each objective that has one."""

    name: str
    network: Any
    masked: bool
    beside: nn.ModuleList = field(default_factory=nn.ModuleList)


@dataclass(frozen=True)
class Question:
    """What an objective asks of a text. rate: the share of its pieces that is masked; 1 where nothing is; share: of the
    texts, that it is asked of: in a mixture less than all."""

    objective: PretrainingObjective
    rate: float
    share: float = 1.0

    def masked(self, length: int) -> int:
        """Masked pieces of a text; special ones, [CLS] and one [SEP] a segment, are never."""
        if isinstance(self.objective, Causal):
            return length - 1
        return max(1, round(self.rate * (length - (3 if self.objective.format.pairs else 2))))

    def scored(self, length: int) -> int:
        """Pieces of a text whose loss is taken."""
        return length if isinstance(self.objective, ReplacedTokens) else self.masked(length)

    def beside(self, length: int) -> int:
        """Pieces of a text beside the masked ones whose states are read: [CLS] for the order of a pair, and both
        neighbours of each span for its boundary. Spans are taken to stand apart, of their mean size but for the last,
        which is cut."""
        if isinstance(self.objective, NextSentence):
            return 1
        if not isinstance(self.objective, SpanBoundary):
            return 0
        masked = self.masked(length)
        return min(2 * math.ceil(masked / pieces_of_span(self.objective.masking)), length - masked)


def pieces_of_span(masking: Masking) -> float:
    """Pieces that are masked as one, on average: `A_WORD` for each word. Of maskings that look runs of words up, as of
    words, since the text says which there are."""
    if isinstance(masking, SpanMasking):
        return A_WORD * float(sum(words * chance for words, chance in enumerate(masking.lengths(), start=1)))
    return 1.0 if isinstance(masking, Token) else A_WORD


def questions(objective: PretrainingObjective, rate: float | None) -> list[Question]:
    """What texts are asked: one thing, or of a mixture one for each of its parts. rate: of all parts that mask.

    Raises UserError for an objective whose operations are not known here, and for a rate where nothing is masked.
    """
    found = [Question(part, _rate(part, rate), part_of_texts) for part, part_of_texts in dealt(objective)]
    if rate is not None and all(one.rate == 1 for one in found):
        raise UserError(f"rate = {rate}: the objective {objective.name!r} masks nothing. Leave the rate away.")
    return found


def dealt(objective: PretrainingObjective, texts: float = 1.0) -> Iterator[tuple[PretrainingObjective, float]]:
    """An objective, or the parts of a mixture, each with its share of the texts."""
    if isinstance(objective, Mixture):
        for part, one in zip(objective.parts, objective.shares, strict=True):
            yield from dealt(part.model_copy(update={"format": objective.format}), texts * one)
    elif isinstance(objective, COUNTED):
        yield objective, texts
    else:
        raise UserError(
            f"The operations of the objective {objective.name!r} are not known here. Known: "
            f"{', '.join(names(PretrainingObjective))}. Plan the nearest of them; the encoder is nearly all of it."
        )


def _rate(objective: PretrainingObjective, rate: float | None) -> float:
    masking: Any = getattr(objective, "masking", None)
    if masking is None:
        return 1.0
    usual = mean(masking.rate.at(i / 100) for i in range(101))  # a rate may move
    return usual if rate is None else rate


def scorings(objective: PretrainingObjective) -> int:
    """How often words are scored in a pass, each time with a gradient of all word vectors that is held."""
    if isinstance(objective, Mixture):
        each = [scorings(part) for part in objective.parts]
        return sum(each) if objective.order == "mixed" else max(each)
    return 2 if isinstance(objective, SpanBoundary) else 1


def trained(kind: Any, config: Any, objective: PretrainingObjective) -> list[Trained]:
    """The networks of a step, without weights; the model that comes out last."""
    with torch.device("meta"):
        network = _network(kind, config, objective.head_of(kind))
        if isinstance(objective, ReplacedTokens):
            generator = _network(kind, objective.smaller(config), "masked-lm")
            if objective.sharing != "none":
                share(table_of(network), table_of(generator), objective.sharing)
            return [Trained("generator", generator, True), Trained("discriminator", network, False)]
        spans = [part for part, _ in dealt(objective) if isinstance(part, SpanBoundary)]
        boundaries = [Boundary.of(network, config.initial_std, part.places) for part in spans]
        return [Trained("", network, True, nn.ModuleList(boundaries))]


def _network(kind: Any, config: Any, head: str) -> Any:
    """As `random_network`, but nothing is drawn."""
    return kind.HEADS[head](config, kind.build(config), 2)


def forward(networks: list[Trained], asked: Sequence[Question], length: int, every: bool = False) -> dict[str, float]:
    """Of one text, by part; of a mixture, of the mean text. every: the states of all tokens are read, as a dense
    implementation does."""
    total: dict[str, float] = {}
    for one in asked:
        for part, count in _forward(networks, one, length, every).items():
            total[part] = total.get(part, 0.0) + one.share * count
    return total


def _forward(networks: list[Trained], asked: Question, length: int, every: bool) -> Counter[str]:
    total: Counter[str] = Counter()
    masked, beside = asked.masked(length), asked.beside(length)
    for one in networks:
        read = masked + beside if one.masked and not every else None
        parts = _parts(one.network, length, read)
        if read is not None:
            parts["masked_lm"] -= parts["masked_lm"] * beside // read  # of those, no word is scored
        if isinstance(asked.objective, SpanBoundary):
            parts["boundary"] = _by_boundary(one, masked)
        for part, count in parts.items():
            total[f"{one.name} {part}".strip()] += count
    return total


def _by_boundary(one: Trained, masked: int) -> int:
    """Of telling masked words from the neighbours of their spans, which scores them once more. A dense implementation
    does no more than that either."""
    layers = sum(products(module, masked) for module in one.beside[0].modules())
    return layers + 2 * masked * int(one.network.encoder.embeddings.word.weight.numel())


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


def training(forward: dict[str, float], recompute: bool) -> dict[str, float]:
    """Of one text forward and backward; with recompute blocks are computed forward once more."""

    def times(part: str) -> int:
        again = recompute and ("blocks " in part or part.endswith(BETWEEN))
        return 1 + BACKWARD + again

    return {part: count * times(part) for part, count in forward.items()}


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
    """Of all networks of a step and the layers beside them, what two share once."""
    found: dict[nn.Parameter, str] = {}
    for one in networks:
        for owner, module in ((one.name, one.network), ("boundary", one.beside)):
            for name, weight in module.named_parameters():
                found.setdefault(weight, f"{owner}.{name}".strip("."))
    return [(name, weight) for weight, name in found.items()]
