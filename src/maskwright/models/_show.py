"""What a model is made of: parameters per part, and the memory that they take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from maskwright.base.errors import UserError, unknown
from maskwright.models._checkpoint import Tensors
from maskwright.models._diagram import diagram
from maskwright.models._family import Preset, families, family, name_of
from maskwright.models._flops import flops, part_of
from maskwright.models._load import PACKAGED, describe, locate, match, random_network

#: Bytes that one parameter takes. Training: fp32 weights, gradients and AdamW's two moments.
BYTES = {"weights in fp32": 4, "weights in bf16": 2, "weights in int8": 1, "training with AdamW in fp32": 16}


#: what people call networks, with the published size and network that it stands for; a family's name is its base size
SHORT = {"gpt": ("left-to-right-gpt", "bare"), "transformer": ("encoder-decoder-base", "sequence-to-sequence")}


@dataclass
class Row:
    """One part, such as the word embeddings, the attention of all blocks, or the pooler."""

    part: str
    each: list[int]  #: parameters in each of the blocks, or one number for a part that stands once
    total: int  #: their sum
    blocks: int = 0  #: how many blocks have it, 0 for a part outside them
    new: bool = False  #: a head that was asked for and that the folder does not hold
    flops: int = 0  #: floating-point operations for one text of `Shown.tokens`


@dataclass
class Shown:
    """Parameters and memory of one model; `dataclasses.asdict` gives plain JSON."""

    model: str
    family: str
    head: str | None  #: the network that was counted; None: the one that the folder names
    sizes: dict[str, Any]  #: the family's configuration: layers, width, heads, positions, vocabulary, ...
    rows: list[Row]
    tokens: int = 128  #: of the text that operations are counted for
    limit: int | None = None  #: how many tokens of a text it can read; None where no table of positions ends
    usual: int = 0  #: how many it reads unless another number is asked for
    changes: dict[str, str] = field(default_factory=dict)  #: what the family has otherwise than BERT
    diagram: list[str] = field(default_factory=list)  #: the network drawn, line by line, where it was asked for
    encoder: int = 0
    total: int = 0
    megabytes: dict[str, float] = field(default_factory=dict)  #: by precision, in 10^6 bytes, without activations

    def __post_init__(self) -> None:
        self.encoder = sum(r.total for r in self.rows if r.part.startswith("encoder."))
        self.total = sum(r.total for r in self.rows)
        self.megabytes = {what: self.total * size / 1e6 for what, size in BYTES.items()}


def show(model: str | Path, head: str | None = None, tokens: int = 128, draw: bool = False) -> Shown:
    """Count a folder, a packaged model or a published size such as `bert-base`, which needs no weights.

    head: count this network; by default the one that the folder's config.json names, for a published size the bare
    encoder with its pooler. draw: fill in the diagram, which takes up to some seconds. No weight is read.

    Raises UserError for an unknown name or head, and for a folder whose tensors do not fit its config.json.
    """
    published, name, usual = presets(), str(model), "bare"
    if not Path(name).is_dir():
        name, usual = SHORT.get(name, (f"{name}-base" if f"{name}-base" in published else name, "bare"))
    if name in published and not Path(name).is_dir():
        (kind, config), classes, tensors, head = published[name], 2, None, head or usual
        heads = [head]
    else:
        known = describe(_folder(name, published))
        kind, config, classes, tensors = known.kind, known.config, known.classes, Tensors(known.folder)
        heads = [head] if head else known.heads
    rows: dict[str, Row] = {}
    for one in heads:
        with torch.device("meta"):
            network = random_network(kind, config, one, classes)
        new = match(network, kind, tensors).new if tensors else []
        work = flops(network, tokens)
        for row in _rows(network, new):
            if head is not None or not row.new:
                row.flops = work.get(row.part, 0)
                rows.setdefault(row.part, row)
    sizes, limit = config.model_dump(mode="json"), network.encoder.limit
    told = {"limit": limit, "usual": limit or config.positions, "changes": changes(kind)}
    drawn = diagram(network) if draw else []
    return Shown(name, name_of(kind), head, sizes, list(rows.values()), tokens, **told, diagram=drawn)


def _folder(name: str, published: Iterable[str]) -> Path:
    """As `locate`; what may be a slip in a published size's name is met with the sizes' names too."""
    try:
        return locate(name)
    except UserError as problem:
        if "/" in name or name in PACKAGED:
            raise
        raise UserError(f"{unknown('model', name, [*PACKAGED, *published])} {problem}") from None


def changes(kind: Any) -> dict[str, str]:
    """What a family has otherwise than BERT, in words."""
    told = asdict(kind.CHANGES) if hasattr(kind, "CHANGES") else {}
    return {name: str(words).partition(" | ")[0] for name, words in told.items() if words and name != "parent"}


def presets() -> dict[str, tuple[Any, Any]]:
    """`family-preset` -> (family, configuration), of every family."""
    return {f"{name_of(kind)}-{key}": (kind, preset.config) for kind, key, preset in published()}


def published() -> Iterator[tuple[Any, str, Preset]]:
    """Every size that was published: its family, its name there, and what is known of it."""
    for name in families():
        kind = family(name)
        for key, preset in getattr(kind, "PRESETS", {}).items():
            yield kind, key, preset


@dataclass
class Listed:
    """One line of the list of families."""

    model: str  #: family and preset
    layers: int
    width: int
    parameters: int  #: of the network that the published number is closest to
    head: str
    words: int  #: parameters in its word vectors
    published: str  #: millions, as the source writes them; "" where it gives none
    source: str
    note: str


def listing() -> list[Listed]:
    """All published sizes with their parameters, counted without making weights."""
    found = []
    for kind, key, preset in published():
        with torch.device("meta"):
            network = random_network(kind, preset.config, preset.head)
        count = sum(p.numel() for p in network.parameters())
        words = network.encoder.embeddings.word.weight.numel()
        bare = f"without its {words:,} word vectors it has {count - words:,}, which the published number counts"
        note = "; ".join(filter(None, [bare if preset.without_words else "", preset.note]))
        name, sizes = f"{name_of(kind)}-{key}", (preset.config.layers, preset.config.width)
        found.append(Listed(name, *sizes, count, preset.head, words, preset.published, preset.source, note))
    return found


def _rows(network: nn.Module, new: Iterable[str]) -> Iterator[Row]:
    """One row for each part. A parameter that is used in two places (a tied decoder, a shared block) is counted once,
    where it stands first."""
    counts: dict[str, dict[str, int]] = {}
    absent = {name.split(".")[0] for name in new}
    for name, parameter in network.named_parameters():
        part, block = part_of(name)
        blocks = counts.setdefault(part, {})
        blocks[block] = blocks.get(block, 0) + parameter.numel()
    for part, blocks in counts.items():
        yield Row(part, list(blocks.values()), sum(blocks.values()), len(blocks) * ("" not in blocks), part in absent)
