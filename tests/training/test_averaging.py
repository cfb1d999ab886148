"""Averages of weights: their closed form, when they begin, what they are used for, and that a resume keeps them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from maskwright.base.choice import dump, find, names, resolve
from maskwright.base.config import parse
from maskwright.nn.embeddings import Embeddings
from maskwright.training import state
from maskwright.training.averaging import Average, Averaging
from maskwright.training.loop import Loop
from maskwright.training.objective import Moment, Objective
from maskwright.training.settings import Train
from maskwright.training.stop import Interrupted

NAMES = names(Averaging)
Make = Callable[..., Any]
Weights = dict[str, Tensor]


def weights(network: nn.Module) -> Weights:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def equal(one: Weights, two: Weights) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[n], two[n]) for n in one)


def closed_form(history: list[Weights], half_life: float, start: float) -> Weights:
    """The equation in float64, of the weights behind each step."""
    total = len(history)
    tail = history[round(start * total) :]
    d = 0.5 ** (1 / (half_life * total))
    shares = np.array([d ** (len(tail) - 1 - i) for i in range(len(tail))])
    shares /= shares.sum()
    return {n: sum(s * w[n].double() for s, w in zip(shares, tail, strict=True)) for n in history[0]}


@contextmanager
def followed(made: Loop) -> Iterator[list[Weights]]:
    """The weights behind each of its steps, as they are trained."""
    seen: list[Weights] = []
    note = made._note

    def noting(*args: Any) -> None:
        seen.append(weights(made.objective))
        note(*args)

    made._note = noting  # type: ignore[method-assign]
    yield seen


def test_the_folder_holds_the_moving_average() -> None:
    assert "ema" in NAMES


@pytest.mark.parametrize("name", NAMES)
@given(start=st.floats(0, 0.999), total=st.integers(1, 400))
def test_the_tail_is_averaged_and_the_last_step_is_in_it(name: str, start: float, total: int) -> None:
    part = resolve(Averaging, {"name": name, "start": start})
    counts = [part.counts(done, total) for done in range(1, total + 1)]
    assert counts == sorted(counts)
    assert counts[-1]
    assert sum(counts) in (total - round(start * total), 1)


@pytest.mark.parametrize("name", NAMES)
@given(count=st.integers(1, 500))
def test_a_share_is_a_share_and_the_first_is_all(name: str, count: int) -> None:
    part = find(Averaging, name)()
    assert part.share(1, 500) == 1
    assert 1 / count <= part.share(count, 500) + 1e-12 <= 1 + 1e-12


@pytest.mark.parametrize("half_life", [1e-3, 0.02, 1.0, 1e12])
def test_ema_is_its_equation(half_life: float) -> None:
    part = resolve(Averaging, {"name": "ema", "start": 0.25, "half_life": half_life})
    network, history = nn.Linear(3, 2), []
    average = Average(part, network)
    for done in range(1, 41):
        with torch.no_grad():
            for p in network.parameters():
                p.normal_(generator=torch.Generator().manual_seed(done))
        history.append(weights(network))
        average.add(done, 40)
        if done == 11:
            assert equal({n.removeprefix("weights."): t for n, t in average.state_dict().items() if n != "count"},
                         history[-1]), "the first weights are the average"  # fmt: skip
    assert average.count == 30
    wanted = closed_form(history, half_life, 0.25)
    average.settle()
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor.double(), wanted[name], atol=1e-6, rtol=0)
    if half_life == 1e12:
        mean = torch.stack([w["weight"] for w in history[10:]]).mean(0)
        torch.testing.assert_close(network.weight.detach(), mean, atol=1e-6, rtol=0)


def test_frozen_weights_are_left_alone_and_narrow_ones_are_averaged_in_fp32() -> None:
    network = nn.Sequential(nn.Linear(2, 2).bfloat16(), nn.Linear(2, 2).requires_grad_(False))
    average = Average(resolve(Averaging, {"name": "ema", "start": 0.0}), network)
    average.add(1, 10)
    saved = average.state_dict()
    assert set(saved) == {"count", "weights.0.weight", "weights.0.bias"}
    assert saved["weights.0.weight"].dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
def test_the_run_ends_with_the_average_and_is_judged_by_it(loop: Make, squares: Make, name: str) -> None:
    ours, judged = squares(), []
    made = loop(
        ours,
        evaluate=lambda: judged.append(weights(ours)) or {"score": float(len(judged) == 2)},
        epochs=4,
        averaging={"name": name, "start": 0.3},
    )
    with followed(made) as history:
        made.run()
    assert equal(judged[0], history[4]), "before the average begins, the weights are judged"
    assert not equal(judged[1], history[9])
    assert not equal(judged[3], history[19])
    assert equal(weights(ours), judged[3])
    state.load_weights(made.best, ours)
    assert equal(weights(ours), judged[1]), "the best weights are those that were judged"
    if name == "ema":
        wanted = closed_form(history, 0.02, 0.3)
        for key, tensor in judged[3].items():
            torch.testing.assert_close(tensor.double(), wanted[key], atol=1e-6, rtol=0)


def test_averaging_does_not_change_how_the_weights_move(loop: Make, squares: Make, tmp_path: Path) -> None:
    histories = []
    for averaging in (None, {"name": "ema", "start": 0.2}):
        made = loop(squares(dropout=0.3), folder=tmp_path / str(averaging is None), averaging=averaging,
                    evaluate=lambda: {"score": 0.0}, evaluations=3)  # fmt: skip
        with followed(made) as history:
            made.run()
        histories.append(history)
    assert all(equal(a, b) for a, b in zip(*histories, strict=True))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_resume_is_equal_to_the_bit(loop: Make, squares: Make, tmp_path: Path, name: str, at: int) -> None:
    """Stopped before the average begins, within it, and when a single step of it is left."""
    settings = {"averaging": {"name": name, "start": 0.45}, "epochs": 4}
    straight = squares(dropout=0.3)
    loop(straight, folder=tmp_path / "straight", evaluate=lambda: {"score": 0.0}, **settings).run()
    calls = iter(range(1, 9))

    def stopping() -> dict[str, float]:
        if next(calls) == at:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"score": 0.0}

    with pytest.raises(Interrupted):
        loop(squares(dropout=0.3), folder=tmp_path / "stopped", evaluate=stopping, **settings).run()
    last = tmp_path / "stopped" / "checkpoints" / "last"
    assert (last / state.AVERAGE).exists() == (at > 1)
    resumed = squares(dropout=0.3)
    loop(resumed, folder=tmp_path / "stopped", evaluate=lambda: {"score": 0.0}, **settings).run()
    assert equal(weights(resumed), weights(straight))
    assert (tmp_path / "stopped" / "log.jsonl").read_bytes() == (tmp_path / "straight" / "log.jsonl").read_bytes()
    again = squares(dropout=0.3)
    loop(again, folder=tmp_path / "stopped", **settings).run()
    assert equal(weights(again), weights(straight)), "a run that was done ends with its average once more"


class Words(Objective):
    """Vectors of a few words are to have a given length."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = Embeddings(9, 0, 0, 4, nn.Identity(), 0.0)
        nn.init.normal_(self.table.word.weight)

    def forward(self, batch: Tensor) -> tuple[Tensor, int, dict[str, float]]:
        return (self.table.word(batch).square().sum(-1) - 2).square().sum(), len(batch), {}


class Ids:
    """Steps of three words out of four of the nine; `known`: whether the loop is told which."""

    def __init__(self, known: bool) -> None:
        self.known = known

    def epoch(self, number: int) -> list[np.ndarray]:
        return [np.random.default_rng([number, i]).choice([1, 4, 5, 8], 3) for i in range(5)]

    def pieces(self, rows: np.ndarray) -> list[np.ndarray]:
        return [rows]

    def vocabulary(self) -> np.ndarray | None:
        return np.array([1, 4, 5, 8]) if self.known else None

    def fetch(self, rows: np.ndarray, device: torch.device, at: Moment) -> tuple[Any, int]:
        return torch.from_numpy(rows), len(rows)


def test_narrowed_tables_are_averaged_too(loop: Make, tmp_path: Path) -> None:
    settings = {"averaging": {"name": "ema", "start": 0.3}, "optimizer": {"name": "adamw", "weight_decay": 0.0}}
    found: dict[Any, Weights] = {}
    for known in (True, False):
        ours, judged = Words(), []
        start = ours.table.word.weight.detach().clone()
        evaluate = lambda ours=ours, judged=judged: judged.append(weights(ours)) or {"score": 0.0}  # noqa: E731
        loop(ours, Ids(known), tmp_path / str(known), evaluate, **settings).run()
        assert equal(weights(ours), judged[-1])
        found[known] = weights(ours)
        assert torch.equal(ours.table.word.weight[[0, 2, 3, 6, 7]], start[[0, 2, 3, 6, 7]])
    torch.testing.assert_close(found[True], found[False])
    folder, calls = tmp_path / "stopped", iter(range(3))

    def stopping() -> dict[str, float]:
        if next(calls) == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"score": 0.0}

    with pytest.raises(Interrupted):
        loop(Words(), Ids(True), folder, stopping, **settings).run()
    resumed = Words()
    loop(resumed, Ids(True), folder, stopping, **settings).run()
    assert equal(weights(resumed), found[True])


@pytest.mark.parametrize("name", NAMES)
def test_it_survives_json_whole(name: str) -> None:
    part = resolve(Averaging, {"name": name, "start": 0.6})
    assert resolve(Averaging, json.loads(json.dumps(dump(part)))) == part
    settings = Train(averaging=part)
    assert parse(Train, json.loads(settings.model_dump_json())) == settings
    assert parse(Train, {"averaging": "none"}).averaging is None
