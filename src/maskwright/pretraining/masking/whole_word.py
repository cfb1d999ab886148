"""All pieces of a word or none."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from maskwright.pretraining.masking._masking import Draw, Pieces, Vocabulary
from maskwright.pretraining.masking._units import UnitMasking


class WholeWord(UnitMasking):
    """Words are chosen; each of their pieces is replaced by a rule of its own, as in BERT's code of May 2019
    (github.com/google-research/bert, create_pretraining_data.py, do_whole_word_mask)."""

    chooses: ClassVar[str] = "whole words"

    def units(self, pieces: Pieces, vocabulary: Vocabulary, draw: Draw) -> np.ndarray:
        return pieces.words(vocabulary)
