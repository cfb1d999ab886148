"""Targets are learnt in standard deviations from their mean, and the head answers in their own unit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from maskwright.nn.heads import Classifier
from maskwright.nn.precision import precision
from maskwright.tasks._scale import Scale
from maskwright.tasks.classification import Classification
from maskwright.tasks.regression import Regression

PRICES = np.array([1000, 1500, 3000, 2500], np.float32)


def test_regression_learns_standardised_targets() -> None:
    learnt = Regression().scale(PRICES).learnt(PRICES)
    assert learnt.dtype == np.float32
    assert learnt.mean() == pytest.approx(0, abs=1e-6)
    assert learnt.std() == pytest.approx(1)
    assert np.argsort(learnt).tolist() == [0, 1, 3, 2]


def test_other_tasks_learn_their_targets_as_they_are() -> None:
    targets = np.array([0, 2, 1])
    scale = Classification().scale(targets)
    assert scale.learnt(targets) is targets
    out = nn.Linear(4, 3)
    before = [p.detach().clone() for p in out.parameters()]
    scale.fold(out)
    scale.unfold(out)
    assert all(torch.equal(a, b) for a, b in zip(before, out.parameters(), strict=True))


def test_numbers_that_are_alike_or_huge_stay_finite() -> None:
    assert Scale.of(np.array([7, 7], np.float32)) == Scale(7.0, 1.0)
    huge = np.array([3e38, -3e38, 0], np.float32)
    assert Scale.of(huge).learnt(huge) == pytest.approx(np.sqrt(1.5) * np.array([1, -1, 0]), rel=1e-5)


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_a_folded_layer_gives_natural_units_and_unfolds(mean: float, std: float) -> None:
    scale, out, x = Scale(mean, std), nn.Linear(8, 1).double(), torch.randn(5, 8).double()
    before = [p.detach().clone() for p in out.parameters()]
    learnt = out(x)
    with scale.natural(out):
        assert torch.allclose(out(x), mean + std * learnt, rtol=1e-9, atol=1e-9)
    assert all(torch.equal(a, b) for a, b in zip(before, out.parameters(), strict=True)), "to the bit"
    scale.fold(out)
    scale.unfold(out)
    assert torch.allclose(out(x), learnt, rtol=1e-6, atol=1e-6)


def test_an_error_inside_leaves_the_layer_as_it_was() -> None:
    out = nn.Linear(2, 1)
    before = out.weight.detach().clone()
    with pytest.raises(KeyboardInterrupt), Scale(5, 2).natural(out):
        raise KeyboardInterrupt
    assert torch.equal(out.weight, before)


def test_one_output_is_exact_under_autocast() -> None:
    """bf16 has steps of 8 between 1024 and 2048: the years of a century would be a dozen values."""
    head = Classifier(4, 1, dropout=0.0).eval()
    Scale(1990, 10).fold(head.out)
    x = torch.linspace(-1, 1, 40)[:, None].expand(40, 4)
    with precision("bf16"), torch.no_grad():
        found = head(x.bfloat16())
    assert found.dtype == torch.float32
    assert torch.allclose(found, head(x.bfloat16().float()), atol=1e-3)
    assert len(found.unique()) > 30
