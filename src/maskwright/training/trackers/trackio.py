"""Trackio: a dashboard on this machine, or in a Space."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from contextvars import Context
from typing import Any, ClassVar

from pydantic import Field

from maskwright.training.trackers._tracker import Opening, Session, Status, Tracker


class Trackio(Tracker):
    """`trackio show` opens the dashboard. Where it keeps runs is said by its own environment: TRACKIO_DIR, or
    TRACKIO_SPACE_ID for a Space."""

    library: ClassVar[str | None] = "trackio"

    project: str = Field("maskwright", min_length=1, description="the project that its runs stand in")

    def open(self, opening: Opening) -> Session:
        import trackio

        again = opening.id is not None
        with redirect_stdout(sys.stderr):  # it greets there; stdout is for results
            # In a context of its own: else a run that the caller has open would be ended, and ours ended twice.
            run = Context().run(
                trackio.init,
                project=self.project,
                name=opening.id or opening.name,
                resume="allow" if again else "never",
                config=opening.config,
                embed=False,
            )
        return _Run(run)


class _Run:
    def __init__(self, run: Any) -> None:
        self.id, self._run = run.name, run  # a taken name is replaced by one that is free

    def log(self, step: int, values: dict[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self, status: Status) -> None:
        with redirect_stdout(sys.stderr):
            self._run.finish()
