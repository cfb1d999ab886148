"""Every optimizer of the folder: which weights decay, that it goes downhill, that a checkpoint keeps all of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from maskwright.base.choice import dump, find, names, resolve
from maskwright.base.config import parse
from maskwright.models import load_network
from maskwright.training.optimizers import Mover, Optimizer, set_rates
from maskwright.training.settings import Train
from maskwright.training.state import Progress, restore, save

NAMES = names(Optimizer)


def descend(network: nn.Module, optimizer: Mover, steps: int, scale: float = 1.0) -> list[float]:
    """The losses of some steps on fixed data; `scale` times every gradient."""
    x = torch.randn(32, 3, generator=torch.Generator().manual_seed(0))
    losses = []
    for _ in range(steps):
        loss = (network(x).squeeze(-1) - x.sum(-1)).square().mean()
        (scale * loss).backward()
        losses.append(float(loss.detach()))
        optimizer.step()
        optimizer.zero_grad()
    return losses


def network() -> nn.Module:
    torch.manual_seed(0)
    blocks = nn.Sequential(nn.Linear(8, 8), nn.Tanh())
    return nn.Sequential(OrderedDict(into=nn.Linear(3, 8), norm=nn.LayerNorm(8), blocks=blocks, out=nn.Linear(8, 1)))


def test_the_folder_holds_the_optimizers_of_the_field() -> None:
    assert {"adamw", "lamb", "muon"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_downhill(name: str) -> None:
    ours = network()
    losses = descend(ours, find(Optimizer, name)().build(ours.named_parameters(), lr=0.01), 40)
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("name", NAMES)
def test_matrices_decay_and_vectors_do_not(name: str, tiny: Path) -> None:
    bert = load_network(tiny, "classification", 3).network
    optimizer = resolve(Optimizer, {"name": name, "weight_decay": 0.3}).build(bert.named_parameters(), lr=0.01)
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert len(decay) == len(list(bert.parameters())), "every weight is in exactly one group"
    for parameter_name, parameter in bert.named_parameters():
        free = parameter_name.endswith("bias") or "norm" in parameter_name
        assert decay[id(parameter)] == (0.0 if free else 0.3), parameter_name
    assert sorted(set(decay.values())) == [0.0, 0.3]


@pytest.mark.parametrize("name", NAMES)
def test_decay_shrinks_matrices_alone_when_there_is_no_gradient(name: str) -> None:
    ours = network()
    before = {n: p.detach().clone() for n, p in ours.named_parameters()}
    optimizer = resolve(Optimizer, {"name": name, "weight_decay": 0.5}).build(ours.named_parameters(), lr=0.1)
    for parameter in ours.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    rate = {p: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    decay = 1.0 if name == "lamb" else 0.5  # its ratio makes every step as long as the weight
    for parameter_name, parameter in ours.named_parameters():
        share = 1 - rate[parameter] * decay if parameter.dim() > 1 else 1.0
        assert torch.allclose(parameter, before[parameter_name] * share, atol=1e-7), parameter_name


@pytest.mark.parametrize("name", NAMES)
def test_frozen_weights_are_left_out(name: str) -> None:
    ours = network()
    ours[0].requires_grad_(False)
    optimizer = find(Optimizer, name)().build(ours.named_parameters(), lr=0.01)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 6


@pytest.mark.parametrize("name", NAMES)
def test_gradients_it_scales_itself_are_scaled_rightly(name: str) -> None:
    part = find(Optimizer, name)()
    if not part.scales_gradients:
        pytest.skip(f"{name} leaves scaling to the loop")
    plain, scaled = network(), network()
    one, two = (part.build(n.named_parameters(), lr=0.01) for n in (plain, scaled))
    two.grad_scale = torch.tensor(64.0)
    descend(plain, one, 5)
    descend(scaled, two, 5, scale=64.0)
    for a, b in zip(plain.parameters(), scaled.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_keeps_its_whole_state(name: str, tmp_path: Path) -> None:
    part = find(Optimizer, name)()
    straight, before, after = network(), network(), network()
    descend(straight, part.build(straight.named_parameters(), lr=0.01), 7)
    optimizer = part.build(before.named_parameters(), lr=0.01)
    descend(before, optimizer, 3)
    save(tmp_path / "last", before, optimizer, Progress(step=3))
    optimizer = part.build(after.named_parameters(), lr=0.01)
    assert restore(tmp_path / "last", after, optimizer) == Progress(step=3)
    descend(after, optimizer, 4)
    for a, b in zip(straight.parameters(), after.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", NAMES)
def test_a_module_may_ask_for_a_rate_of_its_own(name: str, tmp_path: Path) -> None:
    part = find(Optimizer, name)()

    def made() -> tuple[nn.Module, Mover, dict[str, dict[str, Any]]]:
        ours = network()
        ours.out.lr_factor = 10.0
        mover = part.build(ours.named_parameters(), lr=0.01)
        before = {id(p): dict(group) for group in mover.param_groups for p in group["params"]}
        set_rates(mover, ours)
        return ours, mover, {n: before[id(p)] for n, p in ours.named_parameters()}

    ours, mover, before = made()
    after = {id(p): group for group in mover.param_groups for p in group["params"]}
    assert sum(len(group["params"]) for group in mover.param_groups) == len(before)
    for parameter_name, parameter in ours.named_parameters():
        was, now = before[parameter_name], after[id(parameter)]
        by = 10 if parameter_name.startswith("out") else 1
        assert now["lr"] == pytest.approx(by * was["lr"])
        assert now["factor"] * 0.01 == pytest.approx(now["lr"]), "which the loop multiplies its rate by"
        rest = {"params", "lr", "factor"}
        assert {k: v for k, v in now.items() if k not in rest} == {k: v for k, v in was.items() if k not in rest}
    descend(ours, mover, 3)
    save(tmp_path / "last", ours, mover, Progress(step=3))
    other, again, _ = made()
    assert restore(tmp_path / "last", other, again) == Progress(step=3)
    descend(ours, mover, 2)
    descend(other, again, 2)
    for a, b in zip(ours.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_without_such_a_module_groups_stay_as_they_are() -> None:
    ours = network()
    mover = find(Optimizer, "adamw")().build(ours.named_parameters(), lr=0.01)
    before = list(mover.param_groups)
    set_rates(mover, ours)
    assert all(one is other for one, other in zip(before, mover.param_groups, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_it_survives_json_whole(name: str) -> None:
    part = resolve(Optimizer, {"name": name, "weight_decay": 0.07})
    assert resolve(Optimizer, json.loads(json.dumps(dump(part)))) == part
    settings = Train(optimizer=part)
    assert parse(Train, json.loads(settings.model_dump_json())) == settings


def test_adamw_is_torchs_adamw_and_keeps_its_settings() -> None:
    ours, theirs = network(), network()
    settings: dict[str, Any] = {"name": "adamw", "beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "weight_decay": 0.1}
    optimizer: Callable[..., Any] = resolve(Optimizer, settings).build
    matrices = [p for p in theirs.parameters() if p.dim() > 1]
    vectors = [p for p in theirs.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=0.01, betas=(0.8, 0.95), eps=1e-6, fused=False, foreach=False)
    descend(ours, optimizer(ours.named_parameters(), lr=0.01), 10)
    descend(theirs, reference, 10)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_a_run_does_not_load_torchs_compiler() -> None:
    """It is slow, and torch.optim's classes load it only to tell it to keep away."""
    code = """
import sys, torch
from maskwright.base.choice import find, names
from maskwright.training.optimizers import Optimizer
layer = torch.nn.ModuleDict({"blocks": torch.nn.Linear(2, 2)})
for name in names(Optimizer):
    optimizer = find(Optimizer, name)().build(layer.named_parameters(), 0.1)
    layer["blocks"](torch.ones(1, 2)).sum().backward()
    optimizer.step(); optimizer.zero_grad(); optimizer.load_state_dict(optimizer.state_dict())
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
