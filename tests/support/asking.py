"""What an objective asks of some pieces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from maskwright.pretraining.masking import Draw, Pieces, Vocabulary
from maskwright.pretraining.objectives import PretrainingObjective


def ask(
    objective: PretrainingObjective, pieces: Pieces, vocabulary: Vocabulary, pairs: bool = False, progress: float = 0.5
) -> Any:
    segments = (pieces.positions > 5).astype(np.int64) * pairs
    order = np.arange(len(pieces)) % 2 if pairs else None
    return objective.ask(replace(pieces, segments=segments, order=order), vocabulary, Draw(1, 0), progress)
