"""How much of a training fits into minutes: a few of its steps, timed, before the first one counts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.base.errors import UserError
from maskwright.base.words import counted
from maskwright.pretraining.budget import Budget
from maskwright.pretraining.course import Course, Phase
from maskwright.training.loop import Loop
from maskwright.training.objective import Moment, Objective
from maskwright.training.parallel import ALONE, World
from maskwright.training.settings import Steps

SECONDS = 6.0  #: that the steps of a phase are timed for, at the least
SHARE = 0.01  #: of a budget in minutes, for which they are timed where that is more
WARM = 2  #: steps before that, in which kernels are made and memory is fetched
LEAST = 20  #: steps below which a schedule with a warm-up is none


@dataclass(frozen=True)
class First:
    """The first steps of a plan, and no more of it."""

    course: Course
    total: int

    def rows(self, step: int) -> np.ndarray:
        return self.course.rows(step % self.course.total)

    def moment(self, step: int) -> Moment:
        return Moment(step, self.total, 0)

    def evaluates(self, done: int, per_epoch: int) -> bool:
        return False


def rates(
    build: Callable[[], Objective],
    course: Callable[[Sequence[Phase]], Course],
    phases: Sequence[Phase],
    train: Steps,
    world: World = ALONE,
    budget: float = 0.0,
) -> list[float]:
    """Pieces a second of each phase, forward, backward and optimizer. Nothing of it is kept. budget: seconds.

    A step takes a time of its own and one for each of its pieces, so that the small steps of a phase whose batches grow
    read fewer pieces a second: both are told by steps of its first and of its last size.
    """

    def seconds(phase: Phase, batch: int, most: float) -> float:
        """Of a step of so many pieces; such steps are timed for `most` seconds."""
        alone = phase.model_copy(update={"share": 1.0, "batch_from": None, "batch_tokens": batch})
        steps = course([alone])
        first, _ = _timed(build(), steps, train, WARM, world)
        count = max(WARM, round(most / max(first / WARM, 1e-3)))
        found, tokens = _timed(build(), steps, train, count, world)
        return batch * found / tokens

    found, most = [], max(SECONDS, SHARE * budget)
    for phase in phases:
        last = phase.batch_tokens
        if phase.batch_from is None or not phase.grows:
            found.append(last / seconds(phase, last, most))
            continue
        small, large = (seconds(phase, batch, most / 2) for batch in (phase.batch_from, last))
        a_piece = (large - small) / (last - phase.batch_from)
        found.append(1 / (a_piece + (large - a_piece * last) * phase.steps_a_piece))
    return found


def tokens_in(seconds: float, phases: Sequence[Phase], per_second: Sequence[float]) -> float:
    """Pieces that all phases, by their shares of them, read in so many seconds."""
    return seconds / sum(phase.share / rate for phase, rate in zip(phases, per_second, strict=True))


def enough(course: Course, budget: str) -> None:
    """Raises UserError for a training too short to be one."""
    if course.total >= LEAST:
        return
    unit = Budget.read(budget).unit
    smaller = {"steps": "", "tokens": ", or make a step smaller: --batch-tokens"}
    raise UserError(
        f"A budget of {budget} leaves {counted(course.total, 'step')}, fewer than the {LEAST} that a schedule "
        f"needs. Give more{smaller.get(unit, ', or make a step smaller: --batch-tokens, or a smaller --size')}."
    )


def _timed(objective: Objective, course: Course, train: Steps, count: int, world: World) -> tuple[float, int]:
    """Seconds, by the clock of the first process, and pieces of `count` steps."""
    settings = train.model_copy(update={"checkpoint_minutes": None, "tracker": None, "averaging": None})
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(
            objective,
            course,
            settings,
            Path(folder),
            plan=First(course, count),
            quiet=True,
            keep_best=False,
            world=world,
        )
        seconds = world.each(loop.run().seconds)[0]
    return seconds, sum(course.size(step % course.total) for step in range(count))
