"""A bar on a terminal: the share of the input that is done and the time left."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any


class Progress:
    """Bytes done of `total`; nothing where stderr is no terminal, or when it shall be quiet. A context."""

    def __init__(self, total: int, quiet: bool = False) -> None:
        self._bar: Any = None
        if quiet or not sys.stderr.isatty():
            return
        from rich import progress
        from rich.console import Console

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TimeRemainingColumn(),
        )
        self._bar = progress.Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("reading", total=total)

    def show(self, done: int, doing: str = "reading") -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description=doing)

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
