"""Collocations: runs of words that come together far more often than by chance."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from maskwright.base.errors import UserError
from maskwright.pretraining.collocations import Collocations
from maskwright.pretraining.masking._lexicon import Lexicon, LexiconMasking, lexicon
from maskwright.pretraining.masking._masking import Draw, Pieces, Vocabulary
from maskwright.pretraining.masking._words import Words
from maskwright.text.tokenizer import Tokenizer

_OVERLAP = 13  # stream of random numbers


class Pmi(LexiconMasking):
    """Collocations are masked as wholes, and so are the words outside of them; the rule acts on the whole (Levine et
    al. 2021, PMI-Masking, section 4). A collocation inside a longer one is none; of those that overlap otherwise one is
    taken at random, and the words that are left of the other stand for themselves."""

    chooses: ClassVar[str] = "collocations and words"

    file: str = Field(description="collocations (*.npz), as maskwright.pretraining.collocations counts and saves them")

    def read(self, tokenizer: Tokenizer, vocabulary: Vocabulary) -> Lexicon:
        found = Collocations.load(self.file)
        if found.fingerprint != tokenizer.fingerprint():
            raise UserError(
                f"The collocations {self.file} were counted in pieces of another tokenizer: its fingerprint begins "
                f"{found.fingerprint[:16]}, that of this one {tokenizer.fingerprint()[:16]}. Count them anew."
            )
        return lexicon(found.ids, found.offsets, vocabulary)

    def order(self, starts: np.ndarray, stops: np.ndarray, words: Words, pieces: Pieces, draw: Draw) -> np.ndarray:
        order = np.lexsort((-stops, starts))
        reached = np.concatenate([[-1], np.maximum.accumulate(stops[order])[:-1]])[: len(order)]
        order = order[stops[order] > reached]  # what does not reach further than one before it is inside that
        return order[np.argsort(draw.of_pieces(pieces, _OVERLAP)[words.first[starts[order]]])]
