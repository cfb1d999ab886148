"""How large a network is: a size that was published, or layers times width."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maskwright.base.config import Config
from maskwright.base.errors import UserError, unknown
from maskwright.models._family import changed
from maskwright.text.tokenizer import Tokenizer

HEAD = 64  #: width of a head, as every size of BERT's paper has it
#: Turc et al. 2019, table 1, and Devlin et al. 2019: layers and width
SIZES = {"tiny": (2, 128), "mini": (4, 256), "small": (4, 512), "medium": (8, 512), "base": (12, 768)}
SIZES["large"] = (24, 1024)
_PRODUCT = re.compile(r"(\d+)\s*[x×]\s*(\d+)")


def sized(kind: Any, size: str, tokenizer: Tokenizer, network: Mapping[str, Any], dropout: float | None) -> Config:
    """The `Config` of a family in a size, for a tokenizer's pieces.

    size: a name among the family's PRESETS or in `SIZES`, or layers x width such as 4x256; heads are then 64 wide, and
    the feed-forward layer is as many times as wide as the states as in the family's own size.
    network: fields of the `Config` that are to be otherwise; dropout: what all of them are, None: as the family has
    them. Where a family leaves the choice, a classifier reads the mean of all pieces. Raises UserError for a size that
    is not known, and for fields that do not fit.
    """
    table = shape(kind, size)
    if (rows := network.get("vocabulary", tokenizer.size)) != tokenizer.size:
        raise UserError(
            f"network.vocabulary = {rows!r}, but the tokenizer has {tokenizer.size:,} pieces, and the network a row "
            "for each. Leave it away; --vocabulary says how many are learnt."
        )
    table["vocabulary"] = tokenizer.size
    # No objective of a family that can pool by the mean asks anything of [CLS].
    own = {"padding": tokenizer.pad_id, "separator": tokenizer.sep_id, "classifier_pooling": "mean"}
    table |= {name: value for name, value in own.items() if name in kind.Config.model_fields}
    return changed(kind, table, network, dropout)


def shape(kind: Any, size: str) -> dict[str, Any]:
    """Fields of the `Config` of a family in a size, its vocabulary the family's own. Raises UserError as `sized`."""
    if size in kind.PRESETS:
        preset: dict[str, Any] = kind.PRESETS[size].config.model_dump()
        return preset
    return _scaled(kind.Config(), *_layers_and_width(kind, size))


def _layers_and_width(kind: Any, size: str) -> tuple[int, int]:
    if size in SIZES:
        return SIZES[size]
    found = _PRODUCT.fullmatch(size.strip().lower())
    if found is None:
        raise UserError(unknown("size", size, [*SIZES, *kind.PRESETS]) + " Or give layers x width, such as 4x256.")
    layers, width = map(int, found.groups())
    if layers < 1 or width < 2:
        raise UserError(f"size = {size!r}: give at least one layer and a width of 2.")
    return layers, width


def _scaled(config: Any, layers: int, width: int) -> dict[str, Any]:
    heads = max(1, width // HEAD)
    if width % heads:
        raise UserError(
            f"A width of {width} cannot be cut into {heads} heads, which are {HEAD} wide. Give a multiple of {HEAD}."
        )
    inner = max(1, round(config.inner / config.width * width))
    table = {"layers": layers, "width": width, "heads": heads, "inner": inner}
    if hasattr(config, "embedding"):
        table["embedding"] = min(config.embedding, width)
    return {**config.model_dump(), **table}
