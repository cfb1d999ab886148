"""What a pre-training starts from: a new network, or a trained encoder with its vocabulary."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from maskwright.base.errors import UserError
from maskwright.models import Loaded, family, lengthen, load_network, random_network
from maskwright.models._family import name_of
from maskwright.pretraining.reading import tokenizer_of
from maskwright.pretraining.resize import extend_vectors, swap_vectors
from maskwright.pretraining.settings import Pretrain
from maskwright.pretraining.sizes import sized
from maskwright.text.tokenizer import Tokenizer


@dataclass
class Start:
    """A network before its first step. words: what it is, for a title."""

    network: nn.Module
    kind: Any
    config: Any
    tokenizer: Tokenizer
    words: str
    notes: list[str] = field(default_factory=list)
    new_head: bool = False  #: whether its masked-LM head starts from random weights on a trained encoder

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.network.parameters())


def fresh(asked: Pretrain, tokenizer: Tokenizer) -> Start:
    """A network of the family and size that was asked for, with random weights."""
    kind = family(asked.family)
    head = asked.objective.head_of(kind)
    config = sized(kind, asked.size, tokenizer, asked.network, asked.dropout)
    network = random_network(kind, config, head)
    out = Start(network, kind, config, tokenizer, f"{asked.family}, {asked.size}, from random weights")
    _check_length(asked, network.encoder.limit)
    return out


def further(asked: Pretrain, tokenizer: Tokenizer) -> Start:
    """The model that was asked for, with a table of positions as long as the longest phase, if that was asked for."""
    assert asked.model is not None
    kind = load_network(asked.model, "bare").family
    loaded = load_network(asked.model, asked.objective.head_of(kind))
    notes = [*_lengthened(asked, loaded), *_resized(asked, loaded, tokenizer)]
    new = sorted({name.split(".")[0] for name in loaded.new})
    if new:
        others = [part for part in new if part != "masked_lm"]  # of that it is said that it was fitted
        if others:
            notes.append(f"{asked.model} holds no weights for: {', '.join(others)}. They start from random ones.")
    return Start(
        loaded.network,
        loaded.family,
        loaded.config,
        tokenizer,
        f"{asked.model} trained further",
        notes,
        "masked_lm" in new,
    )


def outside(asked: Pretrain, start: Start) -> list[str]:
    """What the transformers library cannot do with the model that will come out, said before the first step."""
    if not hasattr(start.kind, "KEYS"):
        return [
            f"The family {name_of(start.kind)!r} is an arm of ours, which the transformers library does not have: what "
            "comes out is read by maskwright alone."
        ]
    said = asked.objective.outside(start.kind)
    return [said] if said else []


def _lengthened(asked: Pretrain, loaded: Loaded) -> list[str]:
    longest = max(phase.length for phase in asked.phases)
    if asked.positions is None:
        _check_length(asked, loaded.limit)
        return []
    done = lengthen(loaded, asked.positions, longest)
    if not done:
        raise UserError(
            f"{asked.model} takes texts of {longest:,} tokens as it is; there is nothing to lengthen. Leave positions "
            "away, or ask for a longer --length."
        )
    return [done]


def _resized(asked: Pretrain, loaded: Loaded, tokenizer: Tokenizer) -> list[str]:
    """Rows for the pieces of `tokenizer`, where it is not the model's own."""
    assert asked.model is not None
    own = tokenizer_of(asked.model)
    if own.fingerprint() == tokenizer.fingerprint():
        return []
    resize = swap_vectors if asked.tokenizer else extend_vectors
    loaded.network, loaded.config, note = resize(loaded.network, loaded.family, loaded.config, own, tokenizer)
    return [note]


def _check_length(asked: Pretrain, limit: int | None) -> None:
    longest = max(phase.length for phase in asked.phases)
    if limit is None or longest <= limit:
        return
    remedy = (
        "interpolate, tile or extend its table by --positions"
        if asked.model
        else "a longer table by --set network.positions"
    )
    raise UserError(
        f"A phase reads sequences of {longest:,} pieces, but the network has {limit:,} positions. Give at most "
        f"{limit:,}, or {remedy}."
    )
