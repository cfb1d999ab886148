"""Blocks made by several processes, at most a few of them waiting, whatever the size of the input."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing.connection import wait

from maskwright.base.errors import UserError
from maskwright.data.corpus.blocks import Task, make

AHEAD = 3  #: blocks a process that are made or wait


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_all(tasks: Iterable[Task], workers: int) -> Iterator[Task]:
    """Make the block of each task; yields tasks in their order when their files are written.

    One process alone, or one block alone, needs no others. Raises UserError when a process dies.
    """
    stream = iter(tasks)
    first = list(islice(stream, 2))
    if workers == 1 or len(first) < 2:
        for task in chain(first, stream):
            make(task)
            yield task
        return
    yield from _in_processes(chain(first, stream), workers)


def _in_processes(tasks: Iterator[Task], workers: int) -> Iterator[Task]:
    # Never a fork of this process: it may have threads (tensors, tokenizers), and those do not survive one.
    kind = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(kind)
    waiting: deque[tuple[Task, Future[None]]] = deque()
    pool = ProcessPoolExecutor(workers, context, initializer=_stand_by)
    try:
        for task in tasks:
            waiting.append((task, pool.submit(make, task)))
            if len(waiting) >= AHEAD * workers:
                yield _finished(*waiting.popleft())
        while waiting:
            yield _finished(*waiting.popleft())
    except BrokenProcessPool:
        raise UserError(
            "A process that cleans text died: the memory may have run out, or a script that calls build does so "
            "outside of `if __name__ == '__main__':`. Use fewer processes (--workers 1), or mend that; blocks that "
            "were finished are kept (--resume)."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _finished(task: Task, future: Future[None]) -> Task:
    future.result()
    return task


def _stand_by() -> None:
    """Ctrl-C is for the parent to handle; and when the parent is killed, nobody waits for this process any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
