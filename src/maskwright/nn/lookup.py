"""A table of vectors, and ways to train it that cost what the rows in use cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Lookup(nn.Module):
    """(N,) indices -> (N, H) rows of `weight` (V, H)."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, width))  # drawn or read by whoever builds the network
        self.kept: KeptGradient | None = None
        self.places: Tensor | None = None  #: (V,) where each row stands while `weight` holds only some of them

    def forward(self, ids: Tensor) -> Tensor:
        if self.places is not None:
            ids = self.places[ids]
        if self.kept is None or not torch.is_grad_enabled():
            return F.embedding(ids, self.weight)
        vectors: Tensor = _Gather.apply(self.kept.leaf, self.weight.detach(), ids, self.kept)
        return vectors


class Narrowed:
    """Tables of which only the rows in use are trained: while it holds, `weight` of each is a table of those alone.

    tables: each (V, H); used: (K,) distinct row numbers; `weight` is then (K, H), and so is what an optimizer remembers
    of it. A row that no text uses keeps its value; weight decay would shrink it without a loss that could answer.
    """

    def __init__(self, tables: list[Lookup], used: Tensor) -> None:
        self._used = used.long()
        self._full = [(table, table.weight) for table in tables]
        self._few = [nn.Parameter(torch.empty_like(full[: len(used)])) for _, full in self._full]
        self._places = [torch.full((len(full),), -1, device=full.device) for _, full in self._full]
        for places in self._places:
            places[used.to(places.device)] = torch.arange(len(used), device=places.device)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Within it the tables are whole, as evaluation and checkpoints want them; they may be loaded anew."""
        self.leave()
        try:
            yield
        finally:
            self.enter()

    @torch.no_grad()
    def enter(self) -> None:
        for (table, full), few, places in zip(self._full, self._few, self._places, strict=True):
            few.copy_(full[self._used.to(full.device)])
            table.weight, table.places = few, places

    @torch.no_grad()
    def leave(self) -> None:
        for (table, full), few in zip(self._full, self._few, strict=True):
            full.index_copy_(0, self._used.to(full.device), few)
            table.weight, table.places = full, None


@contextmanager
def narrowed(module: nn.Module, tables: list[Lookup], used: Tensor | None) -> Iterator[Narrowed]:
    """Within it `tables` of `module` hold only the rows `used` (K,), which must be all that batches ask for.

    Nothing is narrowed where that is not known (None), where a table is not trained, or where another module has it too
    (a tied decoder reads all rows).
    """
    shared = Counter(id(p) for m in module.modules() for p in m.parameters(recurse=False))
    fit = [t for t in tables if t.weight.requires_grad and shared[id(t.weight)] == 1]
    found = Narrowed(fit if used is not None else [], torch.empty(0) if used is None else used)
    found.enter()
    try:
        yield found
    finally:
        found.leave()


class KeptGradient:
    """One (V, H) gradient for a whole training run, of which only the rows seen are written and cleared.

    torch makes and zeroes a new one in each step: 47 MB for MiniLM, of which 500 rows are then used. `weight.grad` is
    this tensor from the backward pass until `zero_grad()` takes it away. Where the table has another use (a tied
    decoder), the gradient of that one covers all rows, and all are cleared.
    """

    def __init__(self, weight: Tensor) -> None:
        self.weight, self.gradient = weight, torch.zeros_like(weight)
        # Lookups hang on this leaf in the graph. On the weight they would call the hook below, with no gradient.
        self.leaf = torch.zeros(0, requires_grad=True)
        self.written: list[Tensor] = []
        self.all_written = False
        self.hook = weight.register_post_accumulate_grad_hook(self._other_use)

    def _other_use(self, weight: Tensor) -> None:
        self.all_written = True

    def add(self, ids: Tensor, vectors: Tensor) -> None:
        """Add the gradients of rows `ids` (N,), `vectors` (N, H), to `weight.grad`."""
        weight = self.weight
        if weight.grad is not self.gradient:  # the first of a step
            self._clear()
            if weight.grad is not None:
                self.gradient.add_(weight.grad)
                self.all_written = True
            weight.grad = self.gradient
        self.gradient.index_add_(0, ids, vectors.to(self.gradient.dtype))
        self.written.append(ids)

    @property
    def rows(self) -> Tensor:
        """The gradient without rows that are known to be 0."""
        if self.all_written or sum(map(len, self.written)) >= len(self.gradient):
            return self.gradient
        return self.gradient.index_select(0, torch.cat(self.written).unique())

    def _clear(self) -> None:
        if self.all_written:
            self.gradient.zero_()
        else:
            for ids in self.written:
                self.gradient.index_fill_(0, ids, 0.0)
        self.written, self.all_written = [], False


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, leaf: Tensor, weight: Tensor, ids: Tensor, kept: KeptGradient) -> Tensor:
        ctx.ids, ctx.kept = ids, kept
        return F.embedding(ids, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        ctx.kept.add(ctx.ids, grads[0])
        return None, None, None, None


def gradients(module: nn.Module) -> list[Tensor]:
    """All gradients of a module, for a norm: of kept ones only the rows that were written."""
    kept = {id(m.weight): m.kept for m in module.modules() if isinstance(m, Lookup) and m.kept is not None}
    found = []
    for parameter in module.parameters():
        if parameter.grad is not None:
            mine = kept.get(id(parameter))
            found.append(mine.rows if mine is not None and parameter.grad is mine.gradient else parameter.grad)
    return found


@contextmanager
def kept_gradients(module: nn.Module) -> Iterator[None]:
    """Within it the tables of `module` keep their gradients. Only for `loss.backward()` in one process: gradients are
    written in place, where `torch.autograd.grad` and the hooks of data-parallel engines do not see them."""
    tables = [m for m in module.modules() if isinstance(m, Lookup) and m.weight.requires_grad]
    for table in tables:
        table.kept = KeptGradient(table.weight)
    try:
        yield
    finally:
        for table in tables:
            if table.kept is not None:
                table.kept.hook.remove()
            table.kept = None
