"""A text of random words with a vocabulary that cuts most of them, and every masking ready for it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.base.choice import find
from maskwright.pretraining.collocations import collocations
from maskwright.pretraining.masking import Masking, Pieces, Vocabulary
from maskwright.pretraining.vocabulary import vocabulary_of
from maskwright.text.tokenizer import Tokenizer

PHRASES = ["tali ba kosu", "kosu nemi", "ba ba"]
PARTS = ["ta", "li", "ko", "su", "ne", "mi", "ba"]


@cache
def words() -> tuple[str, ...]:
    """100 words of one to four parts."""
    source = np.random.default_rng(1)
    made = {"".join(source.choice(PARTS, size=source.integers(1, 5))) for _ in range(400)}
    return (*sorted(made)[:100], "tali", "ba", "kosu", "nemi")


def sentence(source: np.random.Generator, count: int) -> str:
    """Random words, with phrases among them."""
    some = source.choice(words(), size=count).tolist()
    return " ".join(str(source.choice(PHRASES)) if source.random() < 0.15 else word for word in some)


@cache
def tokenizer() -> Tokenizer:
    """WordPiece of so few pieces that most words are cut."""
    source = np.random.default_rng(2)
    return Tokenizer.train([sentence(source, 20) for _ in range(100)], size=70)


@cache
def vocabulary() -> Vocabulary:
    return vocabulary_of(tokenizer())


@cache
def pieces(sequences: int = 300) -> Pieces:
    """Sequences of 3 to about 250 pieces; every third is a pair, with [SEP] in its middle; some have no words."""
    source = np.random.default_rng(3)
    counts = [0 if k % 50 == 7 else int(source.integers(1, 60)) for k in range(sequences)]
    texts = [sentence(source, count) if count else "" for count in counts]
    lone = tokenizer().encode(texts)
    paired = tokenizer().encode(texts, texts[::-1])
    rows = []
    for k in range(sequences):
        of = paired if k % 3 == 2 else lone
        rows.append(of.ids[of.offsets[k] : of.offsets[k + 1]].astype(np.int64))
    return pack(rows)


def pack(rows: list[np.ndarray], numbers: np.ndarray | None = None) -> Pieces:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Pieces(np.concatenate(rows), offsets, np.arange(len(rows)) if numbers is None else numbers)


def some(of: Pieces, rows: list[int]) -> Pieces:
    """A batch of a few of the sequences, in the given order."""
    return pack([of.ids[of.offsets[k] : of.offsets[k + 1]] for k in rows], of.rows[rows])


def ready(name: str, folder: Path, **settings: Any) -> Masking:
    """A masking, its files written, prepared with the tokenizer."""
    if name == "phrase":
        settings["file"] = str(folder / "phrases.txt")
        Path(settings["file"]).write_text("\n".join(PHRASES))
    if name == "pmi":
        settings["file"] = str(folder / "collocations.npz")
        if not Path(settings["file"]).exists():
            block = (pieces().ids, pieces().offsets)
            collocations([block], vocabulary(), tokenizer().fingerprint(), size=60, least=5).save(settings["file"])
    return find(Masking, name)(**settings).prepare(tokenizer())
