"""Several processes of one run, as `torchrun` starts them: who is who, and what they say to each other.

Weights and gradients go through `training.engines`. Here are the few words beside them: counts, decisions, errors.
Everything said here goes through the host (gloo), also where gradients go from GPU to GPU (NCCL).
"""

from __future__ import annotations

import gc
import os
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from maskwright.base import draws, runtime
from maskwright.base.errors import UserError
from maskwright.nn.dropout import noise

TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
#: of which one stands in every error that a lost connection gives; gloo's have no class of their own
LOST = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer", "pair closure")

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """`size` processes, of which this is `rank`, from 0. All of its methods but `leads` must be called by all of them.

    One alone by default, for which every method is what its docstring says of one value, with no process group.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is process 0, which alone writes files and shows things."""
        return self.rank == 0

    def each(self, mine: T) -> list[T]:
        """What each process has, by rank."""
        if self.size == 1:
            return [mine]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, mine)
        return found

    def highest(self, *numbers: int) -> list[int]:
        """The largest that any process has, of each number."""
        if self.size == 1:
            return list(numbers)
        found = torch.tensor(numbers, dtype=torch.int64)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return found.tolist()

    def first(self, make: Callable[[], T]) -> T:
        """What process 0 makes; the others wait for it. Where it raises, so do they, with a UserError."""
        if self.size == 1:
            return make()
        told: list[Any] = [None, None]
        if self.leads:
            try:
                told[0] = make()
            except BaseException as problem:
                dist.broadcast_object_list([None, f"{type(problem).__name__}: {problem}"])
                raise
        dist.broadcast_object_list(told)
        if told[1] is not None:
            raise UserError(f"Process {self.rank} of {self.size} ends with process 0, which says: {told[1]}")
        found: T = told[0]
        return found

    def part(self) -> None:
        """Give each process random numbers of its own for dropout; process 0 keeps those that it has.

        Masks are not touched by this: they follow from the numbers of the rows (`base.draws`).
        """
        if self.rank > 0:
            words = noise.state()["words"]
            noise.seed(int(draws.bits(words[0] & (2**63 - 1), self.rank) >> 1))
            torch.manual_seed(int(draws.bits(torch.initial_seed() & (2**63 - 1), self.rank) >> 1))


ALONE = World()


def launched() -> bool:
    """Whether `torchrun` started this process beside others."""
    return all(name in os.environ for name in TORCHRUN) and int(os.environ["WORLD_SIZE"]) > 1


@contextmanager
def joined(device: str = "auto", minutes: float = 30.0) -> Iterator[World]:
    """Within it this process is one of those that `torchrun` started; without torchrun it is alone.

    device: `Train.device`. Each process takes a GPU of its own, or all compute on the CPU. minutes: how long one waits
    for another, before it takes it for lost. A group that is there already is used and left as it was. Raises UserError
    where there are more processes than GPUs, and when another process is lost.
    """
    if dist.is_available() and dist.is_initialized():
        yield World(dist.get_rank(), dist.get_world_size())
        return
    if not launched():
        yield ALONE
        return
    with naming_the_lost(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])):
        dist.init_process_group(_backend(device), timeout=timedelta(minutes=minutes))
        try:
            yield World(dist.get_rank(), dist.get_world_size())
        except BaseException as problem:
            traceback.clear_frames(problem.__traceback__)  # they hold what holds the group
            raise
        finally:
            gc.collect()  # a group that is still held would outlive this, and end the process with an abort
            dist.destroy_process_group()


def _backend(name: str) -> str:
    """What carries tensors, with this process's own accelerator made the current one."""
    kind, here = runtime.device(name), int(os.environ["LOCAL_RANK"])
    if kind.type == "cpu":
        return "gloo"
    if ":" in name:
        raise UserError(
            f"train.device={name} is one device, and several processes were started. Give {kind.type}: each process "
            "takes its own."
        )
    count = torch.accelerator.device_count()
    if here >= count:
        raise UserError(
            f"torchrun started process {here} on this machine, counted from 0, which has {count} {kind.type} devices: "
            f"each process needs its own. Give --nproc-per-node {count}, or train.device=cpu."
        )
    torch.accelerator.set_device_index(here)
    return f"cpu:gloo,{kind.type}:{dist.get_default_backend_for_device(kind.type)}"


@contextmanager
def naming_the_lost(rank: int, size: int, advice: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Within it the error that a connection to another process gives becomes a UserError. advice: how to go on."""
    try:
        yield
    except RuntimeError as problem:
        if size == 1 or not is_lost(problem):
            raise
        why = re.sub(r"^.*(\.\w+:\d+\]|Error:) ", "", str(problem).splitlines()[0]).partition(". ")[0]
        raise UserError(
            f"Process {rank} of {size} has lost another one, which ended, was killed, or did not answer within "
            f"train.timeout_minutes ({why}). What it said itself, or what torchrun says of it, is the cause. "
            f"{advice()}".rstrip()
        ) from problem


def is_lost(problem: BaseException) -> bool:
    """Whether an error says that another process is not there."""
    kinds = (dist.DistError,) if dist.is_available() else ()
    return isinstance(problem, kinds) or any(mark in str(problem) for mark in LOST)
