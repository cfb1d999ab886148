"""Dropout: the rate, the scale, the generator's state, and one mask for both directions."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import Tensor, nn

from maskwright.nn.dropout import Dropout, Noise, noise, quantised

CPU = torch.device("cpu")


def kept(source: Noise, shape: tuple[int, ...], rate: float) -> Tensor:
    """Which numbers a mask keeps. Checks that the others are 0 and these are scaled by the exact rate."""
    mask = source.mask(shape, rate, CPU)
    assert mask.shape == shape
    found = mask != 0
    wanted = torch.tensor(1 / (1 - quantised(rate)))
    assert torch.equal(mask, torch.where(found, wanted, 0.0))
    return found


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_the_rate_is_met(rate: float) -> None:
    count = 2_000_001
    dropped = count - int(kept(Noise(3), (count,), rate).sum())
    assert abs(dropped - count * quantised(rate)) < 5 * math.sqrt(count * rate * (1 - rate))
    assert abs(quantised(rate) - rate) <= 0.5 / 65536


def test_neighbouring_decisions_are_independent() -> None:
    """Four decisions come from one random word; none of them may know of another."""
    keep = kept(Noise(4), (500_000, 4), 0.3).double()
    correlations = torch.corrcoef(keep.T) - torch.eye(4)
    assert correlations.abs().max() < 5 / math.sqrt(500_000)
    shifted = torch.corrcoef(torch.stack([keep.flatten()[:-4], keep.flatten()[4:]]))[0, 1]
    assert abs(shifted) < 5 / math.sqrt(2_000_000)


@pytest.mark.parametrize("shape", [(1,), (3,), (7, 5), (2, 3, 5), (0, 4)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    assert kept(noise, shape, 0.5).numel() == math.prod(shape)


@pytest.mark.parametrize("rate", [0.1, 0.37])
def test_what_stays_is_scaled_exactly(rate: float) -> None:
    out = Dropout(rate).train()(torch.ones(100_000))
    assert set(out.tolist()) == {0.0, torch.tensor(1 / (1 - quantised(rate))).item()}
    assert out.mean().item() == pytest.approx(1, abs=5 * math.sqrt(rate / (1 - rate) / 100_000))


def test_evaluation_and_a_rate_of_zero_change_nothing() -> None:
    x = torch.randn(50)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x
    before = noise.state()
    Dropout(0.0).train()(x)
    Dropout(0.5).eval()(x)
    assert noise.state() == before


def test_the_gradient_has_the_same_mask() -> None:
    x = torch.ones(1000, requires_grad=True)
    out = Dropout(0.4).train()(x)
    out.backward(torch.full_like(out, 2.0))
    assert x.grad is not None
    assert torch.equal(x.grad, 2 * out.detach())
    assert (x.grad == 0).any()


def test_half_precision_is_dropped_in_fp32_and_its_gradient_goes_back_in_its_own() -> None:
    x = torch.ones(1000, dtype=torch.bfloat16, requires_grad=True)
    out = Dropout(0.1).train()(x)
    assert out.dtype == torch.float32
    assert set(out.tolist()) == {0.0, torch.tensor(1 / (1 - quantised(0.1))).item()}
    out.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == torch.bfloat16
    assert torch.equal(x.grad, out.detach().bfloat16())


def test_a_seed_repeats_and_another_differs() -> None:
    noise.seed(11)
    first = kept(noise, (1000,), 0.5)
    noise.seed(11)
    assert torch.equal(kept(noise, (1000,), 0.5), first)
    noise.seed(12)
    assert not torch.equal(kept(noise, (1000,), 0.5), first)


@pytest.mark.parametrize("drawn", [0, 1, 5, 1003])
def test_a_restored_state_goes_on_as_before(drawn: int) -> None:
    source = Noise(1)
    kept(source, (drawn,), 0.5)
    stored = json.loads(json.dumps(source.state()))
    after = [kept(source, (n,), 0.3) for n in (1, 10, 333)]
    other = Noise(99)
    other.restore(stored)
    for mask in after:
        assert torch.equal(kept(other, (len(mask),), 0.3), mask)


def test_it_stands_in_a_network() -> None:
    net = nn.Sequential(nn.Linear(4, 4), Dropout(0.25))
    assert "rate=0.25" in repr(net)
    with pytest.raises(AssertionError):
        Dropout(1.0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_meets_the_rate_and_follows_torchs_seed() -> None:
    x = torch.ones(1_000_000, device="cuda")
    torch.manual_seed(0)
    out = Dropout(0.1).train()(x)
    assert abs((out == 0).float().mean().item() - quantised(0.1)) < 5 * math.sqrt(0.09 / 1e6)
    torch.manual_seed(0)
    assert torch.equal(Dropout(0.1).train()(x), out)
