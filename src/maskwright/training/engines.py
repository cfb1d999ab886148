"""How an objective is trained by one process or by several.

One alone trains the objective itself. With DDP each process has all weights, and gradients are summed over them. With
FSDP2 each has a share of every weight, of its gradient and of what an optimizer remembers of it; a block's weights are
made whole while the block computes. Either way gradients are sums, which the loop divides by the number of items of the
whole step: the mean over processes that both engines would take is taken back.
"""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn

from maskwright.base.errors import UserError
from maskwright.nn.encoder import Encoder
from maskwright.nn.lookup import gradients, kept_gradients
from maskwright.training.objective import Objective
from maskwright.training.parallel import World, launched
from maskwright.training.shards import own, owns, share, whole

Kind = Literal["none", "ddp", "fsdp"]


def kind_of(asked: Literal["auto", "none", "ddp", "fsdp"], world: World) -> Kind:
    """The engine for so many processes. Raises UserError for several that are to have none, or know nothing of each
    other."""
    if world.size == 1:
        if launched():
            raise UserError(
                f"torchrun started {os.environ['WORLD_SIZE']} processes, and this training is for one: each would do "
                "all of it. Start it without torchrun."
            )
        return "none"
    if asked == "none":
        raise UserError(
            f"{world.size} processes were started, and train.parallel=none lets them know nothing of each other. Give "
            "auto, ddp or fsdp, or start one process without torchrun."
        )
    return "ddp" if asked == "auto" else asked


def build(kind: Kind, objective: Objective, device: torch.device, world: World) -> Engine:
    """The engine of that kind around an objective that is on the device. Every process must call it."""
    if kind == "ddp":
        return Replicated(objective)
    return Sharded(objective, device, world) if kind == "fsdp" else Engine(objective)


class Engine:
    """One process. `objective` is whole, for evaluation and checkpoints; the weights of `trained` are those that move;
    for one process both are the same."""

    def __init__(self, objective: Objective) -> None:
        self.objective = self.trained = objective

    def __call__(self, batch: Any) -> tuple[Tensor, int, dict[str, float]]:
        found: tuple[Tensor, int, dict[str, float]] = self.trained(batch)
        return found

    def running(self) -> AbstractContextManager[None]:
        """Around all steps."""
        return kept_gradients(self.objective)

    def piece(self, last: bool) -> AbstractContextManager[Any]:
        """Around the forward and the backward pass of a piece; last: of its step, so that gradients are exchanged."""
        return nullcontext()

    def norm(self) -> float:
        """The norm of all gradients together."""
        return float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients(self.trained)))))

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Within it, and behind the last of them, `objective` has the weights of `trained`."""
        yield

    def load(self) -> None:
        """Give `trained` the weights of `objective`."""

    def collect(self) -> None:
        """Give `objective` the weights of `trained`, and its place on the device, for good."""


class Replicated(Engine):
    """DDP. All processes begin with the weights of process 0. A weight that no process used has no gradient."""

    def __init__(self, objective: Objective) -> None:
        super().__init__(objective)
        self._ddp = nn.parallel.DistributedDataParallel(_WithUnused(objective), find_unused_parameters=True)
        self._ddp.register_comm_hook(None, _sum)

    def __call__(self, batch: Any) -> tuple[Tensor, int, dict[str, float]]:
        found: tuple[Tensor, int, dict[str, float]] = self._ddp(batch)
        return found

    def running(self) -> AbstractContextManager[None]:
        return nullcontext()  # kept gradients are written where DDP does not see them

    def piece(self, last: bool) -> AbstractContextManager[Any]:
        return nullcontext() if last else self._ddp.no_sync()


class _WithUnused(nn.Module):
    """An objective beside a weight that nothing uses. Some objectives leave weights unused and some do not; DDP must
    look for them, and where it finds none it would warn of the time that looking takes."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.objective, self.unused = objective, nn.Parameter(next(objective.parameters()).new_zeros(1))

    def forward(self, batch: Any) -> Any:
        return self.objective(batch)


def _sum(state, bucket):  # type: ignore[no-untyped-def]  # DDP takes no annotations that are texts
    """Instead of DDP's mean over processes."""
    summed = dist.all_reduce(bucket.buffer(), async_op=True).get_future()
    return summed.then(lambda future: future.value()[0])


class Sharded(Engine):
    """FSDP2 of a copy of the objective, of which each process holds a share; gradients are exchanged with every piece,
    so that they are never whole either. `objective` lies in the host's memory, but for evaluation.

    A weight whose gradient is 0 in all its numbers has none, as with the other engines one that no piece used. Raises
    UserError for weights that are a single number without a shape, which FSDP2 does not cut.
    """

    def __init__(self, objective: Objective, device: torch.device, world: World) -> None:
        super().__init__(objective)
        single = [name for name, p in objective.named_parameters() if p.dim() == 0]
        if single:
            raise UserError(
                f"train.parallel=fsdp cuts weights along their first dimension, and {', '.join(single)} has none. Give "
                "train.parallel=ddp."
            )
        for parameter in objective.parameters():
            dist.broadcast(parameter.detach(), 0)
        self._device, self.trained = device, _cut(copy.deepcopy(objective), device, world)
        objective.to("cpu")

    def running(self) -> AbstractContextManager[None]:
        return nullcontext()

    def norm(self) -> float:
        """Also takes gradients away that are 0 everywhere."""
        learning = [p for p in self.trained.parameters() if p.grad is not None]
        squares = torch.stack([grad.square().sum() for grad in owns([p.grad for p in learning])])  # type: ignore[misc]
        dist.all_reduce(squares)
        for parameter, square in zip(learning, squares.tolist(), strict=True):
            if square == 0:
                parameter.grad = None
        return float(squares.sum().sqrt())

    @contextmanager
    def whole(self) -> Iterator[None]:
        self.collect()
        try:
            yield
        finally:
            self.objective.to("cpu")

    def collect(self) -> None:
        for cut, full in self._pairs():
            full.copy_(whole(cut, own(cut)))
        self.objective.to(self._device)

    def load(self) -> None:
        for cut, full in self._pairs():
            own(cut).copy_(share(cut, full))

    def _pairs(self) -> list[tuple[Tensor, Tensor]]:
        cut, full = dict(self.trained.named_parameters()), dict(self.objective.named_parameters())
        assert list(cut) == list(full), "a copy has the parameters of what it copies"
        return [(cut[name].detach(), full[name].detach()) for name in cut]


def _cut(trained: Objective, device: torch.device, world: World) -> Objective:
    """Every block by itself, and all else together, whole from the beginning of a forward pass to the end of the
    backward pass: word vectors are used at both ends of a network. All is together where passes differ from batch to
    batch, since a block that one process computes must be made whole by all."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard

    mesh = init_device_mesh(device.type, (world.size,))
    apart = blocks(trained) if trained.same_passes else []
    for module in (*apart, trained):
        fully_shard(module, mesh=mesh)
        assert isinstance(module, FSDPModule)
        module.set_gradient_divide_factor(1.0)
        module.set_force_sum_reduction_for_comms(True)  # gloo has no other, and sums are what we want
    assert isinstance(trained, FSDPModule)
    # Processes may use different weights, as with a mixture of objectives: all must exchange the same.
    trained.set_reduce_scatter_unused_params(True)
    return trained


def blocks(module: nn.Module) -> list[nn.Module]:
    """Blocks that stand at one layer and have their weights for themselves."""
    everywhere = _holders(module)
    found = []
    for encoder in (m for m in module.modules() if isinstance(m, Encoder)):
        layers = list(encoder.layers)
        for block in layers:
            inside = _holders(block)
            if layers.count(block) == 1 and all(everywhere[key] == inside[key] for key in inside):
                found.append(block)
    return found


def _holders(module: nn.Module) -> Counter[int]:
    """How many modules have each parameter."""
    return Counter(id(p) for m in module.modules() for p in m.parameters(recurse=False))
