"""Phrases and names from a file, all pieces of one or none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from maskwright.base.errors import UserError
from maskwright.base.files import read_json
from maskwright.pretraining.encoded import plain
from maskwright.pretraining.masking._lexicon import Lexicon, LexiconMasking, lexicon
from maskwright.pretraining.masking._masking import Draw, Pieces, Vocabulary
from maskwright.pretraining.masking._words import Words
from maskwright.text.tokenizer import Tokenizer


class Phrase(LexiconMasking):
    """Phrases and entities are masked as wholes, as words are (Sun et al. 2019, ERNIE, section 3.2). Where two meet,
    the one of more words is taken, and of equal ones the left."""

    chooses: ClassVar[str] = "phrases of a list and words"

    file: str = Field(description="phrases, one a line, in UTF-8; or, named *.json, a list of lists of ids")

    def read(self, tokenizer: Tokenizer, vocabulary: Vocabulary) -> Lexicon:
        if Path(self.file).suffix == ".json":
            made = lexicon(*_ids(read_json(self.file), self.file, len(vocabulary.special)), vocabulary)
        else:
            # A byte-level vocabulary writes a word behind a space otherwise than the same word at the beginning.
            lines = _lines(self.file)
            encoded = tokenizer.encode([*lines, *(f" {line}" for line in lines)])
            found, lengths, _ = plain(encoded, tokenizer)
            ids, offsets = found.astype(np.int64), np.concatenate([[0], np.cumsum(lengths)])
            made = lexicon(ids, offsets, vocabulary)
            made = replace(made, left_out=made.left_out // 2)  # each line was written in two ways
        if not len(made):
            raise UserError(
                f"{self.file} holds no phrase of two or more words that the vocabulary can write; words for themselves "
                "are masked as wholes anyhow. Give phrases, or take the masking 'whole-word'."
            )
        return made

    def order(self, starts: np.ndarray, stops: np.ndarray, words: Words, pieces: Pieces, draw: Draw) -> np.ndarray:
        return np.lexsort((starts, starts - stops))


def _lines(path: str) -> list[str]:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise UserError(f"The phrases {path!r} cannot be read: {problem.strerror}.") from None
    except UnicodeDecodeError as problem:
        raise UserError(f"{path} is not text in UTF-8: {problem}. Convert it first.") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _ids(given: Any, path: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The ids of all phrases end to end, and where each begins."""
    rows = given if isinstance(given, list) else [given]
    for number, row in enumerate(rows, start=1):
        if not (isinstance(row, list) and row and all(type(i) is int and 0 <= i < size for i in row)):
            raise UserError(
                f"{path}, phrase {number}: {str(row)[:60]} is not a list of ids from 0 to {size - 1}. Give a list of "
                "such lists, or a text file with one phrase a line."
            )
    flat = np.array([i for row in rows for i in row], np.int64)
    return flat, np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
