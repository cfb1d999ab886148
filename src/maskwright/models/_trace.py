"""What a network does with one text, recorded while it runs: calls of modules, weights and sums, in their order.

Weights may be without memory (torch's meta device): what is computed with one becomes zeros of the shape that it would
have. What is computed from the batch alone, such as places and distances, is real, so that all decisions are taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.dropout import Dropout

TOKENS = 7  #: of the text; a dimension of this size at the front is one of tokens
ACTIVATIONS = torch.ops.aten.gelu, torch.ops.aten.relu, torch.ops.aten.silu, torch.ops.aten.tanh
SILENT = Dropout, nn.Identity, nn.ModuleList  #: no steps of a computation


@dataclass(eq=False)
class Field:
    """Of the batch: ids, positions or segments."""

    name: str
    at: int = -1


@dataclass(eq=False)
class Call:
    """Of a module. What it gave was made at the time `at`, so that of two makers the later one can be told."""

    name: str  #: dotted, from the network; "" is the network
    module: nn.Module
    reads: list[Maker] = field(default_factory=list)  #: who made the vectors that it was given
    items: list[Call | Sum | Join | Use | Apply] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)  #: of what it gave
    at: int = 0


@dataclass(eq=False)
class Sum:
    """Of vectors that different steps made."""

    sources: list[Maker]
    at: int


@dataclass(eq=False)
class Use:
    """Of a weight, by whoever is called at that time."""

    name: str


@dataclass(eq=False)
class Join:
    """Vectors of different steps side by side."""

    sources: list[Maker]
    at: int


@dataclass(eq=False)
class Apply:
    """Of an activation that no product has in itself."""

    name: str


Maker = Field | Call | Sum | Join


def trace(network: Any) -> Call:
    """The network's call with one text. Its weights, formats and random numbers are left alone."""
    tokens = min(TOKENS, network.encoder.limit or TOKENS)
    ids, segments = torch.zeros(2, tokens, dtype=torch.int64)
    batch = Batch.packed(ids, [tokens], segments, marked=torch.arange(tokens) == tokens - 1)
    recorder = _Recorder(network)
    for name in ("ids", "positions", "segments"):
        getattr(batch, name).made_by = Field(name)
    with _at_rest(network), recorder.hooked(network), torch.no_grad(), recorder:
        network(batch)
    return recorder.root


@contextmanager
def _at_rest(network: nn.Module) -> Iterator[None]:
    """Nothing is dropped, no kernel is called that wants memory, and LSTMs give zeros."""
    training = {module: module.training for module in network.modules()}
    lstms = [module for module in network.modules() if isinstance(module, nn.LSTM)]
    onednn = torch.backends.mkldnn.enabled
    network.eval()
    torch.backends.mkldnn.enabled = False
    for lstm in lstms:
        lstm.forward = _zeros_of(lstm)  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = onednn
        for lstm in lstms:
            del lstm.forward
        for module, was in training.items():
            module.training = was


def _zeros_of(lstm: nn.LSTM) -> Any:
    width = (lstm.proj_size or lstm.hidden_size) * (1 + lstm.bidirectional)
    return lambda packed: (PackedSequence(packed.data.new_zeros(len(packed.data), width), *packed[1:]), None)


class _Recorder(TorchDispatchMode):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.weights = {id(p): name for name, p in network.named_parameters()}
        self.root = Call("", network)
        self.stack = [self.root]
        self.time = 0

    @contextmanager
    def hooked(self, network: nn.Module) -> Iterator[None]:
        """Calls of modules are recorded; a module that stands at two places has the name of the first."""
        hooks = []
        for name, module in network.named_modules():
            if not isinstance(module, SILENT):
                enter = self._enter(name) if name else _nothing
                hooks.append(module.register_forward_pre_hook(enter, with_kwargs=True))
                hooks.append(module.register_forward_hook(self._leave))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, name: str) -> Any:
        def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
            vectors = [t for t in _tensors([args, kwargs]) if t.is_floating_point()]
            reads = list(dict.fromkeys(maker for maker in map(_maker, vectors) if maker is not None))
            call = Call(name, module, reads)
            self.stack[-1].items.append(call)
            self.stack.append(call)

        return enter

    def _leave(self, module: nn.Module, args: Any, out: Any) -> None:
        call = self.stack[-1] if len(self.stack) == 1 else self.stack.pop()
        call.at = self._tick()
        given = list(_tensors(out))
        call.shapes = [tuple(t.shape) for t in given]
        for t in given:
            t.made_by = call  # type: ignore[attr-defined]

    def _tick(self) -> int:
        self.time += 1
        return self.time

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        self.stack[-1].items += [Use(self.weights[id(t)]) for t in given if id(t) in self.weights]
        made_by: Maker | None = None
        if func is torch.ops.aten.add.Tensor:
            made_by = self._sum(given)
        elif func is torch.ops.aten.cat.default:
            made_by = self._join(given)
        elif func.overloadpacket in ACTIVATIONS:
            variant = "_tanh" if kwargs.get("approximate") == "tanh" else ""
            self.stack[-1].items.append(Apply(func.overloadpacket.__name__ + variant))
        makers = [maker for maker in map(_maker, given) if maker is not None]
        made_by = made_by or max(makers, key=lambda maker: maker.at, default=None)
        out = _computed(func, args, kwargs, given)
        written = [t for t in tree_leaves(out) if isinstance(t, Tensor)]
        if func._schema.is_mutable:  # what is written into a part is written into the whole
            written += [t._base for t in written if t._base is not None]
        for t in written:
            if made_by is not None and id(t) not in self.weights:
                t.made_by = made_by  # type: ignore[attr-defined]
        return out

    def _sum(self, given: list[Tensor]) -> Sum | None:
        """Recorded where vectors of different makers are added, one of them within the module that is called."""
        items = self.stack[-1].items
        if len(given) != 2 or given[0].shape != given[1].shape or given[0].dim() < 2:
            return None
        one, other = map(_maker, given)
        inside = any(maker in items or isinstance(maker, Field) for maker in (one, other))
        if not given[0].is_floating_point() or one is None or other is None or one is other or not inside:
            return None
        last = items[-1]
        if isinstance(last, Sum) and last in (one, other):  # a sum of three and more
            last.sources += [maker for maker in (one, other) if maker is not last and maker not in last.sources]
            last.at = self._tick()
            return last
        items.append(Sum([one, other], self._tick()))
        return items[-1]

    def _join(self, given: list[Tensor]) -> Join | None:
        """Recorded where vectors of different steps of one module are set side by side."""
        items, makers = self.stack[-1].items, list(dict.fromkeys(map(_maker, given)))
        if len(makers) < 2 or not all(isinstance(maker, Call) and maker in items for maker in makers):
            return None
        last = items[-1]
        if isinstance(last, Join) and last.sources == makers:  # the same of another layer
            return last
        items.append(Join(makers, self._tick()))  # type: ignore[arg-type]
        return items[-1]  # type: ignore[return-value]


def _computed(func: Any, args: Any, kwargs: Any, given: list[Tensor]) -> Any:
    """What an operation gives; where some tensors have no memory, zeros."""
    if len({t.is_meta for t in given}) < 2:
        return func(*args, **kwargs)
    args, kwargs = tree_map(lambda x: x.to("meta") if isinstance(x, Tensor) else x, (args, kwargs))
    out = func(*args, **kwargs)
    return tree_map(lambda x: torch.zeros(x.shape, dtype=x.dtype) if isinstance(x, Tensor) else x, out)


def _tensors(x: Any) -> Iterator[Tensor]:
    """In lists, dictionaries and dataclasses too, but for those of the batch."""
    if isinstance(x, Tensor):
        yield x
    elif isinstance(x, list | tuple | dict):
        for one in x.values() if isinstance(x, dict) else x:
            yield from _tensors(one)
    elif is_dataclass(x) and not isinstance(x, Batch | Chosen):
        for one in fields(x):
            yield from _tensors(getattr(x, one.name))


def _maker(t: Tensor) -> Maker | None:
    found: Maker | None = getattr(t, "made_by", None)
    return found


def _nothing(module: nn.Module, args: Any, kwargs: Any) -> None:
    return None
