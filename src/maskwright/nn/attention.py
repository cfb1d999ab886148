"""softmax(Q K^T / sqrt(D)) V for sequences that stand end to end (Vaswani et al. 2017, equation 1).

How a kernel is chosen, by measurement (docs/decisions/0003-attention-and-dropout.md): on CPU, neighbouring sequences
of similar length form a rectangle (`Batch.groups`), and two batched matrix products with a softmax between them do
the work, forward and backward written out below. On the lengths of real text that beats torch's fused CPU kernel
several times over, most of all backward and with dropout. Long sequences without a gradient go through the fused
kernel, which never holds the T x T matrix. On CUDA, half precision without dropout takes variable-length attention.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.dropout import noise

LONG = 384  #: from this length on, the fused kernel is faster on CPU when no gradient is needed


def attend(q: Tensor, k: Tensor, v: Tensor, batch: Batch, chosen: Chosen | None = None, dropout: float = 0.0) -> Tensor:
    """Every query looks at all tokens of its own sequence.

    q: (N, A, D), or (M, A, D) when only `chosen` tokens ask; k, v: (N, A, D). `dropout` is the rate on the attention
    probabilities. Returns the shape of q.
    """
    needs_gradient = torch.is_grad_enabled() and (q.requires_grad or k.requires_grad or v.requires_grad)
    if dropout == 0 and q.is_cuda and q.dtype in (torch.bfloat16, torch.float16) and batch.real is None:
        return _variable_length(q, k, v, batch, chosen)
    if dropout > 0 or needs_gradient:
        mixed: Tensor = _Attend.apply(q, k, v, batch, chosen, dropout)
        return mixed
    out = torch.empty_like(q, memory_format=torch.contiguous_format)
    for asking, asked in batch.rectangles(chosen):
        args = asking.cut(q), asked.cut(k), asked.cut(v), asked.mask
        asking.paste(_fused(*args) if asked.length >= LONG else _products(*args), out)
    return out


def probabilities(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    """softmax(Q K^T / sqrt(D)), (C * A, Tq, Tk) in fp32, from rectangles (C * A, Tq, D) and (C * A, Tk, D).

    mask: (C, Tk), False where a key is padding. The softmax runs in fp32: exact sums, and on CPU four times faster
    than torch's bf16 softmax.
    """
    scores = torch.bmm(q, k.transpose(1, 2)).float().mul_(1 / math.sqrt(q.shape[-1]))
    if mask is not None:
        hidden = torch.zeros(mask.shape, device=q.device).masked_fill_(~mask, -torch.inf)
        scores.view(len(mask), -1, *scores.shape[1:]).add_(hidden[:, None, None, :])
    return scores.softmax(-1)


def _products(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    return torch.bmm(probabilities(q, k, mask).to(v.dtype), v)


def _fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    count = 1 if mask is None else len(mask)
    q, k, v = (t.view(count, -1, *t.shape[1:]) for t in (q, k, v))
    mixed = F.scaled_dot_product_attention(q, k, v, None if mask is None else mask[:, None, None, :])
    return mixed.flatten(0, 1)


def _variable_length(q: Tensor, k: Tensor, v: Tensor, batch: Batch, chosen: Chosen | None) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    starts = batch.offsets.to(torch.int32)
    counts = batch.lengths if chosen is None else chosen.counts
    asking = starts if chosen is None else chosen.offsets.to(torch.int32)
    out = varlen_attn(q, k, v, asking, starts, max(counts), max(batch.lengths))
    assert isinstance(out, Tensor)
    return out


class _Attend(torch.autograd.Function):
    """One rectangle at a time, with P = softmax(Q K^T / sqrt(D)), R = dropout(P), O = R V:

    dV = R^T dO,  dR = dO V^T,  dS = R * dR - P * rowsum(R * dR),  dQ = dS K / sqrt(D),  dK = dS^T Q / sqrt(D).

    dS is softmax's backward with dropout folded in: P * dropout'(dR) = R * dR, so that no mask has to be kept.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, batch: Batch, chosen: Chosen | None, rate: float) -> Tensor:
        out = torch.empty_like(q, memory_format=torch.contiguous_format)
        ctx.format, ctx.batch, ctx.chosen = q.dtype, batch, chosen
        ctx.shapes = [(len(t), *t.shape[1:]) for t in (q, k, v)]
        kept: list[Tensor] = []
        for asking, asked in batch.rectangles(chosen):
            qs, ks, vs = asking.cut(q), asked.cut(k), asked.cut(v)
            p = probabilities(qs, ks, asked.mask)
            r = (p * noise.mask(tuple(p.shape), rate, p.device) if rate > 0 else p).to(q.dtype)
            asking.paste(torch.bmm(r, vs), out)
            kept += [qs, ks, vs, p.to(q.dtype) if rate > 0 else r, r]
        ctx.save_for_backward(*kept)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        out = grads[0]
        new = out.new_empty if ctx.chosen is None else out.new_zeros  # sequences that nobody asks get no gradient
        dq, dk, dv = (new(shape) for shape in ctx.shapes)
        for i, (asking, asked) in enumerate(ctx.batch.rectangles(ctx.chosen)):
            q, k, v, p, r = ctx.saved_tensors[5 * i : 5 * i + 5]
            do = asking.cut(out, blank=True)
            asked.paste(torch.bmm(r.transpose(1, 2), do), dv)
            share = torch.bmm(do, v.transpose(1, 2)).float().mul_(r)
            ds = torch.addcmul(share, p.float(), share.sum(-1, keepdim=True), value=-1)
            ds = ds.mul_(1 / math.sqrt(q.shape[-1])).to(ctx.format)
            asking.paste(torch.bmm(ds, k), dq)
            asked.paste(torch.bmm(ds.transpose(1, 2), q), dk)
        return dq, dk, dv, None, None, None
