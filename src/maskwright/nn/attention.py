"""softmax(Q K^T / sqrt(D)) V for sequences that stand end to end (Vaswani et al. 2017, equation 1).

How a kernel is chosen, by measurement (docs/decisions/0003-attention-and-dropout.md): on CPU, sequences stand on the
lines of a rectangle (`Batch.rectangles`), and two batched matrix products with a softmax between them do the work,
forward and backward written out below. On the lengths of real text that beats torch's fused CPU kernel several times
over, most of all backward and with dropout. Long sequences without a gradient go through the fused kernel, which never
holds the T x T matrix. On CUDA, half precision without dropout takes variable-length attention.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.dropout import noise

LANES = 32  #: scores that torch's bf16 softmax takes at a time on CPU; what is left of a row goes one by one
WIDE = 128  #: from this length on it is faster than fp32 and back, whatever is left
LONG = 512  #: from this length on, the fused kernel is as fast on CPU without a gradient, and holds no T x T scores


def attend(q: Tensor, kv: Tensor, batch: Batch, chosen: Chosen | None = None, dropout: float = 0.0) -> Tensor:
    """Every query looks at all tokens of its own sequence.

    q: (N, A, D), or (M, A, D) when only `chosen` tokens ask; kv: (N, 2, A, D), keys and values side by side, as one
    product gives them. `dropout` is the rate on the attention probabilities. Returns the shape of q.
    """
    half = q.dtype in (torch.bfloat16, torch.float16) and q.shape[-1] % 8 == 0
    if dropout == 0 and q.is_cuda and half and batch.real is None:
        return _variable_length(q, kv, batch, chosen)
    if dropout > 0 or (torch.is_grad_enabled() and (q.requires_grad or kv.requires_grad)):
        mixed: Tensor = _Attend.apply(q, kv, batch, chosen, dropout)
        return mixed
    plan, asks = batch.rectangles(chosen), q[:, None]
    cells, room = plan.asking.empty(asks.shape, q)
    cut = zip(plan.asking.cut(asks), plan.asked.cut(kv), room, plan.masks, plan.hidden, strict=True)
    for (queries,), (keys, values), (out,), mask, hidden in cut:
        if keys.shape[1] >= LONG:
            out.copy_(_fused(queries, keys, values, mask))
        else:
            torch.bmm(weights(queries, keys, hidden), values, out=out)
    return plan.asking.paste(cells, asks.shape)[:, 0]


def scores(q: Tensor, k: Tensor, hidden: Tensor) -> Tensor:
    """Q K^T / sqrt(D) + hidden, (C * A, Tq, Tk), from rectangles (C * A, Tq, D) and (C * A, Tk, D).

    `hidden` is (C, 1, 1 or Tq, Tk), or (1, 1, 1, 1). The product is added onto a copy of it: scaling and hiding cost no
    pass of their own, and a bf16 score is rounded once.
    """
    found = q.new_empty(len(hidden), len(q) // len(hidden), q.shape[1], k.shape[1])
    found = found.copy_(hidden).view(len(q), q.shape[1], k.shape[1])
    return torch.baddbmm(found, q, k.transpose(1, 2), alpha=1 / math.sqrt(q.shape[-1]), out=found)


def probabilities(q: Tensor, k: Tensor, hidden: Tensor) -> Tensor:
    """softmax(Q K^T / sqrt(D) + hidden), (C * A, Tq, Tk), in fp32 as a backward pass wants it."""
    return scores(q, k, hidden).float().softmax(-1)


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
    """One rectangle at a time, with P = softmax(Q K^T / sqrt(D)), R = dropout(P), O = R V:

    dV = R^T dO,  dR = dO V^T,  dS = R * dR - P * rowsum(R * dR),  dQ = dS K / sqrt(D),  dK = dS^T Q / sqrt(D).

    dS is softmax's backward with dropout folded in: P * dropout'(dR) = R * dR, so that no mask has to be kept.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, kv: Tensor, batch: Batch, chosen: Chosen | None, rate: float) -> Tensor:
        plan, asks = batch.rectangles(chosen), q[:, None]
        cells, room = plan.asking.empty(asks.shape, q)
        kept: list[Tensor] = []
        cut = zip(plan.asking.cut(asks), plan.asked.cut(kv), room, plan.hidden, strict=True)
        for (queries,), pair, (out,), hidden in cut:
            p = probabilities(queries, pair[0], hidden)
            r = (p * noise.mask(tuple(p.shape), rate, p.device) if rate > 0 else p).to(q.dtype)
            torch.bmm(r, pair[1], out=out)
            kept += [queries, pair, p, r]
        ctx.save_for_backward(*kept)
        ctx.plan, ctx.shapes = plan, (asks.shape, kv.shape)
        return plan.asking.paste(cells, asks.shape)[:, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        (out,) = grads
        plan, (asking, asked), kept = ctx.plan, ctx.shapes, ctx.saved_tensors
        asks, dqs = plan.asking.empty(asking, out)
        pairs, dkvs = plan.asked.empty(asked, out)
        zero = torch.zeros(1, device=out.device)
        for i, ((do,), (dq,), dkv) in enumerate(zip(plan.asking.cut(out[:, None], blank=True), dqs, dkvs, strict=True)):
            q, (k, v), p, r = kept[4 * i : 4 * i + 4]
            torch.bmm(r.transpose(1, 2), do, out=dkv[1])
            dr = torch.bmm(do, v.transpose(1, 2))
            share = torch.add(zero, dr, alpha=1 / math.sqrt(q.shape[-1])).mul_(r)  # in fp32, as ds is
            ds = torch.addcmul(share, p, share.sum(-1, keepdim=True), value=-1).to(q.dtype)
            torch.bmm(ds.transpose(1, 2), q, out=dkv[0])
            torch.bmm(ds, k, out=dq)
        return plan.asking.paste(asks, asking)[:, 0], plan.asked.paste(pairs, asked), None, None, None
