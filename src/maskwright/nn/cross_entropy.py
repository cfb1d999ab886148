"""Scores of words over a vocabulary and their loss, a portion of the positions at a time.

Shapes: M scored positions, E the width before the last product, V the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

PORTION = 1024  #: positions whose scores are held at once


class Loss(NamedTuple):
    """total: the sum, which has a gradient; plain: its first term alone; right: (M,) bool, whether the label has the
    highest score; drawn: (M,) int64 words drawn by their probabilities, where there were lots."""

    total: Tensor
    plain: Tensor
    right: Tensor
    drawn: Tensor | None


def cross_entropy(
    x: Tensor,
    vectors: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    z: float = 0.0,
    lots: Tensor | None = None,
    portion: int = PORTION,
) -> Loss:
    """sum_m [ -log softmax(x_m vectors^T + bias)[label_m] + z (log sum exp)^2 ], without all M x V scores at once.

    x: (M, E); vectors: (V, E); bias: (V,); labels: (M,) int64; lots: (M,) in [0, 1). z keeps the scores from drifting
    (Chowdhery et al. 2022, PaLM, section 5). Gradients are computed with the scores, so that backward holds none of
    these.
    """
    return Loss(*_Portions.apply(x, vectors, bias, labels, z, lots, portion))


def word_scores(
    x: Tensor, vectors: Tensor, bias: Tensor | None, portion: int = PORTION
) -> Iterator[tuple[slice, Tensor]]:
    """x vectors^T + bias in fp32, a portion of the M positions after the other: which ones, and their scores (m, V).

    x: (M, E); vectors: (V, E); bias: (V,). For reading: no gradient is meant to flow.
    """
    low = _format(x)
    rows = vectors.to(low)
    for start in range(0, len(x), portion):
        part = slice(start, start + portion)
        yield part, _scores(x[part].to(low), rows, bias)


def _format(x: Tensor) -> torch.dtype:
    """What the product is computed in."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def _scores(x: Tensor, rows: Tensor, bias: Tensor | None) -> Tensor:
    """(m, V) in fp32."""
    with torch.autocast(x.device.type, enabled=False):
        scores = F.linear(x, rows).float()
    if bias is not None:
        scores += bias
    return scores


class _Portions(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        vectors: Tensor,
        bias: Tensor | None,
        labels: Tensor,
        z: float,
        lots: Tensor | None,
        portion: int,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        device = x.device.type
        low = _format(x)
        asked = ctx.needs_input_grad[:3]
        rows = vectors.to(low)
        given = zip((x, vectors, bias), asked, strict=True)
        grads = [torch.zeros_like(t) if asks and t is not None else None for t, asks in given]
        total, plain = x.new_zeros((), dtype=torch.float32), x.new_zeros((), dtype=torch.float32)
        right = torch.empty_like(labels, dtype=torch.bool)
        words = None if lots is None else torch.empty_like(labels)
        with torch.autocast(device, enabled=False):
            for start in range(0, len(x), portion):
                part = slice(start, start + portion)
                here, wanted = x[part].to(low), labels[part]
                scores = _scores(here, rows, bias)
                own = scores.gather(-1, wanted[:, None])
                high = scores.amax(-1, keepdim=True)
                right[part] = _first(scores, wanted, (own >= high)[:, 0])
                shares = scores.sub_(high).exp_()  # of each word's probability, to their sum; in the scores' place
                sums = shares.sum(-1, keepdim=True)
                top = high + sums.log()  # log sum exp
                loss = (top - own).sum()
                plain += loss
                total += loss + z * top.square().sum() if z else loss
                if lots is not None and words is not None:
                    words[part] = drawn(shares, lots[part])
                if any(asked):
                    slope = shares.mul_((1 + 2 * z * top) / sums)
                    _Portions.gradients(grads, part, here, rows, slope, wanted)
        ctx.save_for_backward(*grads)
        ctx.mark_non_differentiable(plain, right, *([] if words is None else [words]))
        return total, plain, right, words

    @staticmethod
    def gradients(grads: list[Any], part: slice, here: Tensor, rows: Tensor, slope: Tensor, labels: Tensor) -> None:
        """Of this portion: softmax - one-hot, and of z's term 2 z log sum exp softmax. slope: both without the
        one-hot."""
        slope[torch.arange(len(labels), device=labels.device), labels] -= 1
        of_x, of_vectors, of_bias = grads
        if of_bias is not None:
            of_bias += slope.sum(0)
        low = slope.to(rows.dtype)
        if of_x is not None:
            of_x[part] = low @ rows
        if of_vectors is not None:  # of a frozen table there is none, which saves a third of the products
            of_vectors += low.t() @ here

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        scaled = [None if g is None else g * given[0] for g in ctx.saved_tensors]
        return *scaled, None, None, None, None


def _first(scores: Tensor, labels: Tensor, highest: Tensor) -> Tensor:
    """(m,) bool: whether the label is the first word with the highest score. On CPU the search for a place takes eight
    times as long as that for a maximum, so only rows are searched in which the label has it (`highest`)."""
    found = highest.clone()
    found[highest] = scores[highest].argmax(-1) == labels[highest]
    return found


def drawn(shares: Tensor, lots: Tensor) -> Tensor:
    """(m,) int64 words drawn by their probabilities: those at which the sum of these passes the lot.

    shares: (m, V) fp32, in proportion to the probabilities; lots: (m,) in [0, 1).
    """
    sums = shares.cumsum(-1)
    found = torch.searchsorted(sums, lots.to(sums.dtype)[:, None] * sums[:, -1:], right=True)[:, 0]
    return found.clamp(max=shares.shape[-1] - 1)
