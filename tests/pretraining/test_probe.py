"""What the probe says of a phase is what its steps take, on a machine whose steps take a time of their own and one for
each piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from maskwright.pretraining import probe
from maskwright.pretraining.course import Course, Phase
from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.masking import Vocabulary
from maskwright.pretraining.objectives.mlm import Mlm
from maskwright.training.settings import Train

A_STEP, A_PIECE = 0.05, 5e-5  #: seconds, as a small network takes on two cores


def course(vocabulary: Vocabulary, phases: Sequence[Phase], amount: float) -> Course:
    """Over a text of single pieces, so that batches are as large as they may be."""
    text = Encoded(np.full(60_000, 5, np.int32), np.arange(60_001), np.arange(0, 60_001, 20))
    return Course(text, Mlm(), vocabulary, (1, 2), amount, phases)


@pytest.mark.parametrize(
    "phases",
    [
        [Phase(length=24, batch_tokens=2000)],
        [Phase(length=24, batch_tokens=2000, batch_from=400, ramp=0.3)],
        [Phase(length=24, batch_tokens=500, batch_from=2000, ramp=1.0)],
        [Phase(length=24, share=0.5, batch_tokens=900), Phase(length=24, share=0.5, batch_tokens=900, batch_from=900)],
    ],
)
def test_minutes_become_as_many_pieces_as_the_steps_take(
    phases: list[Phase], vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    def timed(objective: Any, some: Course, train: Any, count: int, world: Any) -> tuple[float, int]:
        sizes = [some.size(step % some.total) for step in range(count)]
        return sum(A_STEP + A_PIECE * size for size in sizes), sum(sizes)

    monkeypatch.setattr(probe, "_timed", timed)
    rates = probe.rates(lambda: None, lambda some: course(vocabulary, some, 20_000), phases, Train())  # type: ignore[arg-type, return-value]
    whole = course(vocabulary, phases, probe.tokens_in(30.0, phases, rates))
    takes = sum(A_STEP + A_PIECE * whole.size(step) for step in range(whole.total))
    assert takes == pytest.approx(30.0, rel=0.03)
