"""Modules in words, for `_diagram`: what they are made of, with the shapes that are really there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from maskwright.models._trace import TOKENS, Apply, Call, Use
from maskwright.nn.dropout import Dropout
from maskwright.nn.lookup import Lookup
from maskwright.nn.neighbours import Convolution
from maskwright.nn.pattern import Pattern

#: parts that need no name in a line of several: their place says what they are
PLAIN = {"qkv", "out", "into", "dense", "norm", "word", "last", "own", "table"}


def described(call: Call, modules: dict[str, nn.Module]) -> Iterator[str]:
    """What a module is, from its parts in the order in which they run."""
    plain = shape(call.module)
    if plain:
        yield plain
        return
    last, extra = getattr(call.module, "out", None), list(between(call.module))
    seen: set[str] = set()
    for item in call.items:
        if isinstance(item, Call) and item.name not in seen:
            if item.module is last:
                yield from extra
                extra = []
            said = ", ".join(described(item, modules))
            name = item.name.rpartition(".")[2]
            yield said if name in PLAIN or name.isdigit() else f"{name} {said}"
            seen |= {item.name, *(f"{item.name}.{name}" for name, _ in item.module.named_parameters())}
        elif isinstance(item, Apply):
            yield f"{item.name}(one half) * other half" if _is_gated(call.module) else item.name
        elif isinstance(item, Use) and item.name not in seen:
            owner = item.name.rpartition(".")[0]
            mine = owner == call.name or owner.startswith(f"{call.name}.")
            if mine and owner != call.name and (words := shape(modules[owner])):
                yield words
                seen |= {f"{owner}.{name}" for name, _ in modules[owner].named_parameters()}
            elif mine:
                yield f"{short(item.name)} {size_of(modules, item.name)}"
            else:
                yield f"times {owner.removeprefix('encoder.')} {size_of(modules, item.name)}"
            seen.add(item.name)
    yield from extra
    for name, module in call.module.named_modules(prefix=call.name):
        own = [f"{name}.{n}" for n, _ in module.named_parameters(recurse=False)]
        if own and not seen.intersection(own) and name != call.name:
            yield f"{short(name)} {shape(module)}"
        if isinstance(module, Dropout) and module.rate:
            yield f"dropout {module.rate:g}"


def without_biases(module: nn.Module, said: str) -> str:
    """What is true of all products of a line is said once."""
    biases = [part.bias is not None for part in module.modules() if isinstance(part, nn.Linear)]
    return said if any(biases) or len(biases) < 2 else said.replace(", no bias", "") + ", no biases"


def shape(module: nn.Module) -> str:
    """A module without parts, in words; "" for another one."""
    if isinstance(module, Lookup):
        return " x ".join(map(str, module.weight.shape))
    if isinstance(module, nn.Linear):
        act = getattr(module, "activation", None)
        named = "" if act is None else f", {function(act)}"
        return f"{module.in_features} -> {module.out_features}{'' if module.bias is not None else ', no bias'}{named}"
    if isinstance(module, nn.LayerNorm):
        return f"LayerNorm {module.normalized_shape[0]}, eps {module.eps:g}"
    if isinstance(module, nn.LSTM):
        out = module.proj_size or module.hidden_size
        both = "both directions, each " if module.bidirectional else ""
        return f"LSTM, {both}{module.input_size} -> {module.hidden_size} cells -> {out}"
    if isinstance(module, Convolution):
        groups = f", {module.groups} groups" if module.groups > 1 else ""
        return f"{module.weight.shape[0]} -> {len(module.bias)} over {module.size} tokens{groups}"
    if [*module.children()] or hasattr(module, "span"):
        return ""
    own = dict.fromkeys(_sizes(p) for p in module.parameters())
    return ", ".join([f"{type(module).__name__} {', '.join(own)}".strip(), *between(module)])


def between(module: Any) -> Iterator[str]:
    """What stands between a module's products."""
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
    if terms := getattr(module, "terms", ()):
        yield f"terms {' and '.join(terms)}"
    if bases := getattr(module, "bases", ()):
        yield f"bases {' and '.join(f'{base:,.0f}' for base in bases)}"


def _is_gated(module: Any) -> bool:
    return hasattr(module, "into") and bool(module.into.out_features == 2 * module.out.in_features)


def drops(call: Call) -> str:
    """The rate of dropout in a block."""
    rates = [module.rate for module in call.module.children() if isinstance(module, Dropout) and module.rate]
    return f", dropout {rates[0]:g}" if rates else ""


def function(act: Any) -> str:
    return str(getattr(act, "__name__", act)).strip("_")


def _sizes(tensor: Any) -> str:
    return " x ".join(map(str, tensor.shape))


def size_of(modules: dict[str, nn.Module], name: str) -> str:
    """Of the parameter of that name."""
    owner, _, own = name.rpartition(".")
    return _sizes(getattr(modules[owner], own))


def dimensions(size: Sequence[int]) -> str:
    """The text has TOKENS tokens; one vector of it has no dimension for them."""
    first = [] if size[:1] == (1,) else ["T" if size[0] == TOKENS else str(size[0])] if size else []
    return f"({', '.join([*first, *map(str, size[1:])])})"


def short(name: str) -> str:
    """The last name, with its number where it is one of several."""
    words = name.split(".")
    first = max((i for i, word in enumerate(words) if not word.isdigit()), default=0)
    return ".".join(words[first:])
