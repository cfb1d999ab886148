"""Bytes of a training step on one device, from the shapes of its network.

With P weights, N tokens at once, width H, inner width I, A heads, T keys that a query looks at, and h bytes of a number
in a product (2 in bf16 and fp16, 4 in fp32):

    weights 4 P; gradients 4 P; AdamW and LAMB 8 P; Muon 4 for a weight of a block's matrix, 8 for the others;
    each block, for each token: 6 h H (inputs of its products; queries, keys, values) + 8 H (what two norms read)
    + 2 h I (4 h I where the feed-forward layer is gated) + 8 H where there is dropout (its masks)
    + (4 + h) A T (attention's probabilities and what they became; in fp32 without dropout 4 A T);
    copies of the blocks' matrices, h each, where products are not in fp32.

With variable-length attention, which a GPU takes in half precision without dropout, the term in A T is gone. With
recompute a block keeps its input, 4 H, and one block at a time has all of the above. Under FSDP2 a device has 1/n
of weights, gradients and optimizer, and the weights of two blocks and of the embeddings gathered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from maskwright.models._flops import seen
from maskwright.nn.block import Attention, Block, GatedFeedForward
from maskwright.nn.cross_entropy import PORTION
from maskwright.pretraining.calculator.estimate import Memory
from maskwright.pretraining.calculator.work import Trained, weights

FP32 = 4
ROOM = 0.9  #: share of a device's memory that is filled at most
MOST = 4096  #: devices beyond which nobody looks


@dataclass(frozen=True)
class Step:
    """What one device does at once. number: bytes of one in a product; kernel: whether attention is of variable length,
    if it does not drop; every: whether all words are scored at once, everywhere; scorings: how often they are in a
    pass."""

    tokens: int
    length: int
    scored: int
    number: int
    kernel: bool
    every: bool = False
    recompute: bool = False
    shards: int = 1
    scorings: int = 1


def memory(networks: list[Trained], optimizer: Any, step: Step) -> Memory:
    """Of one device at the height of a step."""
    named = weights(networks)
    count = sum(weight.numel() for _, weight in named)
    layers = [layer for one in networks for layer in layers_of(one.network)]
    kept = [block(layer, step) for layer in layers]
    if step.recompute:
        inputs = sum(FP32 * one.network.encoder.width * len(layers_of(one.network)) for one in networks)
        activations = step.tokens * (inputs + max(kept, default=0.0))
    else:
        activations = step.tokens * sum(kept)
    activations += sum(step.tokens * 3 * FP32 * one.network.encoder.width for one in networks)  # of the embeddings
    distinct = {id(layer): sum(w.numel() for w in layer.parameters() if w.dim() > 1) for layer in layers}
    copies = float(step.number * sum(distinct.values())) if step.number < FP32 else 0.0
    if step.shards > 1:
        largest = max(distinct.values(), default=0)
        outside = count - sum(distinct.values())
        copies = float(step.number * (2 * largest + outside) + FP32 * largest)
    part = 1 / step.shards
    return Memory(
        FP32 * count * part,
        FP32 * count * part,
        states(named, optimizer) * part,
        copies,
        activations,
        sum(scores(one, step) for one in networks),
    )


def layers_of(network: Any) -> list[Any]:
    """The block of each layer; of encoders without a list of them, what holds blocks inside."""
    own = list(getattr(network.encoder, "layers", ()))
    return own or [m for m in network.encoder.modules() if isinstance(m, Block | nn.LSTM)]


def states(named: list[tuple[str, nn.Parameter]], optimizer: Any) -> float:
    """Bytes that an optimizer remembers: two numbers of each weight, of Muon's orthogonal ones one."""
    groups = optimizer.build(named, 1.0).param_groups
    return float(sum(FP32 * w.numel() * (2 - bool(g.get("orthogonal"))) for g in groups for w in g["params"]))


def block(layer: Any, step: Step) -> float:
    """Bytes that a block keeps of each token. Of blocks that are built otherwise, what their products read and give."""
    attention: Any = getattr(layer, "attention", None)
    if not isinstance(layer, Block) or not hasattr(attention, "heads"):
        return float(
            sum(step.number * (m.in_features + m.out_features) for m in layer.modules() if isinstance(m, nn.Linear))
        )
    width, inner = attention.out.in_features, layer.feedforward.out.in_features
    gated = isinstance(layer.feedforward, GatedFeedForward)
    drops = 2 * FP32 * width if layer.drop.rate else 0
    rows = 6 * step.number * width + 2 * FP32 * width + (4 if gated else 2) * step.number * inner + drops
    return float(rows) + probabilities(attention, step)


def probabilities(attention: Any, step: Step) -> float:
    """Bytes of attention's probabilities for each token."""
    if step.kernel and not attention.dropout and isinstance(attention, Attention):
        return 0.0
    twice = attention.dropout or step.number < FP32
    pattern = getattr(attention, "pattern", None)
    keys = step.length if pattern is None else seen(pattern, step.length) / step.length
    return float((FP32 + (step.number if twice else 0)) * attention.heads * keys)


def scores(one: Trained, step: Step) -> float:
    """Bytes that scoring words takes: a portion of scores and of their slopes, the word vectors in the products'
    format, and a gradient of them for each scoring and one more; all scores and slopes at once, where every token is
    scored as a dense implementation does."""
    if not hasattr(one.network, "masked_lm"):
        return 0.0
    vectors = one.network.encoder.embeddings.word.weight
    words, width = vectors.shape
    if step.every:
        return float(step.tokens * words * (2 * FP32 + step.number))
    rows = min(PORTION, step.scored)
    cast = step.number if step.number < FP32 else 0
    return float(rows * words * (FP32 + step.number) + words * width * ((1 + step.scorings) * FP32 + cast))


def devices_needed(networks: list[Trained], optimizer: Any, step: Step, capacity: float, sharded: bool) -> int | None:
    """The least power of two of devices on which a step fits in `ROOM` of each; None where none does."""
    count = 1
    while count <= (MOST if sharded else 1):
        if memory(networks, optimizer, replace(step, shards=count)).total <= ROOM * capacity:
            return count
        count *= 2
    return None


def sent(networks: list[Trained], devices: int, number: int) -> tuple[float, float]:
    """Bytes that each of n devices sends in a step under DDP and FSDP2.

    DDP: a ring all-reduce of fp32 gradients, 2 (n - 1) / n 4 P. FSDP2: weights gathered for the forward and again for
    the backward pass, 2 (n - 1) / n h P, and gradients scattered, (n - 1) / n 4 P.
    """
    count = sum(weight.numel() for _, weight in weights(networks))
    ring = (devices - 1) / devices
    return 2 * ring * FP32 * count, ring * (2 * number + FP32) * count
