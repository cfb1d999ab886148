"""Random tiny configurations of any family, drawn by the names and types of its fields."""

from __future__ import annotations

import operator
import random
import typing
from typing import Any

from pydantic import ValidationError

from maskwright.nn.activations import ACTIVATIONS

LENGTHS = [7, 1, 16, 3, 16, 2, 11]
SPECIALS = 4  #: ids below are left to padding and the like
_EPS = (1e-12, 1e-5, 1e-3, 1e-7)


def draw_config(kind: Any, seed: int) -> Any:
    """A size with odd numbers; between them ten seeds give every switch both its values."""
    source = random.Random(seed)
    for _ in range(200):
        try:
            return kind.Config(**_fields(kind, source, seed))
        except ValidationError:  # a combination that the family refuses, as its reference does
            continue
    raise AssertionError(f"no configuration of {kind.__name__} was found")


def _fields(kind: Any, source: random.Random, seed: int) -> dict[str, Any]:
    rotary = "full_base" in kind.Config.model_fields
    heads, each = source.choice([1, 2, 3, 5]), source.choice([4, 8] if rotary else [3, 4, 7, 8])
    layers = source.choice([1, 2, 3])
    known: dict[str, Any] = {
        "vocabulary": source.randrange(31, 98, 2),
        "heads": heads,
        "width": heads * each,
        "narrow": heads * source.choice([3, 4, 7]),
        "layers": layers,
        "groups": source.randint(1, layers),
        "inner_groups": source.choice([1, 2]),
        "inner": source.randrange(9, 50, 2),
        "embedding": source.choice([heads * each, 9, 14]),
        "out_embedding": source.choice([11, 20]),
        "positions": source.randrange(21, 41),
        "activation": list(ACTIVATIONS)[seed % len(ACTIVATIONS)],
        "pooler_activation": source.choice(["gelu", "tanh"]),
        "classifier_activation": source.choice(["gelu", "relu"]),
        "convolution_activation": source.choice(["gelu", "tanh"]),
        "eps": _EPS[seed % 4],
        "padding": source.choice([0, 3]),
        "initial_std": source.choice([0.02, 0.05]),
        "buckets": source.choice([-1, 4, 6]),
        "furthest": source.choice([-1, 5, 9]),
        "norm_relative": source.choice(["none", "layer_norm"]),
        "convolution": [0, 3][seed % 2],
        "convolution_groups": [1, each][seed // 2 % 2],
        "terms": [["c2p"], ["p2c"], ["c2p", "p2c"], ["p2c", "c2p"], []][seed % 5],
        "kinds": [source.choice(["full_attention", "sliding_attention"]) for _ in range(layers)],
        "window": source.choice([2, 4, 8] if rotary else [4, 8] if seed % 2 else [[4, 8, 4][:layers]]),
        "feedforwards": source.choice([1, 2, 3]),
        "full_base": source.choice([160_000.0, 500.0]),
        "sliding_base": source.choice([10_000.0, 80.0]),
        "separator": 2,
    }
    if "segments" in kind.Config.model_fields:
        default = kind.Config.model_fields["segments"].default
        known["segments"] = [default, 1, 2][seed % 3]
    drawn = {}
    for name, field in kind.Config.model_fields.items():
        if name in known:
            drawn[name] = known[name]
        elif field.annotation is bool:
            drawn[name] = source.random() < 0.5
        elif typing.get_origin(field.annotation) is typing.Literal:
            drawn[name] = source.choice(typing.get_args(field.annotation))
    return drawn


#: of fields that are no plain switches: what says which case of it a configuration is, and all of the cases
CASES: dict[str, tuple[Any, set[Any]]] = {
    "norm_relative": (lambda c: c.norm_relative, {"none", "layer_norm"}),
    "convolution": (lambda c: c.convolution > 0, {True, False}),
    "convolution_groups": (lambda c: c.convolution > 0 and c.convolution_groups > 1, {True, False}),
    "buckets": (lambda c: c.relative and c.buckets > 0, {True, False}),
    "furthest": (lambda c: c.relative and c.furthest > 0, {True, False}),
    "terms": (lambda c: frozenset(c.terms), {frozenset(t) for t in ((), ("c2p",), ("p2c",), ("c2p", "p2c"))}),
    "kinds": (lambda c: frozenset(k[0] for k in c.layer_kinds), {frozenset(k) for k in ("f", "s", "fs")}),
    "window": (lambda c: type(c.window), {int, list}),
    "embedding": (lambda c: c.embedding == c.width, {True, False}),
    "segments": (lambda c: c.segments > 1, {True, False}),
}


def cases(kind: Any) -> dict[str, tuple[Any, set[Any]]]:
    """Fields with few cases: what says which one a configuration is, and all that there are."""
    found: dict[str, tuple[Any, set[Any]]] = {}
    for name, field in kind.Config.model_fields.items():
        if field.annotation is bool:
            found[name] = operator.attrgetter(name), {True, False}
        elif typing.get_origin(field.annotation) is typing.Literal:
            found[name] = operator.attrgetter(name), set(typing.get_args(field.annotation))
        elif name in CASES and not (name == "window" and field.annotation is int):
            found[name] = CASES[name]
    return found


_TINY = {
    "layers": 2, "width": 24, "heads": 3, "inner": 36, "vocabulary": 53, "positions": 70,
    "embedding": 12, "out_embedding": 10, "narrow": 12, "window": 8,
}  # fmt: skip


def tiny(kind: Any) -> Any:
    """The family's default configuration with small sizes."""
    return kind.Config(**{k: v for k, v in _TINY.items() if k in kind.Config.model_fields})
