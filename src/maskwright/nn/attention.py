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
from maskwright.nn.dropout import noise, quantised

LONG = 384  #: from this length on, the fused kernel is faster on CPU when no gradient is needed


def attend(
    q: Tensor, k: Tensor, v: Tensor, batch: Batch, chosen: Chosen | None = None, dropout: float = 0.0
) -> Tensor:
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
    """softmax(Q K^T / sqrt(D)), (C, A, Tq, Tk) in fp32, from rectangles (C, A, Tq, D) and (C, A, Tk, D).

    The softmax runs in fp32: exact sums, and on CPU four times faster than torch's bf16 softmax.
    """
    scores = torch.matmul(q, k.transpose(-1, -2)).float().mul_(1 / math.sqrt(q.shape[-1]))
    if mask is not None:
        scores.masked_fill_(~mask[:, None, None, :], -torch.inf)
    return scores.softmax(-1)


def _products(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    return torch.matmul(probabilities(q, k, mask).to(v.dtype), v)


def _fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, None if mask is None else mask[:, None, None, :])


def _variable_length(q: Tensor, k: Tensor, v: Tensor, batch: Batch, chosen: Chosen | None) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    starts = batch.offsets.to(torch.int32)
    counts = batch.lengths if chosen is None else chosen.counts
    asking = starts if chosen is None else chosen.offsets.to(torch.int32)
    out: Tensor = varlen_attn(q, k, v, asking, starts, max(counts), max(batch.lengths))
    return out


class _Attend(torch.autograd.Function):
    """With P = softmax(Q K^T / sqrt(D)), R = dropout(P), O = R V, the gradients are

    dV = R^T dO,  dR = dO V^T,  dP = dropout'(dR),  dS = P * (dP - rowsum(P * dP)),  dQ = dS K / sqrt(D),
    dK = dS^T Q / sqrt(D), one rectangle at a time.
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, batch: Batch, chosen: Chosen | None, rate: float
    ) -> Tensor:
        out = torch.empty_like(q, memory_format=torch.contiguous_format)
        kept: list[Tensor | None] = []
        scale = 1 / (1 - quantised(rate))
        for asking, asked in batch.rectangles(chosen):
            p = probabilities(asking.cut(q), asked.cut(k), asked.mask).to(v.dtype)
            keep = noise.keep(tuple(p.shape), rate, p.device) if rate > 0 else None
            mixed = torch.matmul(p if keep is None else p * keep, asked.cut(v))
            asking.paste(mixed if keep is None else mixed.mul_(scale), out)
            kept += [p, keep]
        ctx.save_for_backward(q, k, v, *kept)
        ctx.batch, ctx.chosen, ctx.scale = batch, chosen, scale
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        q, k, v, *kept = ctx.saved_tensors
        out = grads[0]
        # A run in which no token is chosen is skipped below: the gradient of its keys and values is 0.
        blank = torch.empty_like if ctx.chosen is None else torch.zeros_like
        dq = torch.empty_like(q, memory_format=torch.contiguous_format)
        dk, dv = (blank(x, memory_format=torch.contiguous_format) for x in (k, v))
        root = 1 / math.sqrt(q.shape[-1])
        for i, (asking, asked) in enumerate(ctx.batch.rectangles(ctx.chosen)):
            p, keep = kept[2 * i], kept[2 * i + 1]
            do = asking.cut(out, blank=True)
            if keep is None:
                asked.paste(torch.matmul(p.transpose(-1, -2), do), dv)
                dp = torch.matmul(do, asked.cut(v).transpose(-1, -2))
            else:
                do = do * ctx.scale
                asked.paste(torch.matmul((p * keep).transpose(-1, -2), do), dv)
                dp = torch.matmul(do, asked.cut(v).transpose(-1, -2)).mul_(keep)
            ds = torch._softmax_backward_data(dp.float(), p.float(), -1, torch.float32).mul_(root).to(q.dtype)
            asking.paste(torch.matmul(ds, asked.cut(k)), dq)
            asked.paste(torch.matmul(ds.transpose(-1, -2), asking.cut(q)), dk)
        return dq, dk, dv, None, None, None
