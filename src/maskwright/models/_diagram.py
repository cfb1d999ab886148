"""A network drawn as text, from its modules: what stands where, with the shapes that are really there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from torch import nn

from maskwright.nn.dropout import Dropout
from maskwright.nn.lookup import Lookup
from maskwright.nn.pattern import Pattern

BAR, FORK = "  |", "  +-"


def diagram(network: nn.Module) -> list[str]:
    """From ids to what the network gives, from top to bottom; equal blocks are drawn once. T tokens, H their width."""
    encoder: Any = network.encoder
    out = ["ids (T)"]
    if not hasattr(encoder, "layers"):
        out += _box("encoder", encoder)
    else:
        out += _box("embeddings", encoder.embeddings)
        out.append(f"(T, {encoder.width})")
        if encoder.relative is not None:
            out += _box("relative positions, for every block", encoder.relative)
        drawn = [(_signature(block), block) for block in encoder.layers]
        for _, group in groupby(drawn, key=lambda pair: pair[0]):
            blocks = [block for _, block in group]
            shared = "" if len({id(b) for b in blocks}) == len(blocks) else ", the same one each time"
            out += _box(f"{len(blocks)} x {type(blocks[0]).__name__}{shared}", blocks[0])
        if encoder.norm is not None:
            out += _box("norm", encoder.norm)
    out.append(f"(T, {encoder.width})")
    for name in getattr(network, "parts", {}):
        out += _box(name, getattr(network, name))
    return out


def _box(title: str, module: nn.Module) -> list[str]:
    return [BAR, f"{FORK} {title}", *_leaves(module)]


def _leaves(module: nn.Module) -> list[str]:
    """One line for each module that has weights, or a pattern."""
    found = [(name, shape(part)) for name, part in module.named_modules() if shape(part)]
    width = max((len(name) for name, _ in found), default=0)
    return [f"{BAR}    {name:<{width}}  {said}" for name, said in found]


def shape(module: nn.Module) -> str:
    """In words; "" for what only holds others."""
    own = {name: tuple(p.shape) for name, p in module.named_parameters(recurse=False)}
    if isinstance(module, Lookup):
        return " x ".join(map(str, own["weight"]))
    if isinstance(module, nn.Linear):
        act = getattr(module, "activation", None)
        named = f", {getattr(act, '__name__', str(act)).strip('_')}" if act is not None else ""
        return f"{module.in_features} -> {module.out_features}{'' if module.bias is not None else ', no bias'}{named}"
    if isinstance(module, nn.LayerNorm):
        return f"LayerNorm {module.normalized_shape[0]}, eps {module.eps:g}"
    if isinstance(module, Dropout):
        return f"dropout {module.rate:g}" if module.rate else ""
    words = list(_extra(module))
    words += [f"{name} {' x '.join(map(str, size))}" for name, size in own.items()]
    return ", ".join(words)


def _extra(module: Any) -> Iterator[str]:
    heads = getattr(module, "heads", None)
    if isinstance(heads, int) and hasattr(module, "out"):
        yield f"{heads} heads of {module.out.in_features // heads}"
        pattern = getattr(module, "pattern", None)
        if isinstance(pattern, Pattern) and not pattern.is_full:
            sides = [(pattern.before, "before"), (pattern.after, "after")]
            told = [f"{'all' if side is None else side} {name}" for side, name in sides]
            yield f"sees {' and '.join(told)} it" + (" and what is marked" if pattern.marked else "")
        if getattr(module, "dropout", 0):
            yield f"dropout {module.dropout:g}"


def _signature(block: nn.Module) -> tuple[Any, ...]:
    return tuple((name, type(part).__name__, shape(part)) for name, part in block.named_modules())
