"""A tracker beside a run: told what the log is told, in a thread of its own, and nothing of it reaches the training."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any

import numpy as np
import torch

from maskwright.base.files import read_json, write_json
from maskwright.training.stop import Interrupted
from maskwright.training.trackers import Opening, Session, Status, Tracker

PATIENCE = 60.0  #: seconds that a run waits at its end for a tracker that has not yet sent everything


class Tracking:
    """The session of one run with its tracker, or with none; a context that closes it with the run's status.

    A tracker can fail and can be slow. Neither stops the training, slows it down or changes its numbers: at the first
    failure there is one note, and the tracker is told nothing more. `tracker.json` in the run's folder holds the
    session's id, with which a resumed run goes on, and the note.
    """

    def __init__(
        self,
        tracker: Tracker | None = None,
        folder: str | Path = ".",
        name: str = "",
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.notes: list[str] = []
        self._tracker = tracker
        self._folder = Path(folder).resolve()
        self._name = (tracker.run if tracker else None) or name
        self._config = dict(config or {})
        self._step = 0
        self._id: str | None = None
        self._lines: SimpleQueue[tuple[int, dict[str, float]] | Status] = SimpleQueue()
        self._thread: Thread | None = None

    def open(self, step: int) -> None:
        """Open a session, or go on with the one that the folder names, after `step` steps.

        Raises UserError when the tracker's library is not there.
        """
        self._step = step
        if self._tracker is None:
            return
        self._tracker.check()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._id = self._stored()
            opening = Opening(self._name, self._folder, self._config, step, self._id)
            with _same_draws():
                session = self._tracker.open(opening)
            self._id = session.id
            self._remember()
        except Exception as problem:
            self._note(f"could not be opened: {_said(problem)}")
            return
        self._thread = Thread(target=self._send, args=(session,), name="tracker", daemon=True)
        self._thread.start()

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Curves of this step: `{"train": {"loss": 0.5}}` is one point of `train/loss`."""
        self._step = step
        if self._thread is not None:
            self._lines.put((step, dict(_scalars(values))))

    def final(self, metrics: Mapping[str, Any]) -> None:
        """What the finished run is judged by, at its last step."""
        self.log(self._step, {"final": metrics})

    def close(self, status: Status) -> None:
        """Wait until everything was told, no longer than PATIENCE."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._lines.put(status)
        thread.join(PATIENCE)
        if thread.is_alive():
            self._note(f"did not take everything within {PATIENCE:g} seconds of the end")

    def __enter__(self) -> Tracking:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close("finished")
        else:
            self.close("stopped" if issubclass(kind, Interrupted | KeyboardInterrupt) else "failed")

    def _send(self, session: Session) -> None:
        """The thread: pass lines on, up to the status, which is passed on even after a failure."""
        failed = False
        while True:
            line = self._lines.get()
            try:
                if isinstance(line, str):
                    session.close(line)
                elif not failed:
                    session.log(*line)
            except Exception as problem:
                if not failed:
                    at = "at the end" if isinstance(line, str) else f"at step {line[0]} and was told nothing more"
                    self._note(f"failed {at}: {_said(problem)}")
                failed = True
            if isinstance(line, str):
                return

    def _stored(self) -> str | None:
        """The id that an earlier session of this run had with the same tracker."""
        assert self._tracker is not None
        stored = read_json(self._file) if self._file.exists() else {}
        return stored.get("id") if stored.get("name") == self._tracker.name else None

    def _note(self, what: str) -> None:
        """The one note: of what comes first."""
        assert self._tracker is not None
        if not self.notes:
            self.notes.append(
                f"The tracker {self._tracker.name} {what}. The run went on; its own log holds everything."
            )
            self._remember()

    def _remember(self) -> None:
        assert self._tracker is not None
        write_json(self._file, {"name": self._tracker.name, "id": self._id, "notes": self.notes})

    @property
    def _file(self) -> Path:
        return self._folder / "tracker.json"


def _scalars(values: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, float]]:
    """Each number with its path; what is none (a text, a metric that is not defined) has no place on a curve."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{under}{name}/")
        elif isinstance(value, Real):
            yield f"{under}{name}", float(value)


def _said(problem: Exception) -> str:
    return f"{type(problem).__name__}: {' '.join(str(problem).split())}".rstrip(":. ")


@contextmanager
def _same_draws() -> Iterator[None]:
    """Afterwards all generators stand where they stood before: some trackers make up names with them."""
    python, arrays, tensors = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
        torch.set_rng_state(tensors)
