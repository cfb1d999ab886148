"""Scores of words over a vocabulary and their loss, a portion of the positions at a time.

Shapes: M scored positions, E the width before the last product, V the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

PORTION = 1024  #: positions whose scores are held at once


def cross_entropy(
    x: Tensor,
    vectors: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    z: float = 0.0,
    lots: Tensor | None = None,
    portion: int = PORTION,
) -> tuple[Tensor, Tensor, Tensor]:
    """sum_m [ -log softmax(x_m vectors^T + bias)[label_m] + z (log sum exp)^2 ], without all M x V scores at once.

    x: (M, E); vectors: (V, E); bias: (V,); labels: (M,) int64. z keeps the scores from drifting (Chowdhery et al. 2022,
    PaLM, section 5). Returns the sum, which has a gradient; and without one: the sum of the first term alone, and
    (M,) int64 the word with the highest score, or with lots, (M,) in [0, 1), words drawn by their probabilities.
    Gradients are computed with the scores, so that backward holds none of these.
    """
    found: tuple[Tensor, Tensor, Tensor] = _Portions.apply(x, vectors, bias, labels, z, lots, portion)
    return found


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
    ) -> tuple[Tensor, Tensor, Tensor]:
        device = x.device.type
        low = _format(x)
        asked = ctx.needs_input_grad[:3]
        rows = vectors.to(low)
        given = zip((x, vectors, bias), asked, strict=True)
        grads = [torch.zeros_like(t) if asks and t is not None else None for t, asks in given]
        total, plain = x.new_zeros((), dtype=torch.float32), x.new_zeros((), dtype=torch.float32)
        picks = torch.empty_like(labels)
        with torch.autocast(device, enabled=False):
            for start in range(0, len(x), portion):
                here, wanted_ids = x[start : start + portion].to(low), labels[start : start + portion]
                scores = _scores(here, rows, bias)
                top = scores.logsumexp(-1)
                loss = (top - scores.gather(-1, wanted_ids[:, None])[:, 0]).sum()
                plain += loss
                total += loss + z * top.square().sum() if z else loss
                if lots is None:
                    picks[start : start + portion] = scores.argmax(-1)
                else:
                    picks[start : start + portion] = drawn(scores, top, lots[start : start + portion])
                if any(asked):
                    _Portions.gradients(grads, start, here, rows, scores, top, wanted_ids, z)
        ctx.save_for_backward(*grads)
        ctx.mark_non_differentiable(plain, picks)
        return total, plain, picks

    @staticmethod
    def gradients(
        grads: list[Any], start: int, here: Tensor, rows: Tensor, scores: Tensor, top: Tensor, labels: Tensor, z: float
    ) -> None:
        """Of this portion: softmax - one-hot, and of z's term 2 z log sum exp softmax; in the place of the scores."""
        slope = scores.sub_(top[:, None]).exp_()
        if z:
            slope *= (1 + 2 * z * top)[:, None]
        slope[torch.arange(len(labels), device=labels.device), labels] -= 1
        of_x, of_vectors, of_bias = grads
        if of_bias is not None:
            of_bias += slope.sum(0)
        low = slope.to(rows.dtype)
        if of_x is not None:
            of_x[start : start + len(here)] = low @ rows
        if of_vectors is not None:  # of a frozen table there is none, which saves a third of the products
            of_vectors += low.t() @ here

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        scaled = [None if g is None else g * given[0] for g in ctx.saved_tensors]
        return *scaled, None, None, None, None


def drawn(scores: Tensor, top: Tensor, lots: Tensor) -> Tensor:
    """(m,) int64 words drawn by their probabilities: those at which the sum of these passes the lot.

    scores: (m, V) fp32; top: (m,) their log sum exp; lots: (m,) in [0, 1).
    """
    sums = (scores - top[:, None]).exp().cumsum(-1)
    found = torch.searchsorted(sums, lots.to(sums.dtype)[:, None] * sums[:, -1:], right=True)[:, 0]
    return found.clamp(max=scores.shape[-1] - 1)
