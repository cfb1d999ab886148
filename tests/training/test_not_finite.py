"""A number that is none stops the run, names what made it first, and keeps the batch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from maskwright.base.errors import UserError
from maskwright.nn.dropout import Dropout
from maskwright.training.objective import Objective

Make = Callable[..., Any]


def stopped(made: Any, folder: Path) -> tuple[str, dict[str, Any]]:
    """The message, and what the kept file holds."""
    with pytest.raises(UserError) as caught:
        made.run()
    message, file = str(caught.value), folder / "not_finite.json"
    assert str(file) in message
    assert "lower train.lr" in message
    return message, json.loads(file.read_text())


def test_a_planted_weight_is_named_with_the_first_module_it_reaches(loop: Make, squares: Make, tmp_path: Path) -> None:
    network = squares()
    with torch.no_grad():
        network.norm.bias[3] = torch.nan
    message, kept = stopped(loop(network), tmp_path)
    assert message.startswith("Step 1 gave a loss or gradient that is not a finite number: ")
    assert "the first module with such an output is norm." in message, "into comes first and is sound; out comes later"
    assert "The weights norm.bias already held such numbers." in message
    assert kept["weights_not_finite"] == ["norm.bias"]
    assert kept["step"] == 1


def test_the_kept_batch_is_the_one_that_failed(loop: Make, squares: Make, rows: Make, tmp_path: Path) -> None:
    feed = rows()
    made = loop(squares(), feed)
    third = feed.epoch(0)[2]
    feed.x[third[1], 0] = torch.inf
    message, kept = stopped(made, tmp_path)
    assert message.startswith("Step 3 ")
    assert "the first module with such an output is into." in message
    ((x, y),) = kept["batches"]
    assert len(x) == len(y) == 4
    assert x[1][0] == "inf"
    assert [row for row in x if row[0] != "inf"] == [feed.x[i].tolist() for i in third if i != third[1]]


def test_a_rate_that_is_far_too_high(loop: Make, squares: Make, tmp_path: Path) -> None:
    message, kept = stopped(loop(squares(), lr=1e38, schedule={"name": "constant", "warmup": 0}), tmp_path)
    assert message.startswith("Step 2 ")
    assert "the first module with such an output is " in message
    assert kept["step"] == 2


class _Poison(torch.autograd.Function):
    """Nothing forwards, NaN backwards."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads[0] * torch.nan


class Poisoned(Objective):
    """Two layers; the gradient of the first one is NaN though every output is finite."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 1)

    def forward(self, batch: Any) -> tuple[Tensor, int, dict[str, float]]:
        x, y = batch
        found = self.second(_Poison.apply(self.first(x))).squeeze(-1)
        return (found - y).square().sum(), len(y), {}


def test_a_gradient_alone_is_found_and_its_parameter_named(loop: Make, tmp_path: Path) -> None:
    message, kept = stopped(loop(Poisoned()), tmp_path)
    assert "the forward pass is finite, the gradient of first.weight is not." in message
    assert kept["weights_not_finite"] == []
    assert len(kept["batches"][0][1]) == 4


class PoisonedAfterDropout(Poisoned):
    def __init__(self) -> None:
        super().__init__()
        self.drop, self.seen = Dropout(0.5), list[Tensor]()

    def forward(self, batch: Any) -> tuple[Tensor, int, dict[str, float]]:
        x = self.drop(batch[0])
        self.seen.append(x)
        return super().forward((x, batch[1]))


def test_dropout_repeats_its_draws_when_a_gradient_failed(loop: Make, tmp_path: Path) -> None:
    network = PoisonedAfterDropout()
    stopped(loop(network), tmp_path)
    half = len(network.seen) // 2
    assert half
    for a, b in zip(network.seen[:half], network.seen[half:], strict=True):
        assert torch.equal(a, b)


class Large(Objective):
    """A loss that is finite with gradients of 1e30, whose squares are not."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))

    def forward(self, batch: Any) -> tuple[Tensor, int, dict[str, float]]:
        return (batch[0] @ self.weight * 1e30).sum(), len(batch[0]), {}


def test_a_norm_that_overflows_is_not_blamed_on_a_gradient(loop: Make, tmp_path: Path) -> None:
    message, _ = stopped(loop(Large()), tmp_path)
    assert "each gradient is finite, the norm of all together overflows." in message


class LossAlone(Objective):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, batch: Any) -> tuple[Tensor, int, dict[str, float]]:
        return self.layer(batch[0]).sum() / 0, len(batch[0]), {}


def test_a_loss_that_fails_by_itself(loop: Make, tmp_path: Path) -> None:
    assert "only the loss is so." in stopped(loop(LossAlone()), tmp_path)[0]


def test_dropout_repeats_its_draw_when_a_step_is_looked_at_again(loop: Make, squares: Make, tmp_path: Path) -> None:
    """What only one draw of dropout shows must show again when the step is repeated to find the module."""
    network = squares(dropout=0.5)
    seen: list[Tensor] = []

    def fail(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        seen.append(output.detach().clone())
        return output * torch.nan

    network.drop.register_forward_hook(fail)
    message, _ = stopped(loop(network), tmp_path)
    assert "the first module with such an output is drop." in message
    assert len(seen) == 2
    assert torch.equal(seen[0], seen[1])


def test_no_hooks_stay_behind(loop: Make, squares: Make, tmp_path: Path) -> None:
    network = squares()
    with torch.no_grad():
        network.out.weight.fill_(torch.nan)
    stopped(loop(network), tmp_path)
    assert not any(module._forward_hooks for module in network.modules())
