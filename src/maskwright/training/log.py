"""Two files of lines: `log.jsonl` holds facts that a repeat reproduces to the bit, `timings.jsonl` holds clocks."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from maskwright.base.errors import UserError
from maskwright.base.files import room


class Log:
    """Appends to both files and shows progress on a terminal."""

    def __init__(self, folder: Path, quiet: bool = False) -> None:
        self.folder = folder
        with room(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._facts = open(folder / "log.jsonl", "ab")  # noqa: SIM115 - closed in close()
            self._clocks = open(folder / "timings.jsonl", "ab")  # noqa: SIM115
        self.bar = Bar(quiet)

    def rewind(self, length: int) -> None:
        """Cut log.jsonl to the bytes that a checkpoint knew; the lines after them will be written again."""
        if os.fstat(self._facts.fileno()).st_size < length:
            raise UserError(f"{self.folder / 'log.jsonl'} is shorter than its checkpoint says. Start with --overwrite.")
        self._facts.truncate(length)

    def fact(self, **values: Any) -> None:
        self._write(self._facts, values)

    def clock(self, **values: Any) -> None:
        self._write(self._clocks, {"time": round(time.time(), 3), **values})

    def position(self) -> int:
        """Bytes of log.jsonl that are safely on disk."""
        self._facts.flush()
        os.fsync(self._facts.fileno())
        return os.fstat(self._facts.fileno()).st_size

    def close(self) -> None:
        self.bar.close()
        self._facts.close()
        self._clocks.close()

    @staticmethod
    def _write(file: Any, values: dict[str, Any]) -> None:
        with room(file.name):
            file.write((json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n").encode())
            file.flush()


class Silent(Log):
    """The log of a process that has process 0 speak for it."""

    def __init__(self) -> None:
        self.bar = Bar(quiet=True)

    def rewind(self, length: int) -> None: ...

    def fact(self, **values: Any) -> None: ...

    def clock(self, **values: Any) -> None: ...

    def position(self) -> int:
        return 0

    def close(self) -> None: ...


class Bar:
    """One line with the share done, the loss, tokens per second and the time left; nothing when not a terminal."""

    def __init__(self, quiet: bool = False) -> None:
        self.on = not quiet and sys.stderr.isatty()
        self._task: Any = None
        self._progress: Any = None

    def start(self, total: int, done: int) -> None:
        if not self.on:
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        from rich.console import Console

        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("", total=total, completed=done)
        self._progress.start()

    def show(self, step: int, loss: float, tokens_per_second: float) -> None:
        if self._progress is not None:
            words = f"loss {loss:.4f}  {tokens_per_second:,.0f} tokens/s"
            self._progress.update(self._task, completed=step, description=words)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
