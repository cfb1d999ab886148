"""The product is `nn.Linear`'s, whichever library computes it."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import maskwright.nn.linear as linears
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


class Spy:
    """Stands before torch.ops.mkldnn and notes what each operator is given."""

    def __init__(self, ops: Any) -> None:
        self.ops, self.seen = ops, dict[str, list[tuple[Any, ...]]]()

    def __getattr__(self, name: str) -> Any:
        def call(*given: Any) -> Any:
            self.seen.setdefault(name, []).append(given)
            return getattr(self.ops, name)(*given)

        call.binary = getattr(self.ops, name).binary if name == "_linear_pointwise" else None  # type: ignore[attr-defined]
        return call


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    made = Spy(linears._ops)
    monkeypatch.setattr(linears, "_ops", made)
    return made


@pytest.mark.parametrize("by_mkl", [True, False])
def test_strides_of_any_kind(by_mkl: bool, spy: Spy, monkeypatch: pytest.MonkeyPatch) -> None:
    """oneDNN's kernel takes seconds for what is neither rows nor columns; nothing of that kind may reach it."""
    monkeypatch.setattr(linears, "_by_mkl", lambda: by_mkl)
    mine, plain = twins(120, 120)
    wide = torch.randn(60, 3, 120)
    for x in (wide[:, 1], wide[:, 0].t().contiguous().t(), wide[:, :1].expand(-1, 2, -1)):
        with torch.no_grad():
            torch.testing.assert_close(mine(x), plain(x), atol=1e-5, rtol=1e-5)
    given = [wide[:, 1].clone().requires_grad_() for _ in range(2)]
    mine(given[0]).sum().backward()  # the gradient of a sum is one number, expanded
    plain(given[1]).sum().backward()
    assert_near(given[0].grad, given[1].grad)
    assert_near(mine.weight.grad, plain.weight.grad)
    calls = spy.seen["_linear_pointwise"]
    assert len(calls) == (5 if by_mkl else 6)
    for x, weight, *_ in calls:
        for t in (x, weight):
            assert t.is_contiguous() or t.t().is_contiguous()


def test_one_vector_alone() -> None:
    mine, plain = twins(24, 8)
    x = torch.randn(24)
    torch.testing.assert_close(mine(x), plain(x), atol=1e-5, rtol=1e-5)
    mine(x).sum().backward()
    plain(x).sum().backward()
    assert_near(mine.weight.grad, plain.weight.grad)


@pytest.mark.parametrize("by_mkl", [True, False])
def test_long_gradients_are_as_exact_as_torchs(by_mkl: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """dW adds over tokens, dx over outputs: sums that are not made in parts."""
    monkeypatch.setattr(linears, "_by_mkl", lambda: by_mkl)
    mine, plain = twins(96, 3072)
    x, dy = torch.randn(4096, 96), torch.randn(4096, 3072)
    exact = dy.double().t() @ x.double(), dy.double() @ mine.weight.double()
    errors = []
    for layer in (mine, plain):
        leaf = x.clone().requires_grad_()
        layer(leaf).backward(dy)
        found = layer.weight.grad, leaf.grad
        errors.append(
            [float((f.double() - e).norm() / e.norm()) for f, e in zip(found, exact, strict=True) if f is not None]
        )
    assert max(a / b for a, b in zip(*errors, strict=True)) < 5
    assert max(errors[0]) < 2e-6


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


def test_a_weight_is_packed_once_within_a_scope(spy: Spy) -> None:
    mine, _ = twins(32, 48)
    x = torch.randn(9, 32)
    for packed in (2, 4):
        with torch.inference_mode(), precision("bf16"):
            for _ in range(3):
                mine(x)
                mine(x, rows=slice(None, 16))
        assert len(spy.seen["_reorder_linear_weight"]) == packed
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):  # no scope of ours, nothing to keep it by
        mine(x)
    assert len(spy.seen["_reorder_linear_weight"]) == 4


def test_a_weight_in_its_own_format_is_packed_for_many_vectors_alone(spy: Spy) -> None:
    mine, plain = twins(32, 48)
    few, many = torch.randn(linears.FEW - 1, 32), torch.randn(linears.FEW, 32)
    with torch.inference_mode(), precision("fp32"):
        assert_near(mine(few), plain(few))
        assert "_reorder_linear_weight" not in spy.seen
        for _ in range(2):
            assert_near(mine(many), plain(many))
    assert len(spy.seen["_reorder_linear_weight"]) == 1


@pytest.mark.parametrize("kind", ["fp32", "bf16"])
@pytest.mark.parametrize("inner", [64, linears.PART, 2 * linears.PART, 3 * linears.PART - 1])
def test_a_chain_is_one_layer_behind_the_other(kind: str, inner: int, spy: Spy) -> None:
    """In fp32 the second of them adds up in parts, each of which the first makes when its turn comes."""
    (first, _), (second, _) = twins(48, inner, "gelu"), twins(inner, 40)
    x = torch.randn(300, 48)
    with torch.inference_mode(), precision(kind):  # type: ignore[arg-type]
        y = linears.chain(x, first, second)
        called = len(spy.seen["_linear_pointwise"])
        expected = second(first(x))
    torch.testing.assert_close(y, expected, atol=1e-6, rtol=1e-5)
    parts = inner // linears.PART if kind == "fp32" and inner >= 2 * linears.PART else 1
    assert called == parts + 1  # the second's later parts are added by a variant that is not counted here


@pytest.mark.parametrize("how", ["in place", "data", "loaded", "replaced", "fused"])
def test_weights_that_change_are_cast_again(how: str) -> None:
    mine, plain = twins(32, 32)
    x = torch.randn(9, 32)
    before = low(mine, x)
    assert torch.equal(low(mine, x), before)
    twice = {name: 2 * tensor for name, tensor in plain.state_dict().items()}  # a power of two: no rounding
    if how == "in place":
        with torch.no_grad():
            mine.weight.mul_(2)
            mine.bias.mul_(2)
    elif how == "data":
        mine.weight.data.mul_(2)
        mine.bias.data.mul_(2)
    elif how == "loaded":
        mine.load_state_dict(twice)
    elif how == "replaced":
        mine.weight, mine.bias = (nn.Parameter(twice[name]) for name in ("weight", "bias"))
    else:  # a fused optimizer does not count versions up
        optimizer = torch.optim.SGD(mine.parameters(), lr=1.0, fused=True)
        mine.weight.grad, mine.bias.grad = -mine.weight.detach().clone(), -mine.bias.detach().clone()
        optimizer.step()
    assert torch.equal(low(mine, x), 2 * before)


def test_other_weights_for_one_call_are_those_used() -> None:
    mine, plain = twins(32, 32)
    x = torch.randn(9, 32)
    twice = {name: 2 * tensor for name, tensor in plain.state_dict().items()}
    with torch.inference_mode(), precision("bf16"):
        first = mine(x)
        assert torch.equal(torch.func.functional_call(mine, twice, (x,)), 2 * first)
        assert torch.equal(mine(x), first)


@pytest.mark.parametrize("name", [None, "gelu_new"])
def test_kept_casts_are_no_part_of_what_is_saved_or_copied(name: str | None) -> None:
    mine, _ = twins(32, 32, name)
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
        monkeypatch.setattr("maskwright.nn.linear._onednn", None)  # would fail if it were called
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


def test_without_bf16_in_the_processor_torch_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, plain = twins(32, 32)
    x = torch.randn(9, 32)
    monkeypatch.setattr(linears, "_formats", lambda: (torch.float32,))
    monkeypatch.setattr(linears, "_onednn", None)  # would fail if it were called
    with torch.no_grad(), precision("bf16"):
        assert torch.equal(mine(x), plain(x))


def test_formats_that_do_not_fit_are_torchs_to_judge() -> None:
    mine, _ = twins(8, 8)
    with torch.no_grad(), pytest.raises(RuntimeError):
        mine(torch.ones(3, 8, dtype=torch.int64))
    with torch.no_grad(), precision("bf16"):
        assert mine.double()(torch.ones(3, 8, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("kind", ["fp32", "bf16"])
def test_a_traced_graph_holds_torchs_own_product(kind: str) -> None:
    """Exporters know aten::linear and not oneDNN's kernel."""
    mine, plain = twins(32, 32, "gelu")
    x = torch.randn(9, 32)
    with torch.no_grad(), precision(kind):  # type: ignore[arg-type]
        graph = torch.export.export(mine, (x,))
        torch.testing.assert_close(graph.module()(x), F.gelu(plain(x)))
    assert not [node for node in graph.graph.nodes if "mkldnn" in str(node.target)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_older_tracer_sees_torchs_own_product_too() -> None:
    mine, plain = twins(32, 32, "gelu")
    x = torch.randn(9, 32)
    with torch.no_grad():
        traced = torch.jit.trace(mine, (x,))
        torch.testing.assert_close(traced(x), F.gelu(plain(x)))
    assert "mkldnn" not in str(traced.graph)


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
