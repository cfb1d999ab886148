"""What the probe says of a phase is what its steps take, on a machine whose steps take a time of their own and one for
each piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from maskwright.base.errors import UserError
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


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("3 steps", r"leaves 3 steps, fewer than the 20 that a schedule needs\. Give more\.$"),
        ("100 tokens", r"leaves 1 step, .*Give more, or make a step smaller: --batch-tokens\.$"),
        ("9s", r"leaves 2 steps, .*Give more, or make a step smaller: --batch-tokens, or a smaller --size\.$"),
    ],
)
def test_too_few_steps_are_told_with_what_helps(budget: str, said: str, vocabulary: Vocabulary) -> None:
    steps = {"3 steps": 3, "100 tokens": 1, "9s": 2}[budget]
    made = course(vocabulary, [Phase(length=24, batch_tokens=1000)], 900 * steps)
    with pytest.raises(UserError, match=said):
        probe.enough(made, budget)


def test_a_long_budget_is_probed_for_longer(vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share of it, since an hour at a rate that is off by a tenth ends minutes late."""
    counts: list[int] = []

    def timed(objective: Any, some: Course, train: Any, count: int, world: Any) -> tuple[float, int]:
        counts.append(count)
        return 0.1 * count, sum(some.size(step % some.total) for step in range(count))

    monkeypatch.setattr(probe, "_timed", timed)
    for budget in (60.0, 3600.0):
        probe.rates(
            lambda: None,  # type: ignore[arg-type, return-value]
            lambda some: course(vocabulary, some, 20_000),
            [Phase(length=24, batch_tokens=2000)],
            Train(),
            budget=budget,
        )
    assert counts == [probe.WARM, 60, probe.WARM, 360]
