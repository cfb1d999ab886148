"""The loss in portions is the loss in one, and so are its gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from maskwright.nn.cross_entropy import cross_entropy
from maskwright.nn.precision import precision


def drawn(rows: int, width: int, words: int) -> list[torch.Tensor]:
    source = torch.Generator().manual_seed(rows)
    shapes = (rows, width), (words, width), (words,)
    return [torch.randn(*shape, generator=source).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("z", [0.0, 0.01])
@pytest.mark.parametrize(("rows", "portion"), [(23, 5), (23, 23), (20, 10), (1, 64), (0, 8)])
def test_portions_change_nothing(rows: int, portion: int, z: float, bias: bool) -> None:
    x, vectors, maybe = drawn(rows, 7, 31)
    b = maybe if bias else None
    labels = torch.randint(31, (rows,), generator=torch.Generator().manual_seed(1))
    scores = F.linear(x, vectors, b)
    plain = F.cross_entropy(scores, labels, reduction="sum")
    whole = plain + z * scores.logsumexp(-1).square().sum()
    inputs = [t for t in (x, vectors, b) if t is not None]
    wanted = torch.autograd.grad(3 * whole, inputs)
    total, alone, right, _ = cross_entropy(x, vectors, b, labels, z, portion=portion)
    torch.testing.assert_close(total, whole, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(alone, plain.detach(), rtol=1e-5, atol=1e-5)
    assert torch.equal(right, scores.argmax(-1) == labels)
    for mine, theirs in zip(torch.autograd.grad(3 * total, inputs), wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_products_are_in_bf16_where_they_are_asked_for() -> None:
    """As near to fp32 as autocast's own."""
    x, vectors, b = drawn(200, 64, 500)
    labels = torch.randint(500, (200,), generator=torch.Generator().manual_seed(1))
    exact = torch.autograd.grad(cross_entropy(x, vectors, b, labels)[0], [x, vectors, b])
    with precision("bf16"):
        rough = torch.autograd.grad(cross_entropy(x, vectors, b, labels, portion=64)[0], [x, vectors, b])
        theirs = torch.autograd.grad(F.cross_entropy(F.linear(x, vectors, b), labels, reduction="sum"), [x, vectors, b])
    for one, other, peer in zip(exact, rough, theirs, strict=True):
        assert 0 < (one - other).abs().mean() <= 1.5 * (one - peer).abs().mean()


def test_without_a_gradient_none_is_computed() -> None:
    x, vectors, b = drawn(9, 4, 11)
    with torch.no_grad():
        total, plain, *_ = cross_entropy(x, vectors, b, torch.arange(9))
    assert not total.requires_grad
    torch.testing.assert_close(total, plain)


@pytest.mark.parametrize("frozen", [(1,), (0,), (2,), (1, 2), (0, 2)])
def test_what_is_frozen_changes_no_other_gradient(frozen: tuple[int, ...]) -> None:
    inputs = drawn(9, 4, 11)
    labels = torch.arange(9)
    wanted = torch.autograd.grad(cross_entropy(*inputs, labels, portion=4)[0], inputs)
    for i in frozen:
        inputs[i].requires_grad_(False)
    trained = [i for i in range(3) if i not in frozen]
    found = torch.autograd.grad(cross_entropy(*inputs, labels, portion=4)[0], [inputs[i] for i in trained])
    for i, mine in zip(trained, found, strict=True):
        assert torch.equal(mine, wanted[i])


def test_words_are_drawn_by_their_probabilities() -> None:
    """20,000 lots over 5 words: chi-squared with 4 degrees of freedom stays below its 99.9 % point."""
    rows, words = 20_000, 5
    x, vectors = torch.ones(rows, 1), torch.tensor([[0.0], [1.0], [-1.0], [0.5], [-9.0]])
    lots = torch.rand(rows, generator=torch.Generator().manual_seed(0))
    picks = cross_entropy(x, vectors, None, torch.zeros(rows, dtype=torch.long), lots=lots, portion=777).drawn
    assert picks is not None
    wanted = rows * vectors[:, 0].softmax(0)
    assert float(((picks.bincount(minlength=words) - wanted) ** 2 / wanted).sum()) < 18.5
    ends = torch.tensor([0.0, 1 - 2**-24])
    picks = cross_entropy(x[:2], vectors, None, torch.zeros(2, dtype=torch.long), lots=ends).drawn
    assert picks is not None
    assert picks.tolist()[0] == 0
    assert picks.max() < words
