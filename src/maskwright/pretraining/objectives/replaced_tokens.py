"""A generator fills masks, a discriminator finds what it replaced (Clark et al. 2020, section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from maskwright.base.choice import Choice
from maskwright.base.errors import UserError
from maskwright.models import random_network
from maskwright.nn.batch import Batch
from maskwright.nn.cross_entropy import cross_entropy
from maskwright.nn.embeddings import Embeddings
from maskwright.nn.lookup import Lookup
from maskwright.pretraining.masking import Masking
from maskwright.pretraining.masking.token import Token
from maskwright.pretraining.objectives._objective import Asked, Masks, each, facts
from maskwright.training.objective import Objective

#: width of ELECTRA's discriminator -> its generator's as a share of that (Clark et al. 2020, table 6); of all others
BASE_WIDTH, BASE_SHARE, SHARE = 768, 1 / 3, 1 / 4

Sharing = Literal["all", "gradient-disentangled", "none"]


class ReplacedTokens(Masks):
    """L = L_MLM(generator) + weight L_Disc(discriminator), each a mean: over the masked pieces, and over all pieces, of
    the whole step.

    The discriminator is the model. A piece counts as replaced where the generator's differs from what stood there.
    """

    head: ClassVar[str] = "replaced-tokens"
    answering: ClassVar[str] = "its generator, which is not kept"
    learns: ClassVar[str] = (
        "finding the pieces that a generator, trained beside it by masked language modelling, replaced"
    )

    masking: Choice[Masking] = Field(
        Token(masked=0.85, random=0.0),  # as in ELECTRA's code; the paper says [MASK] in the place of all
        description="which pieces the generator is asked for, and what stands in their place",
    )
    width: float | None = Field(
        None, gt=0, le=1, description="width of the generator as a share; none: ELECTRA's, 1/3 at 768 wide and else 1/4"
    )
    depth: float = Field(1.0, gt=0, le=1, description="layers of the generator as a share; 1/2 in DeBERTa-v3, width 1")
    weight: float = Field(50.0, gt=0, description="weight of the discriminator's loss")
    sharing: Sharing = Field(
        "all", description="word vectors: of both, as in ELECTRA; gradient-disentangled as in DeBERTa-v3; or none"
    )

    def head_of(self, kind: Any) -> str:
        both = kind.HEADS.get("pretraining")
        return "pretraining" if both and "replaced" in both.parts else super().head_of(kind)

    def build(self, network: nn.Module, kind: Any, config: Any) -> Objective:
        generator = random_network(kind, self.smaller(config), "masked-lm")
        return GeneratorAndDiscriminator(network, generator, self.sharing, self.weight, self.z)

    @property
    def anew(self) -> str:
        return "the generator"

    @property
    def kept(self) -> Literal["at", "before", "none"]:
        return "none"

    def speaks(self, built: Any) -> Any:
        """The generator: the discriminator names no words."""
        return built.generator

    def beside(
        self, built: Any, held: Any, device: torch.device | str, format: Literal["fp32", "bf16"]
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """The discriminator on the same masks, filled by the generator: for how many pieces it tells rightly whether
        they were replaced, and how many were."""
        right, replaced, pieces = each(built, held, device, format, built.told)
        return {"found": (right, pieces), "replaced": (replaced, pieces)}

    def explained(self, figures: Mapping[str, Any]) -> list[str]:
        found, replaced = figures["found"], figures["replaced"]["value"]
        reach = "" if found["low"] is None else f" ({found['low']:.1%} to {found['high']:.1%})"
        return [
            "Nats, bits and likeliest pieces are those of the generator, which is trained beside the model and not "
            "kept.",
            f"The model itself tells for {found['value']:.1%} of the pieces{reach} whether the generator replaced "
            f"them; to say of none that it was is right for {1 - replaced:.1%}.",
        ]

    def smaller(self, config: Any) -> Any:
        """The generator's size: as many heads less as width, and word vectors of the same width."""
        share = self.width or (BASE_SHARE if config.width == BASE_WIDTH else SHARE)
        heads = max(1, round(config.heads * share))
        each = config.width // config.heads
        changes = {
            "heads": heads,
            "width": heads * each,
            "inner": max(1, round(config.inner * heads / config.heads)),
            "layers": max(1, round(config.layers * self.depth)),
        }
        return type(config)(**{**config.model_dump(), **changes})


class GeneratorAndDiscriminator(Objective):
    """`network` is the discriminator; the generator is trained here and not part of the model."""

    def __init__(self, network: nn.Module, generator: nn.Module, sharing: Sharing, weight: float, z: float) -> None:
        super().__init__()
        self.network, self.generator, self.weight, self.z = network, generator, weight, z
        if sharing != "none":
            share(table_of(network), table_of(generator), sharing)

    def counts(self, asked: Asked) -> dict[str, int]:
        return {"words": len(asked.labels), "pieces": len(asked.batch.ids)}

    def forward(self, asked: Asked) -> tuple[Tensor, int, dict[str, float]]:
        assert asked.lots is not None
        tokens, step = asked.chosen.tokens, self.of_step(asked)
        share = step["words"] / step["pieces"]  # sums over pieces become sums over words, which the loop divides by M
        x, vectors, bias = self.generator.before(asked.batch, asked.chosen)
        loss, words, _, drawn = cross_entropy(x, vectors, bias, asked.labels, self.z, asked.lots)
        assert drawn is not None
        scores = self.network(corrupted(asked.batch, tokens, drawn)).float()
        replaced = torch.zeros_like(scores).index_copy(0, tokens, (drawn != asked.labels).to(scores.dtype))
        found = F.binary_cross_entropy_with_logits(scores, replaced, reduction="sum") * share
        with torch.no_grad():
            right = ((scores > 0) == (replaced > 0.5)).sum() * share
        said = facts(words=words, found=found.detach(), found_accuracy=right, replaced=replaced.sum() * share)
        return loss + self.weight * found, len(asked.labels), said

    def told(self, asked: Asked) -> tuple[int, int, int]:
        """Of some sequences: pieces of which the discriminator is right, that the generator replaced, and all."""
        assert asked.lots is not None
        x, vectors, bias = self.generator.before(asked.batch, asked.chosen)
        drawn = cross_entropy(x, vectors, bias, asked.labels, 0.0, asked.lots)[3]
        assert drawn is not None
        scores = self.network(corrupted(asked.batch, asked.chosen.tokens, drawn))
        replaced = torch.zeros_like(scores, dtype=torch.bool).index_copy(0, asked.chosen.tokens, drawn != asked.labels)
        return int(((scores > 0) == replaced).sum()), int(replaced.sum()), len(asked.batch.ids)

    def finished(self) -> nn.Module:
        """The discriminator with plain word vectors."""
        table = table_of(self.network)
        if isinstance(table.word, Disentangled):
            table.word = table.word.plain()
        return self.network


def corrupted(batch: Batch, tokens: Tensor, drawn: Tensor) -> Batch:
    """The text with the generator's pieces in the masked places. Where a piece was kept, the generator is asked too."""
    return replace(batch, ids=batch.ids.index_copy(0, tokens, drawn))


class Disentangled(nn.Module):
    """E_D = sg(E_G) + E_delta (He et al. 2023, equation 5): the generator's word vectors, which the discriminator's
    loss does not move, and what it adds to them, 0 at first."""

    def __init__(self, generator: Lookup) -> None:
        super().__init__()
        self.generator = [generator]  # in a list: it is the generator's own part and no part of this one
        self.delta = Lookup(*generator.weight.shape)
        nn.init.zeros_(self.delta.weight)

    @property
    def weight(self) -> Tensor:
        return self.generator[0].weight.detach() + self.delta.weight

    def forward(self, ids: Tensor) -> Tensor:
        """(N,) -> (N, E)."""
        return F.embedding(ids, self.generator[0].weight.detach()) + self.delta(ids)

    def plain(self) -> Lookup:
        found = Lookup(*self.delta.weight.shape)
        with torch.no_grad():
            found.weight.copy_(self.weight)
        return found


def table_of(network: nn.Module) -> Embeddings:
    """The embeddings that hold the word vectors."""
    return next(module for module in network.modules() if isinstance(module, Embeddings))


def share(mine: Embeddings, generator: Embeddings, sharing: Sharing) -> None:
    """Let discriminator and generator have word vectors together; in ELECTRA positions and segments too."""
    if sharing == "gradient-disentangled":
        mine.word = Disentangled(generator.word)  # type: ignore[assignment]
        return
    if sharing == "all" and mine.word.weight.shape != generator.word.weight.shape:
        raise UserError(
            f"The generator's word vectors are {generator.word.weight.shape[1]} wide and the discriminator's "
            f"{mine.word.weight.shape[1]}, so they cannot be the same. Give objective.sharing=none, or "
            "objective.width=1."
        )
    for part in ("word", "position", "segment"):
        own, other = getattr(mine, part), getattr(generator, part)
        if own is not None and other is not None and own.weight.shape == other.weight.shape:
            setattr(generator, part, own)
