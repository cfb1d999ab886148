"""Each piece for itself, as BERT was trained."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from maskwright.pretraining.masking._masking import Draw, Pieces, Vocabulary
from maskwright.pretraining.masking._units import UnitMasking


class Token(UnitMasking):
    """A share of each sequence's pieces, any as likely as the others (Devlin et al. 2019, section 3.1)."""

    chooses: ClassVar[str] = "each by itself"

    def units(self, pieces: Pieces, vocabulary: Vocabulary, draw: Draw) -> np.ndarray:
        ordinary = ~vocabulary.special[pieces.ids]
        return np.where(ordinary, np.cumsum(ordinary) - 1, -1)
