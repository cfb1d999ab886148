"""Random tiny encoders of any family in folders, with a tokenizer like those that the family is published with."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from tiny import tiny
from vocabularies import ANGLES, BRACKETS, byte_level, deberta_v2, frame, prose

from maskwright.models import family, random_network, save_network
from maskwright.text.tokenizer import Tokenizer

#: families whose tokenizers differ most: WordPiece, byte-level BPE with two separators in a pair, Unigram
UNLIKE = ("bert", "longformer", "deberta-v2")


@cache
def cutter(name: str) -> Tokenizer:
    """The tokenizer of a family; WordPiece for those that are not in UNLIKE."""
    if name == "longformer":
        return Tokenizer(frame(byte_level(ANGLES), ANGLES, "CLS $A SEP SEP $B SEP"), ANGLES)
    if name == "deberta-v2":
        return Tokenizer(deberta_v2(), BRACKETS)
    return Tokenizer.train(prose(), size=400)


def save_encoder(name: str, folder: Path, tokenizer: Tokenizer | None = None, **changes: Any) -> Path:
    """A folder with a random encoder of a family and a tokenizer, by default its own. changes: of the sizes."""
    kind, tokenizer = family(name), tokenizer or cutter(name)
    sizes: dict[str, Any] = tiny(kind).model_dump()
    ids = {"vocabulary": tokenizer.size, "padding": tokenizer.pad_id, "separator": tokenizer.sep_id}
    asked = {**ids, "initial_std": 0.2, "width": 24, "positions": 40, **changes}
    if sizes.get("segments") == 1:
        asked["segments"] = 2  # a tokenizer may number the texts of a pair
    config = kind.Config(**{**sizes, **{key: size for key, size in asked.items() if key in sizes}})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_network(folder, random_network(kind, config, "bare"), kind, config, {})
    tokenizer.save(folder)
    return folder
