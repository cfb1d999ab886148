"""The product is `nn.Linear`'s, whichever library computes it."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskwright.nn import precision
from maskwright.nn.activations import ACTIVATIONS, FUSED
from maskwright.nn.linear import Linear, linear

BF16 = 2**-8  #: relative spacing


def twins(width: int, out: int, name: str | None = None) -> tuple[Linear, nn.Linear]:
    torch.manual_seed(0)
    mine = Linear(width, out, None if name is None else ACTIVATIONS[name])
    plain = nn.Linear(width, out)
    plain.load_state_dict(mine.state_dict())
    return mine, plain


def assert_near(a: Tensor | None, b: Tensor | None) -> None:
    assert a is not None
    assert b is not None
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 8), (33, 24), (7, 5, 24), (0, 24), (513, 48)])
@pytest.mark.parametrize("name", [None, *ACTIVATIONS])
@pytest.mark.parametrize("gradient", [False, True])
def test_fp32_is_the_plain_layer(shape: tuple[int, ...], name: str | None, gradient: bool) -> None:
    mine, plain = twins(shape[-1], 19, name)
    x = torch.randn(shape)
    with torch.set_grad_enabled(gradient):
        y = mine(x)
    expected = plain(x) if name is None else ACTIVATIONS[name](plain(x))
    assert y.shape == expected.shape
    torch.testing.assert_close(y, expected, atol=2e-6, rtol=1e-5)
    assert y.requires_grad == gradient


@pytest.mark.parametrize("out", [5, 24, 96])
def test_gradients_are_the_plain_layers(out: int) -> None:
    mine, plain = twins(24, out, "gelu")
    x, grad = torch.randn(33, 24), torch.randn(33, out)
    given = [x.clone().requires_grad_() for _ in range(2)]
    mine(given[0]).backward(grad)
    F.gelu(plain(given[1])).backward(grad)
    assert_near(given[0].grad, given[1].grad)
    assert_near(mine.weight.grad, plain.weight.grad)
    assert_near(mine.bias.grad, plain.bias.grad)


def test_long_sums_are_as_exact_as_torchs() -> None:
    mine, plain = twins(3072, 64)
    x = torch.randn(200, 3072)
    exact = F.linear(x.double(), mine.weight.double(), mine.bias.double())
    with torch.no_grad():
        errors = [(y.double() - exact).square().mean().sqrt() for y in (mine(x), plain(x))]
    assert errors[0] < 1.7 * errors[1]


def test_strides_of_any_kind() -> None:
    """oneDNN's kernel takes seconds for what is neither rows nor columns; nothing of that kind may reach it."""
    mine, plain = twins(1200, 1200)
    wide = torch.randn(600, 3, 1200)
    for x in (wide[:, 1], wide[:, 0].t().contiguous().t(), wide[:, :1].expand(-1, 2, -1)):
        with torch.no_grad():
            torch.testing.assert_close(mine(x), plain(x), atol=1e-5, rtol=1e-5)
    given = [wide[:, 1].clone().requires_grad_() for _ in range(2)]
    mine(given[0]).sum().backward()  # the gradient of a sum is one number, expanded
    plain(given[1]).sum().backward()
    torch.testing.assert_close(given[0].grad, given[1].grad, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(mine.weight.grad, plain.weight.grad, atol=1e-3, rtol=1e-5)


def test_only_the_asked_gradients_are_computed() -> None:
    mine, _ = twins(24, 8)
    mine.weight.requires_grad_(False)
    x = torch.randn(3, 24, requires_grad=True)
    mine(x).sum().backward()
    assert mine.weight.grad is None
    assert x.grad is not None
    assert mine.bias.grad is not None


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("name", [None, *ACTIVATIONS])
def test_bf16_is_autocast_of_the_plain_layer(name: str | None, gradient: bool) -> None:
    """A fused activation sees the sum before it is rounded to bf16, so the two may differ by a rounding."""
    mine, plain = twins(64, 40, name)
    x = torch.randn(50, 64)
    with precision("bf16"), torch.set_grad_enabled(gradient):
        y, expected = mine(x), plain(x)
        if name is not None:
            expected = ACTIVATIONS[name](expected)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), expected.float(), atol=BF16, rtol=2 * BF16)


@pytest.mark.parametrize("kind", ["fp32", "bf16"])
@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("rows", [slice(None, 16), slice(16, None), slice(3, 11)])
def test_rows_are_rows_of_the_whole(kind: str, gradient: bool, rows: slice) -> None:
    mine, _ = twins(32, 48, "gelu")
    x = torch.randn(21, 32)
    with precision(kind), torch.set_grad_enabled(gradient):  # type: ignore[arg-type]
        torch.testing.assert_close(mine(x, rows=rows), mine(x)[:, rows], atol=1e-6, rtol=1e-5)


def low(mine: Linear, x: Tensor) -> Tensor:
    with torch.inference_mode(), precision("bf16"):
        return mine(x).float()


def test_weights_that_change_are_cast_again() -> None:
    mine, plain = twins(32, 32)
    x = torch.randn(9, 32)
    before = low(mine, x)
    assert torch.equal(low(mine, x), before)
    with torch.no_grad():
        mine.weight.mul_(2)
        mine.bias.mul_(2)
    assert torch.equal(low(mine, x), 2 * before)  # a power of two: no rounding
    mine.load_state_dict(plain.state_dict())
    assert torch.equal(low(mine, x), before)
    mine.weight = nn.Parameter(2 * plain.weight.detach())
    mine.bias = nn.Parameter(2 * plain.bias.detach())
    assert torch.equal(low(mine, x), 2 * before)
    mine.weight.data = plain.weight.detach().clone()
    mine.bias.data = plain.bias.detach().clone()
    assert torch.equal(low(mine, x), before)


def test_a_fused_optimizer_does_not_leave_old_casts() -> None:
    """It moves weights without counting up their versions."""
    mine, _ = twins(32, 32)
    x = torch.randn(9, 32)
    optimizer = torch.optim.AdamW(mine.parameters(), lr=0.1, fused=True)
    for _ in range(3):
        low(mine, x)
        with precision("bf16"):
            mine(x).float().square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        fresh = copy.deepcopy(mine)
        assert torch.equal(low(mine, x), low(fresh, x))


def test_kept_casts_are_no_part_of_what_is_saved_or_copied() -> None:
    mine, _ = twins(32, 32)
    x = torch.randn(9, 32)
    before = low(mine, x)
    assert set(mine.state_dict()) == {"weight", "bias"}
    for other in (copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
        assert torch.equal(low(other, x), before)
        with torch.no_grad():
            other.weight.zero_()
            other.bias.zero_()
        assert not low(other, x).any()
    assert torch.equal(low(mine, x), before)


def test_weights_made_in_inference_mode_are_never_kept() -> None:
    with torch.inference_mode():
        mine = Linear(32, 32)
        x = torch.randn(9, 32)
        before = low(mine, x)
        mine.weight.mul_(2)
        mine.bias.mul_(2)
        assert torch.equal(low(mine, x), 2 * before)


@pytest.mark.filterwarnings("ignore:TF32 acceleration")
@pytest.mark.parametrize("kind", ["fp32", "bf16"])
def test_without_onednn_torch_does_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, _ = twins(32, 32, "gelu")
    x = torch.randn(9, 32)
    with torch.inference_mode(), precision(kind):  # type: ignore[arg-type]
        here = mine(x)
        monkeypatch.setattr("maskwright.nn.linear._product", None)  # would fail if it were called
        with torch.backends.mkldnn.flags(enabled=False):
            there = mine(x)
    torch.testing.assert_close(here, there, atol=1e-6 if kind == "fp32" else BF16, rtol=2 * BF16)


def test_other_formats_go_to_torch() -> None:
    mine, plain = twins(32, 32, "gelu")
    x = torch.randn(9, 32, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(mine.double()(x), F.gelu(plain.double()(x)))
        half = Linear(32, 32).half()
        assert half(x.half()).dtype == torch.float16


def test_a_traced_graph_holds_torchs_own_product() -> None:
    """Exporters know aten::linear and not oneDNN's kernel."""
    mine, plain = twins(32, 32, "gelu")
    x = torch.randn(9, 32)
    with torch.no_grad():
        graph = torch.export.export(mine, (x,))
    assert not [node for node in graph.graph.nodes if "mkldnn" in str(node.target)]
    torch.testing.assert_close(graph.module()(x), F.gelu(plain(x)))


def test_a_second_derivative_is_refused_and_not_wrong() -> None:
    mine, _ = twins(8, 4)
    x = torch.randn(3, 8, requires_grad=True)
    (first,) = torch.autograd.grad(mine(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_the_functional_form_takes_no_bias() -> None:
    x, weight = torch.randn(9, 32), torch.randn(16, 32)
    torch.testing.assert_close(linear(x, weight), F.linear(x, weight), atol=1e-5, rtol=1e-5)


def test_every_fused_activation_is_one_that_has_a_name() -> None:
    assert set(FUSED) <= set(ACTIVATIONS.values())
