"""softmax(Q K^T / sqrt(D)) V for sequences that stand end to end (Vaswani et al. 2017, equation 1).

How a kernel is chosen, by measurement (docs/decisions/0003-attention-and-dropout.md): on CPU, sequences stand on the
lines of a rectangle (`Batch.rectangles`), and two batched matrix products with a softmax between them do the work,
forward and backward written out below. On the lengths of real text that beats torch's fused CPU kernel several times
over, most of all backward and with dropout. Long sequences without a gradient go through the fused kernel, which never
holds the T x T matrix. On CUDA, half precision without dropout takes variable-length attention.

A pattern says which keys a query looks at: it is a mask of the rectangles, and cuts long sequences into stretches where
it is narrow. A bias is added to scores. DeBERTa's attention, whose terms depend on queries and keys, is `disentangled`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.bias import Bias, fitted
from maskwright.nn.dropout import noise
from maskwright.nn.pattern import FULL, Pattern
from maskwright.nn.rectangles import Rectangles
from maskwright.nn.skew import along_diagonals

DUST = 1e-20  #: a probability that changes no fp32 sum, nor a product of it with a gradient
LANES = 32  #: scores that torch's bf16 softmax takes at a time on CPU; what is left of a row goes one by one
WIDE = 128  #: from this length on it is faster than fp32 and back, whatever is left
LONG = 512  #: from this length on, the fused kernel is as fast on CPU without a gradient, and holds no T x T scores


def attend(
    q: Tensor,
    kv: Tensor,
    batch: Batch,
    chosen: Chosen | None = None,
    dropout: float = 0.0,
    pattern: Pattern = FULL,
    bias: Bias | None = None,
) -> Tensor:
    """Every query looks at the tokens of its own sequence that the pattern shows it.

    q: (N, A, D), or (M, A, D) when only `chosen` tokens ask; kv: (N, 2, A, D), keys and values side by side, as one
    product gives them. `dropout` is the rate on the attention probabilities. Returns the shape of q.
    """
    pattern = batch.within(pattern)
    half = q.dtype in (torch.bfloat16, torch.float16) and q.shape[-1] % 8 == 0
    plain = dropout == 0 and bias is None and batch.real is None and pattern.covers(max(batch.lengths, default=0))
    if plain and half and q.is_cuda:
        return _variable_length(q, kv, batch, chosen)
    learns = torch.is_grad_enabled() and (q.requires_grad or kv.requires_grad or _learns(bias))
    if dropout > 0 or learns:
        values = None if bias is None else bias.values
        mixed: Tensor = _Attend.apply(q, kv, values, batch, chosen, dropout, pattern, bias)
        return mixed
    plan, asks = batch.rectangles(chosen, pattern), q[:, None]
    cells, room = plan.asking.empty(asks.shape, q)
    cut = zip(plan.asking.cut(asks), plan.asked.cut(kv), room, plan.masks, added(plan, bias), strict=True)
    for (queries,), (keys, values), (out,), mask, start in cut:
        if keys.shape[1] >= LONG:
            out.copy_(_fused(queries, keys, values, mask if bias is None else start.to(q.dtype)))
        else:
            torch.bmm(weights(queries, keys, start), values, out=out)
    return plan.asking.paste(cells, asks.shape)[:, 0]


def look(q: Tensor, k: Tensor, batch: Batch, pattern: Pattern = FULL, bias: Bias | None = None) -> list[Tensor]:
    """The probabilities (A, T, T) of each sequence in fp32, from q and k (N, A, D), by the plainest way."""
    found = []
    for first, length in zip(batch.offsets.tolist(), batch.lengths, strict=False):
        places = torch.arange(first, first + length, device=q.device)
        mine = [t[first : first + length].float().transpose(0, 1) for t in (q, k)]
        scores = mine[0] @ mine[1].transpose(1, 2) / math.sqrt(q.shape[-1])
        if bias is not None:
            scores = scores + bias.between_cells(length)
        seen = batch.within(pattern).sees(places[None], places[None], batch.marked)[0]
        if batch.real is not None:
            seen = seen & batch.real[places]
        found.append(scores.masked_fill(~seen, -torch.inf).softmax(-1))
    return found


def added(plan: Rectangles, bias: Bias | None) -> list[Tensor]:
    """What is added to the scores (C, A, Tq, Tk) of each rectangle, of a shape that they broadcast to."""
    if bias is None:
        return plan.hidden
    if plan.asking is plan.asked:
        terms = [bias.between_cells(length)[None] for _, length in plan.asked.shapes]
    else:
        terms = [bias.between(d) for d in plan.distances]
    return [hidden + term for hidden, term in zip(plan.hidden, terms, strict=True)]


def _learns(bias: Bias | None) -> bool:
    return bias is not None and bias.values.requires_grad


def scores(q: Tensor, k: Tensor, hidden: Tensor) -> Tensor:
    """Q K^T / sqrt(D) + hidden, (C * A, Tq, Tk), from rectangles (C * A, Tq, D) and (C * A, Tk, D).

    `hidden` is (C or 1, A or 1, Tq or 1, Tk), or (1, 1, 1, 1). The product is added onto a copy of it: scaling and
    hiding cost no pass of their own, and a bf16 score is rounded once.
    """
    heads = hidden.shape[1] if hidden.shape[1] > 1 else len(q) // len(hidden)
    found = q.new_empty(len(q) // heads, heads, q.shape[1], k.shape[1])
    found = found.copy_(hidden).view(len(q), q.shape[1], k.shape[1])
    return torch.baddbmm(found, q, k.transpose(1, 2), alpha=1 / math.sqrt(q.shape[-1]), out=found)


def probabilities(q: Tensor, k: Tensor, hidden: Tensor) -> Tensor:
    """softmax(Q K^T / sqrt(D) + hidden), (C * A, Tq, Tk), in fp32 as a backward pass wants it."""
    return shares(scores(q, k, hidden))


def shares(scores: Tensor) -> Tensor:
    """The softmax over the last dimension in fp32, for autograd functions: what is below `DUST` is 0.

    A network that has learnt for a while is so sure that many shares, and more of their gradients, are smaller than a
    normal fp32 number (1.2e-38). Processors take a hundred times as long for such numbers, a step of a small network
    1.6 times. A row's other shares are 1 together, so that none of its sums in fp32 feels the lack.
    """
    found = scores.float().softmax(-1)
    return torch.threshold_(found, DUST, 0.0) if found.device.type == "cpu" else found


def weights(q: Tensor, k: Tensor, hidden: Tensor) -> Tensor:
    """`probabilities`, (C * A, Tq, Tk), in the format of q, by the softmax that is faster at this length.

    Its sums are fp32 either way (docs/decisions/0003-attention-and-dropout.md).
    """
    length = k.shape[1]
    if q.dtype != torch.bfloat16 or (length < WIDE and length % LANES):
        return probabilities(q, k, hidden).to(q.dtype)
    return torch._softmax(scores(q, k, hidden), -1, False)  # `softmax` itself would go to fp32 under autocast


def _fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    count = 1 if mask is None else len(mask)
    q, k, v = (t.view(count, len(t) // count, *t.shape[1:]) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, mask).flatten(0, 1)


def _variable_length(q: Tensor, kv: Tensor, batch: Batch, chosen: Chosen | None) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    starts = batch.offsets.to(torch.int32)
    counts = batch.lengths if chosen is None else chosen.counts
    asking = starts if chosen is None else chosen.offsets.to(torch.int32)
    k, v = kv.unbind(1)
    out = varlen_attn(q, k, v, asking, starts, max(counts), max(batch.lengths))
    assert isinstance(out, Tensor)
    return out


class _Attend(torch.autograd.Function):
    """One rectangle at a time, with P = softmax(Q K^T / sqrt(D) + B), R = dropout(P), O = R V:

    dV = R^T dO,  dR = dO V^T,  dB = dS = R * dR - P * rowsum(R * dR),  dQ = dS K / sqrt(D),  dK = dS^T Q / sqrt(D).

    dS is softmax's backward with dropout folded in: P * dropout'(dR) = R * dR, so that no mask has to be kept.
    """

    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        kv: Tensor,
        values: Tensor | None,
        batch: Batch,
        chosen: Chosen | None,
        rate: float,
        pattern: Pattern,
        bias: Bias | None,
    ) -> Tensor:
        plan, asks = batch.rectangles(chosen, pattern), q[:, None]
        cells, room = plan.asking.empty(asks.shape, q)
        kept: list[Tensor] = []
        cut = zip(plan.asking.cut(asks), plan.asked.cut(kv), room, added(plan, bias), strict=True)
        for (queries,), pair, (out,), start in cut:
            p = probabilities(queries, pair[0], start)
            r = (p * noise.mask(tuple(p.shape), rate, p.device) if rate > 0 else p).to(q.dtype)
            torch.bmm(r, pair[1], out=out)
            kept += [queries, pair, p, r]
        ctx.save_for_backward(*kept)
        ctx.plan, ctx.shapes, ctx.bias = plan, (asks.shape, kv.shape), bias
        return plan.asking.paste(cells, asks.shape)[:, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        (out,) = grads
        plan, (asking, asked), kept = ctx.plan, ctx.shapes, ctx.saved_tensors
        asks, dqs = plan.asking.empty(asking, out)
        pairs, dkvs = plan.asked.empty(asked, out)
        zero = torch.zeros(1, device=out.device)
        learns = ctx.needs_input_grad[2]
        dbias = torch.zeros_like(ctx.bias.values) if learns else None
        for i, ((do,), (dq,), dkv) in enumerate(zip(plan.asking.cut(out[:, None], blank=True), dqs, dkvs, strict=True)):
            q, (k, v), p, r = kept[4 * i : 4 * i + 4]
            scale = 1 / math.sqrt(q.shape[-1])
            torch.bmm(r.transpose(1, 2), do, out=dkv[1])
            dr = torch.bmm(do, v.transpose(1, 2))
            share = torch.add(zero, dr, alpha=scale).mul_(r)  # in fp32, as ds is
            ds = torch.addcmul(share, p, share.sum(-1, keepdim=True), value=-1)
            if dbias is not None:
                _add_to_bias(dbias, ds / scale, ctx.bias, plan, i)
            ds = ds.to(q.dtype)
            torch.bmm(ds.transpose(1, 2), q, out=dkv[0])
            torch.bmm(ds, k, out=dq)
        dq, dkv = plan.asking.paste(asks, asking)[:, 0], plan.asked.paste(pairs, asked)
        return dq, dkv, dbias, None, None, None, None, None


def _add_to_bias(dbias: Tensor, ds: Tensor, bias: Bias, plan: Rectangles, i: int) -> None:
    """Onto dbias (A, 2T - 1): the gradients (C * A, Tq, Tk) of the scores of rectangle i, by distance."""
    heads = len(dbias)
    ds = ds.view(-1, heads, *ds.shape[1:])
    if plan.asking is plan.asked:
        dbias += fitted(along_diagonals(ds.sum(0)), (dbias.shape[1] + 1) // 2)
    else:
        places = bias.places(plan.distances[i])
        dbias.index_add_(1, places.flatten(), ds.transpose(0, 1).reshape(heads, -1))
