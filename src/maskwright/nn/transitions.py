"""Scores of tags one behind the other: a linear-chain conditional random field (Lafferty et al. 2001).

Shapes: C tags, R tokens of W texts, one text behind the other.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Moves(NamedTuple):
    """What is added to the tokens' own scores: for a tag behind another (C, C; the one before it in the row), for the
    first tag of a text and for the last one (C,)."""

    follow: Tensor
    begin: Tensor
    end: Tensor


class Transitions(nn.Module):
    """(R, C) -> (R + C + 2, C): the tokens' scores, and behind them the moves, a row for each tag that is followed, one
    to begin with and one to end with.

    So all that a chain is judged by goes the way that scores go. They are 0 at first: tags know nothing of each other.
    lr_factor: the learning rate of the moves as a multiple of the loop's. A move is one number, which Adam moves by
    about the sum of all rates, hundredths of a nat in a fine-tuning; a score is the sum over as many weights as the
    encoder is wide, and needs no more than its rate.
    """

    def __init__(self, tags: int, lr_factor: float = 1.0) -> None:
        super().__init__()
        self.lr_factor = lr_factor
        self.follow = nn.Parameter(torch.zeros(tags, tags))
        self.begin, self.end = nn.Parameter(torch.zeros(tags)), nn.Parameter(torch.zeros(tags))

    def forward(self, scores: Tensor) -> Tensor:
        moves = torch.cat([self.follow, self.begin[None], self.end[None]])
        kind = torch.promote_types(scores.dtype, moves.dtype)  # a sum over a text must not be of rounded moves
        return torch.cat([scores.to(kind), moves.to(kind)])


def parted(scores: Tensor) -> tuple[Tensor, Moves]:
    """What `Transitions` put together: (R, C), and the moves."""
    tags = scores.shape[-1]
    own, follow, begin, end = scores.split([len(scores) - tags - 2, tags, 1, 1])
    return own, Moves(follow, begin[0], end[0])


def surprise(scores: Tensor, moves: Moves, targets: Tensor, counts: Tensor, edges: Tensor | None = None) -> Tensor:
    """(W,) -log P(tags of a text) = log Z - the score of its chain. scores: (R, C); targets: (R,); counts: (W,) tokens
    of each text, each one or more; edges: (W, 2) bool, whether it begins and whether it ends there, where it may be a
    part of one."""
    whole = torch.ones(len(counts), 2, dtype=torch.bool, device=scores.device) if edges is None else edges
    begin, end = moves.begin * whole[:, :1], moves.end * whole[:, 1:]
    return _log_sums(scores, moves.follow, begin, end, counts) - _along(
        scores, moves.follow, begin, end, targets, counts
    )


def _along(scores: Tensor, follow: Tensor, begin: Tensor, end: Tensor, targets: Tensor, counts: Tensor) -> Tensor:
    """(W,) the score of each text's chain of tags. begin, end: (W, C)."""
    last = counts.cumsum(0) - 1
    first = last - counts + 1
    text = torch.repeat_interleave(torch.arange(len(counts), device=scores.device), counts)
    each = scores.gather(1, targets[:, None])[:, 0]
    step = follow[targets[:-1], targets[1:]] * (text[1:] == text[:-1])
    out = torch.zeros(len(counts), dtype=scores.dtype, device=scores.device).index_add(0, text, each)
    out = out.index_add(0, text[1:], step)
    out = out + begin.gather(1, targets[first, None])[:, 0]
    return out + end.gather(1, targets[last, None])[:, 0]


def _log_sums(scores: Tensor, follow: Tensor, begin: Tensor, end: Tensor, counts: Tensor) -> Tensor:
    """(W,) log Z of each text, by the forward sums (Rabiner 1989): all texts one token further at a time, those that
    have ended left out."""
    order = torch.argsort(counts, descending=True)
    first = (counts.cumsum(0) - counts)[order]
    alive = [int(n) for n in (counts[None] > torch.arange(int(counts.max()), device=counts.device)[:, None]).sum(1)]
    ahead = begin[order] + scores[first]
    done = []
    for step, (now, after) in enumerate(zip(alive, [*alive[1:], 0], strict=True)):
        if step:
            ahead = torch.logsumexp(ahead[:now, :, None] + follow, 1) + scores[first[:now] + step]
        done.append(ahead[after:now])  # the shortest of those that are left stand last
    ended = torch.cat(done[::-1])[torch.argsort(order)]
    return torch.logsumexp(ended + end, -1)
