"""Floating-point operations of one text, part by part: what a multiplication and an addition count as two of."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Any

from torch import nn

from maskwright.nn.block import Attention, Block
from maskwright.nn.disentangled import DisentangledAttention, OfDistances, RelativeVectors
from maskwright.nn.neighbours import Convolution
from maskwright.nn.pattern import FULL, Pattern


def flops(network: Any, length: int, asked: int | None = None) -> dict[str, int]:
    """Of the matrix products for one text of `length` tokens, by the parts that `show` lists. asked: of how many tokens
    the head reads the states, where not of all; of the last block of most families no more is computed (`spared`).

    Lookups, norms, activations and sums are left out: they are a hundredth of it. A block that stands at several layers
    counts at each, one that a head applies again (`steps`) at each time. What reads one vector of a text counts once
    for it, what reads vectors of distances once for each in use. Of Longformer no token is marked.
    """
    encoder: Any = network.encoder
    layers = list(getattr(encoder, "layers", ()))
    layers += layers[-1:] * (getattr(network, "steps", 1) - 1)
    times = Counter(map(id, layers))
    relative = getattr(encoder, "relative", None)
    vectors = relative.used(length) if isinstance(relative, RelativeVectors) else 0
    total: Counter[str] = Counter()
    inside: dict[int, int] = {}  # each module of a block -> how often the block stands
    for layer in layers:
        inside |= {id(module): times[id(layer)] for module in layer.modules()}
    for name, module in network.named_modules():
        every = name.startswith(("encoder.", "masked_lm")) or not network.pooled
        read = length if asked is None or name.startswith("encoder.") else asked
        rows = vectors if isinstance(module, OfDistances) else read if every else 1
        times_here = inside.get(id(module), 1)
        if count := products(module, rows):
            part = part_of(f"{name}.weight")[0] or [*network.parts][-1]  # of the network itself: with its last part
            total[part] += count * times_here
        if count := between_tokens(module, length, vectors):
            total[part_of(f"{name}.out.weight")[0]] += count * times_here
    if asked is not None and layers:
        last = next(name for name, module in network.named_modules() if module is layers[-1])
        for child, count in spared(layers[-1], length, asked).items():
            total[part_of(f"{last}.{child}.weight")[0]] -= count
    return dict(total)


def spared(block: nn.Module, length: int, asked: int) -> dict[str, int]:
    """What a last block leaves out when `asked` of `length` tokens are: all behind attention of the others, and in
    plain attention their queries too, which look at every key."""
    if not isinstance(block, Block):
        return {}
    attention, others = block.attention, length - asked
    out = sum(products(module, others) for module in attention.out.modules())
    if asks_less(block):
        width = attention.out.in_features
        out += 2 * others * attention.qkv.in_features * width + between_tokens(attention, length) * others // length
    return {"attention": out, "feedforward": sum(products(module, others) for module in block.feedforward.modules())}


def asks_less(block: nn.Module) -> bool:
    """Whether a block's attention is computed for the asked tokens alone."""
    return isinstance(block, Block) and isinstance(block.attention, Attention)


def products(module: nn.Module, rows: int) -> int:
    """Of one module's own weights, applied to so many rows."""
    if hasattr(module, "products"):  # who knows better: by weights that stand elsewhere, or by other rows
        return int(module.products(rows))
    if isinstance(module, nn.Linear | Convolution):
        return 2 * rows * module.weight.numel()
    if isinstance(module, nn.LSTM):
        return 2 * rows * sum(p.numel() for p in module.parameters() if p.dim() > 1)
    return 0


def between_tokens(module: nn.Module, length: int, vectors: int = 0) -> int:
    """Of attention, Q K^T and P V. Each of DeBERTa's terms by distance is one more product, of every token with the
    2 T - 1 distances; and where positions are projected as content is, of the `vectors` in use with that weight."""
    heads = getattr(module, "heads", None)
    if heads is None or not hasattr(module, "out"):
        return 0
    width = module.out.in_features
    found = 4 * width * seen(getattr(module, "pattern", FULL), length)
    if isinstance(module, DisentangledAttention) and vectors:
        term = 2 * width * length * (2 * length - 1) + 2 * width * width * vectors * module.shared
        found += len(module.terms) * term
    return found


@lru_cache(64)
def seen(pattern: Pattern, length: int) -> int:
    """Pairs of a query and a key that it looks at by distance."""
    before = length - 1 if pattern.before is None else pattern.before
    after = length - 1 if pattern.after is None else pattern.after
    return sum(min(i, before) + 1 + min(length - 1 - i, after) for i in range(length))


def part_of(name: str) -> tuple[str, str]:
    """The part of `show` that a parameter belongs to, and which block ("" outside of them).

    One part for each child of the embeddings and of a block, and for each part outside the encoder.
    """
    match name.split("."):
        case ["encoder", "blocks", *inside]:
            depth = next((i for i, word in enumerate(inside) if not word.isdigit()), len(inside))
            return f"encoder.blocks.{inside[depth]}", ".".join(inside[:depth])
        case ["encoder", *inside, _]:
            return ".".join(["encoder", *inside[:2]]), ""
        case [part, *_]:
            return part, ""
    raise AssertionError(name)
