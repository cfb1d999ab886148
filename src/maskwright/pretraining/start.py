"""What a pre-training starts from: a new network, or a trained encoder with its vocabulary."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from maskwright.base.config import parse
from maskwright.base.errors import UserError
from maskwright.base.files import read_json
from maskwright.models import Loaded, describe, family, lengthen, load_network, locate, random_network
from maskwright.models._family import name_of, reference_heads
from maskwright.pretraining.reading import tokenizer_of
from maskwright.pretraining.resize import extend_vectors, swap_vectors
from maskwright.pretraining.settings import Pretrain
from maskwright.pretraining.sizes import shape, sized
from maskwright.pretraining.vocabulary import vocabulary_of
from maskwright.text.tokenizer import Tokenizer

ANSWERED = {"at": "at its place", "before": "from the piece before it"}


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


def check(asked: Pretrain) -> None:
    """Raises UserError for what no text can mend, before any is read: a tokenizer without a mask, a network that the
    family does not have, a size that it cannot have, sequences that are longer than it reads."""
    if named := asked.tokenizer or asked.model:
        vocabulary_of(tokenizer_of(named))
    if asked.model:
        described = describe(locate(asked.model))
        kind, config = described.kind, described.config
    else:
        kind = family(asked.family)
        table = {**shape(kind, asked.size), **asked.network}
        config = parse(kind.Config, table, f"network of the family {name_of(kind)!r}")
    asked.objective.head_of(kind)
    if asked.remember:
        _check_remembered(asked, asked.remember)
    if asked.positions is None:
        with torch.device("meta"):  # nothing is drawn
            encoder = kind.build(config)
        _check_length(asked, encoder.limit, config.positions)


def fresh(asked: Pretrain, tokenizer: Tokenizer) -> Start:
    """A network of the family and size that was asked for, with random weights."""
    kind = family(asked.family)
    head = asked.objective.head_of(kind)
    config = sized(kind, asked.size, tokenizer, asked.network, asked.dropout)
    network = random_network(kind, config, head)
    out = Start(network, kind, config, tokenizer, f"{asked.family}, {asked.size}, from random weights")
    _check_length(asked, network.encoder.limit, config.positions)
    return out


def further(asked: Pretrain, tokenizer: Tokenizer) -> Start:
    """The model that was asked for, with a table of positions as long as the longest phase, if that was asked for."""
    assert asked.model is not None
    kind = load_network(asked.model, "bare").family
    loaded = load_network(asked.model, asked.objective.head_of(kind))
    notes = [*_lengthened(asked, loaded), *_resized(asked, loaded, tokenizer), *_asked_elsewhere(asked)]
    if beside := asked.objective.anew:
        notes.append(f"{asked.model} comes without {beside}, trained here from random weights.")
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
    head = asked.objective.head_of(start.kind)
    if head not in reference_heads(start.kind):
        said = (
            f"The transformers library has no class for the network {head!r} of the family {name_of(start.kind)!r}: "
            f"there AutoModel reads the encoder of what comes out, without that head. {said}"
        ).strip()
    return [said] if said else []


def _lengthened(asked: Pretrain, loaded: Loaded) -> list[str]:
    longest = max(phase.length for phase in asked.phases)
    if asked.positions is None:
        _check_length(asked, loaded.limit, loaded.config.positions)
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


def _asked_elsewhere(asked: Pretrain) -> list[str]:
    """Where the model has learnt to answer at another place than the objective asks."""
    assert asked.model is not None
    was, now = _answers(asked.model), asked.objective.spoken
    if was == now or "none" in (was, now):
        return []
    remedy = "Give objective.shift=true" if was == "before" else "Leave shift away"
    return [
        f"{asked.model} names a masked piece {ANSWERED[was]}, and this objective asks for it {ANSWERED[now]}: its head "
        f"begins one place off, and what is said of before means little. {remedy} to go on as it was trained."
    ]


def _answers(model: str) -> str:
    """Where a trained model names masked pieces, as it says itself."""
    described = locate(model) / "maskwright.json"
    return str(read_json(described).get("answers", "at")) if described.exists() else "at"


def _check_remembered(asked: Pretrain, text: str) -> None:
    """Raises UserError where there is no such text, or the objective asks what the model never answered."""
    assert asked.model is not None
    if not Path(text).exists():
        raise UserError(f"remember = {text!r}: there is no such corpus or text.")
    if asked.objective.kept == "none" or asked.objective.spoken != _answers(asked.model):
        raise UserError(
            f"What {asked.model} forgets is seen by what it answers before and after, but the objective "
            f"{asked.objective.name!r} asks otherwise than it was trained. Leave --remember away."
        )


def _check_length(asked: Pretrain, limit: int | None, usual: int) -> None:
    """limit: rows of a table of positions, None where there is none; usual: what the config says."""
    longest, most = max(phase.length for phase in asked.phases), limit or usual
    if longest <= most:
        return
    if asked.model and limit is None:
        remedy = "write a larger max_position_embeddings into its config.json"
    elif asked.model:
        remedy = "interpolate, tile or extend its table by --positions"
    else:
        remedy = f"a longer reach by --set network.positions={longest}"
    raise UserError(
        f"A phase reads sequences of {longest:,} pieces, but the network has {most:,} positions. Give at most "
        f"{most:,}, or {remedy}."
    )
