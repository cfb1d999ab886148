"""Rotary positions: the paper's rotation, in place as without, and scores that depend on distances alone."""

from __future__ import annotations

import math

import pytest
import torch

from maskwright.nn import Batch
from maskwright.nn.rotary import Rotary


def batch(*lengths: int) -> Batch:
    return Batch.packed(torch.zeros(sum(lengths), dtype=torch.long), list(lengths))


def test_each_pair_is_turned_by_its_angle() -> None:
    """Pair 0 of 2 by the position, pair 1 by a hundredth of it: base 10,000 and D = 4."""
    (turn,) = Rotary(4, [10_000.0])(batch(3), 3)
    x = torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(3, 1, 4)
    for position, turned in enumerate(turn(x)[:, 0].tolist()):
        for (a, b), angle in zip(((0, 2), (1, 3)), (position, position / 100), strict=True):
            point = complex(x[0, 0, a], x[0, 0, b]) * complex(math.cos(angle), math.sin(angle))
            assert (turned[a], turned[b]) == pytest.approx((point.real, point.imag), abs=1e-6)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_in_place_is_the_same(kind: torch.dtype) -> None:
    """Also on the part of a wider tensor that attention hands over, whose other part stays as it is."""
    turn = Rotary(8, [10_000.0, 500.0])(batch(5, 3), 8)[1]
    kv = torch.randn(8, 2, 3, 8).to(kind)
    keys, values = turn(kv[:, 0]), kv[:, 1].clone()
    turn.turn_(kv[:, 0])
    torch.testing.assert_close(kv[:, 0], keys, rtol=0, atol=2**-7 if kind == torch.bfloat16 else 1e-6)
    assert torch.equal(kv[:, 1], values)


def test_scores_depend_on_distances_alone() -> None:
    (turn,) = Rotary(16, [100.0])(batch(9), 9)
    q, k = torch.randn(2, 1, 1, 16).expand(2, 9, 1, 16)
    scores = turn(q)[:, 0] @ turn(k)[:, 0].t()
    for distance in range(-8, 9):
        along = scores.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand(len(along)), rtol=0, atol=1e-4)
    assert float(scores.std()) > 0.01


def test_every_text_begins_at_position_zero() -> None:
    (turn,) = Rotary(4, [100.0])(batch(2, 2), 6)
    assert torch.equal(turn.cos[:2], turn.cos[2:4])
    assert torch.equal(turn.cos[4:], torch.ones(2, 1, 2))  # blank rows


@pytest.mark.parametrize("shape", [(8, 3, 8), (8, 2, 3, 8)])
def test_gradients_are_turned_back(shape: tuple[int, ...]) -> None:
    """As autograd has them for the equation; values, beside keys, are left as they are."""
    (turn,) = Rotary(8, [100.0])(batch(5, 3), 8)
    x = torch.randn(shape, requires_grad=True)
    keys = x if x.dim() == 3 else x[:, 0]
    a, b = keys.chunk(2, -1)
    wanted = torch.cat([a * turn.cos - b * turn.sin, b * turn.cos + a * turn.sin], -1)
    if x.dim() == 4:
        wanted = torch.stack([wanted, x[:, 1]], 1)
    onto = torch.randn(shape)
    torch.testing.assert_close(turn(x), wanted)
    mine, theirs = (torch.autograd.grad(y, x, onto)[0] for y in (turn(x), wanted))
    torch.testing.assert_close(mine, theirs)
