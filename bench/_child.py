"""Arms as processes: each side computes in a process of its own, and the driver hands out the work in turns.

A child is `python -m MODULE --child`. It reads one request a line and answers one line, both JSON. While it waits it
computes nothing, so that two sides can be timed in turns seconds apart, each with a memory peak that is its own.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from bench._measure import ROOT, cache_folder


class ArmFailed(Exception):
    """A side that raised, died or ran past its limit; says which and where its log is."""


class Child:
    """One side of a measurement. Use it as a context: leaving ends the process and those that it started."""

    def __init__(self, module: str, name: str, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = cache_folder("logs") / f"{module.rpartition('.')[2]}-{name.replace(' ', '-')}.log"
        self._log = self.log.open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, "--child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=ROOT,
            env={**os.environ, "HF_HUB_OFFLINE": "1", **(env or {})},
            start_new_session=True,
        )

    def ask(self, request: Mapping[str, Any], limit: float | None = None) -> dict[str, Any]:
        """Send one request and wait for its answer, at most `limit` seconds. Raises ArmFailed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ArmFailed(f"{self.name}: the process was gone. {self._tail()}") from None
        if not select.select([self._process.stdout], [], [], limit)[0]:
            self.close(now=True)
            raise ArmFailed(f"{self.name}: no answer within its limit of {limit:g} s.")
        line = self._process.stdout.readline()
        if not line:
            raise ArmFailed(f"{self.name}: the process ended with {self._process.wait()}. {self._tail()}")
        answer: dict[str, Any] = json.loads(line)
        if "raised" in answer:
            raise ArmFailed(f"{self.name}: {answer['raised']}. {self._tail()}")
        return answer

    def close(self, now: bool = False) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._process.poll() is None and not now:
            self._process.stdin.close()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                now = True
        if now and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close(now=error is not None)

    def _tail(self) -> str:
        self._log.flush()
        lines = Path(self.log).read_text(errors="replace").strip().splitlines()[-3:]
        return f"Log: {self.log.relative_to(ROOT)}, which ends: " + " / ".join(lines)


def serve(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """The child's side: answer requests until the driver closes the pipe. What is printed meanwhile goes to the log."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except Exception as problem:
            traceback.print_exc()
            reply = {
                "raised": f"{type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''}"[:400]
            }
        print(json.dumps(reply), file=replies, flush=True)
