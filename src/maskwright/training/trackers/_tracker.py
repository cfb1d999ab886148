"""The contract of a tracker: a tool of others that shows a run while it trains, beside the run's own folder."""

from __future__ import annotations

import importlib
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from pydantic import Field

from maskwright.base.choice import Part
from maskwright.base.errors import UserError

Status = Literal["finished", "stopped", "failed"]


@dataclass(frozen=True)
class Opening:
    """What a tracker is told about a run when it opens one."""

    name: str  #: what a person calls the run
    folder: Path  #: absolute; where files of the tracker may lie
    config: dict[str, Any]  #: what config.json holds, nested
    step: int = 0  #: steps that were done before
    id: str | None = None  #: of the session that this run had before it was stopped; None for a new run


class Session(Protocol):
    """A tracker's own run, open. Its calls may fail or be slow: `training.tracking` keeps both from the training."""

    id: str  #: what finds it again

    def log(self, step: int, values: dict[str, float]) -> None:
        """Numbers of one step by name. A step may come in several calls, never before an earlier step of a session.

        A resumed run repeats the steps after its checkpoint, with the same facts.
        """

    def close(self, status: Status) -> None:
        """Send what is left; stopped is a run that will go on."""


class Tracker(Part):
    """Opens a session for a run, or goes on with the one that the run had."""

    library: ClassVar[str | None] = None
    """What it imports, by the name that pip installs it under."""

    run: str | None = Field(None, min_length=1, description="the run's name there; else the run folder's and its seed")

    @abstractmethod
    def open(self, opening: Opening) -> Session: ...

    def check(self) -> None:
        """Raises UserError that says what to install when the library cannot be imported."""
        if self.library is None:
            return
        try:
            importlib.import_module(self.library)
        except ImportError as problem:
            raise UserError(
                f"train.tracker={self.name} needs the package {self.library}, which cannot be imported here "
                f"({problem}). Install it with: pip install {self.library} (all trackers: pip install "
                '"maskwright[track]"). Or train without: train.tracker=none.'
            ) from None
