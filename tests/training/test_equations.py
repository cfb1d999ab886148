"""Optimizers beside their papers' equations, written plainly in float64 for one matrix at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from maskwright.base.choice import resolve
from maskwright.base.errors import UserError
from maskwright.models import families, family, random_network
from maskwright.nn.block import Attention, GatedFeedForward
from maskwright.training.optimizers import Optimizer
from maskwright.training.optimizers._stacks import stacks
from maskwright.training.optimizers.muon import orthogonal

STEPS = 5
RATES = [0.01, 0.02, 0.03, 0.02, 0.01]

Arrays = dict[str, np.ndarray]
Make = Callable[..., Any]


class Toy(nn.Module):
    """A block with stacked projections, an embedding and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(7, 6)
        self.blocks = nn.ModuleList([nn.ModuleDict({"attention": Attention(6, 2, 0.0)})])
        self.blocks.append(nn.ModuleDict({"feedforward": GatedFeedForward(6, 9, torch.tanh)}))
        self.head = nn.Linear(6, 3)


PARTS = {"blocks.0.attention.qkv.weight": 3, "blocks.1.feedforward.into.weight": 2}
HIDDEN = [f"blocks.{name}.weight" for name in ("0.attention.qkv", "0.attention.out")]
HIDDEN += [f"blocks.{name}.weight" for name in ("1.feedforward.into", "1.feedforward.out")]


def gradients(network: nn.Module) -> Iterator[Arrays]:
    """The same numbers for each step whatever the weights are, of sizes that differ from step to step."""
    source = np.random.default_rng(0)
    for step in range(STEPS):
        yield {n: 3.0**step * source.normal(size=p.shape) for n, p in network.named_parameters()}


def moved(part: dict[str, Any], scale: float = 1.0) -> Arrays:
    """The toy's weights behind the steps; gradients are `scale` times as large, and said to be."""
    network, optimizer = (toy := Toy()), resolve(Optimizer, part).build(toy.named_parameters(), lr=9.0)
    for rate, grads in zip(RATES, gradients(network), strict=True):
        for name, parameter in network.named_parameters():
            parameter.grad = torch.from_numpy(scale * grads[name]).float()
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("factor", 1.0)
        if scale != 1:
            optimizer.grad_scale = torch.tensor(scale)
        optimizer.step()
        optimizer.zero_grad()
    return {name: p.detach().numpy() for name, p in network.named_parameters()}


def equation(step: Callable[..., np.ndarray]) -> Arrays:
    """Each matrix of a stack, and each other weight, moved by `step(w, g, t, rate, memory, name)` on its own."""
    network = Toy()
    found = {name: p.detach().numpy().astype(np.float64) for name, p in network.named_parameters()}
    memory: dict[tuple[str, int], dict[str, Any]] = {}
    for t, (rate, grads) in enumerate(zip(RATES, gradients(network), strict=True), 1):
        for name, whole in found.items():
            parts = PARTS.get(name, 1)
            pairs = zip(np.split(whole, parts), np.split(grads[name], parts), strict=True)
            new = [step(w, g, t, rate, memory.setdefault((name, i), {}), name) for i, (w, g) in enumerate(pairs)]
            found[name] = np.concatenate(new)
    return found


def same(ours: Arrays, theirs: Arrays, atol: float = 2e-6) -> None:
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        np.testing.assert_allclose(weight, theirs[name], rtol=1e-5, atol=atol, err_msg=name)


def adam(g: np.ndarray, t: int, memory: dict[str, Any], beta1: float, beta2: float, eps: float, correct: bool) -> Any:
    m = memory["m"] = beta1 * memory.get("m", 0) + (1 - beta1) * g
    v = memory["v"] = beta2 * memory.get("v", 0) + (1 - beta2) * g**2
    if correct:
        m, v = m / (1 - beta1**t), v / (1 - beta2**t)
    return m / (np.sqrt(v) + eps)


@pytest.mark.parametrize("correct", [True, False])
def test_adamw_with_and_without_its_corrections(correct: bool) -> None:
    def step(w: Any, g: Any, t: int, rate: float, memory: Any, name: str) -> Any:
        decay = 0.1 * w if w.ndim > 1 else 0.0
        return w - rate * (adam(g, t, memory, 0.8, 0.95, 1e-6, correct) + decay)

    part = {"name": "adamw", "beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "weight_decay": 0.1, "correct": correct}
    same(moved(part), equation(step))


@pytest.mark.parametrize(
    ("least", "largest", "correct"), [(None, None, True), (None, None, False), (1.0, None, True), (1.0, 2.0, True)]
)
def test_lamb_is_algorithm_2(least: float | None, largest: float | None, correct: bool) -> None:
    ratios = []

    def step(w: Any, g: Any, t: int, rate: float, memory: Any, name: str) -> Any:
        update = adam(g, t, memory, 0.9, 0.99, 1e-6, correct)
        if w.ndim == 1:
            return w - rate * update
        update = update + 0.1 * w
        length = min(max(np.linalg.norm(w), least or 0.0), largest or np.inf)
        ratios.append(length)
        return w - rate * length / np.linalg.norm(update) * update

    part = {"name": "lamb", "beta2": 0.99, "weight_decay": 0.1, "correct": correct, "least": least, "largest": largest}
    same(moved(part), equation(step))
    assert min(ratios) < 2 < max(ratios) or largest == 2, "the bounds must bite"


def test_lamb_has_no_ratio_where_a_norm_is_zero() -> None:
    for start, grad, wanted in ((0.0, 1.0, -0.1), (1.0, 0.0, 1.0)):
        weight = nn.Parameter(torch.full((2, 2), start))
        optimizer = resolve(Optimizer, {"name": "lamb", "weight_decay": 0.0}).build([("w", weight)], lr=0.1)
        weight.grad = torch.full((2, 2), grad)
        optimizer.step()
        torch.testing.assert_close(weight.detach(), torch.full((2, 2), wanted), atol=1e-6, rtol=0)


def test_lamb_refuses_bounds_that_hold_nothing() -> None:
    with pytest.raises(UserError, match=r"least = 3.0 is more than largest = 2.0"):
        resolve(Optimizer, {"name": "lamb", "least": 3, "largest": 2})


def newton_schulz(x: np.ndarray, steps: int) -> np.ndarray:
    if x.shape[0] > x.shape[1]:
        return newton_schulz(x.T, steps).T
    x = x / np.linalg.norm(x)
    for _ in range(steps):
        square = x @ x.T
        x = 3.4445 * x - 4.7750 * square @ x + 2.0315 * square @ square @ x
    return x


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("scale", [1.0, 64.0])
def test_muon_is_its_equation_for_each_hidden_matrix_and_adamw_elsewhere(nesterov: bool, scale: float) -> None:
    def step(w: Any, g: Any, t: int, rate: float, memory: Any, name: str) -> Any:
        if name not in HIDDEN:
            return w - rate * (adam(g, t, memory, 0.9, 0.95, 1e-8, True) + (0.1 * w if w.ndim > 1 else 0.0))
        m = memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
        ahead = 0.9 * m + 0.1 * g if nesterov else m
        longer = np.sqrt(max(1, w.shape[0] / w.shape[1]))
        return w - 4 * rate * (longer * newton_schulz(ahead, 5) + 0.1 * w)

    part = {"name": "muon", "momentum": 0.9, "nesterov": nesterov, "hidden_lr": 4.0, "weight_decay": 0.1}
    same(moved({**part, "beta2": 0.95, "iterate_in": "fp32"}, scale), equation(step), atol=2e-5)


@pytest.mark.parametrize("shape", [(8, 8), (4, 16), (16, 4)])
def test_muon_is_torchs_muon_where_nothing_is_stacked(shape: tuple[int, int]) -> None:
    """torch iterates in bf16; in bf16 too, ours is no further from the steps that fp32 takes."""
    source = torch.Generator().manual_seed(0)
    start = torch.randn(shape, generator=source)
    settings = {"name": "muon", "hidden_lr": 2.0, "weight_decay": 0.1}
    weights = {name: nn.Parameter(start.clone()) for name in ("fp32", "bf16", "torch")}
    optimizers: dict[str, Any] = {
        kind: resolve(Optimizer, {**settings, "iterate_in": kind}).build([("blocks.0.w", weights[kind])], lr=0.01)
        for kind in ("fp32", "bf16")
    }
    optimizers["torch"] = torch.optim.Muon([weights["torch"]], lr=0.02, weight_decay=0.1)
    for _ in range(STEPS):
        grad = torch.randn(shape, generator=source)
        for name, weight in weights.items():
            weight.grad = grad.clone()
            optimizers[name].step()
    exact = weights["fp32"].detach()
    off = {name: float((weight.detach() - exact).norm() / (exact - start).norm()) for name, weight in weights.items()}
    assert off["torch"] < 0.04
    assert off["bf16"] < 1.5 * off["torch"]


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_an_orthogonal_step_has_singular_values_near_one(kind: torch.dtype) -> None:
    """And the directions of the matrix that it came from."""
    left, _ = torch.linalg.qr(torch.randn(2, 24, 24, generator=torch.Generator().manual_seed(0)))
    sizes = torch.logspace(0, -1.5, 24)
    found = orthogonal(1e-3 * (left * sizes) @ left.mT, 5, kind).float()
    assert torch.all(torch.linalg.svdvals(found) < 1.3)
    assert torch.all(torch.linalg.svdvals(found) > 0.6)
    off = left.mT @ found @ left
    assert float((off - torch.diag_embed(off.diagonal(dim1=-2, dim2=-1))).abs().max()) < (
        1e-4 if kind == torch.float32 else 0.05
    )


def test_muon_takes_hidden_matrices_alone_at_a_rate_of_their_own() -> None:
    toy = Toy()
    toy.blocks[0]["attention"].out.requires_grad_(False)
    optimizer = resolve(Optimizer, {"name": "muon", "hidden_lr": 7}).build(toy.named_parameters(), lr=0.01)
    names = {p: name for name, p in toy.named_parameters()}
    rates = {names[p]: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert {name for name, rate in rates.items() if rate == pytest.approx(0.07)} == set(HIDDEN) - {HIDDEN[1]}
    assert sorted(set(rates.values())) == [0.01, pytest.approx(0.07)]


def test_muon_says_that_it_has_nothing_to_do() -> None:
    toy = Toy()
    toy.blocks.requires_grad_(False)
    with pytest.raises(UserError, match=r"none that is trained. Take train.optimizer=adamw."):
        resolve(Optimizer, "muon").build(toy.named_parameters(), lr=0.01)


def test_the_loop_gives_each_group_its_multiple_of_the_rate(loop: Make) -> None:
    made = loop(lr=0.02, schedule={"name": "constant", "warmup": 0.0}, optimizer={"name": "muon", "hidden_lr": 5})
    made.run()
    assert [group["lr"] for group in made.optimizer.param_groups] == pytest.approx([0.1, 0.02, 0.02])


def test_the_loop_lets_a_module_move_at_its_own_rate(loop: Make) -> None:
    made = loop(lr=0.02, schedule={"name": "constant", "warmup": 0.0})
    made.objective.lr_factor = 3.0
    made.run()
    rates = [group["lr"] for group in made.optimizer.param_groups]
    assert rates == pytest.approx([0.06] * len(rates))


def test_stacks_are_known_in_every_family(tmp_path: Path) -> None:
    """Every layer that projects to several things is split into pieces as high as `out` beside it is wide."""
    from tiny import tiny

    for name in families():
        kind = family(name)
        config = tiny(kind)
        network = random_network(kind, config, "bare")
        by_id = {p: n for n, p in network.named_parameters()}
        found = {by_id[p]: count for p, count in stacks(network.named_parameters()).items()}
        for weight, count in found.items():
            last = weight.split(".")[-2]
            assert count == (3 if last in ("qkv", "everywhere") else 2), (name, weight)
        missed = [n for n in by_id.values() if n.endswith(("qkv.weight", "everywhere.weight")) and n not in found]
        assert missed == [], name
