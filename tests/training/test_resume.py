"""Stopping and going on, at the level of the loop: equal to the bit, or refused with what differs."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maskwright.base import runtime
from maskwright.base.choice import names
from maskwright.base.errors import UserError
from maskwright.training import state
from maskwright.training.optimizers import Optimizer
from maskwright.training.schedules import Schedule
from maskwright.training.stop import Interrupted

Make = Callable[..., Any]


@pytest.fixture
def straight(loop: Make, squares: Make, tmp_path: Path) -> tuple[dict[str, torch.Tensor], bytes]:
    """Weights and log of a run that nothing disturbed. Its dropout makes every step depend on the draws before it."""
    network = squares(dropout=0.3)
    loop(network, folder=tmp_path / "straight", evaluate=lambda: {"score": 0.0}).run()
    return network.state_dict(), (tmp_path / "straight" / "log.jsonl").read_bytes()


def same(network: torch.nn.Module, folder: Path, straight: tuple[dict[str, torch.Tensor], bytes]) -> bool:
    equal = all(torch.equal(t, network.state_dict()[n]) for n, t in straight[0].items())
    return equal and (folder / "log.jsonl").read_bytes() == straight[1]


def stopper(at: int, number: int) -> Callable[[], dict[str, float]]:
    """An evaluation that sends this process a signal when it is called the `at`-th time."""
    calls = iter(range(1, 1000))

    def evaluate() -> dict[str, float]:
        if next(calls) == at:
            os.kill(os.getpid(), number)
        return {"score": 0.0}

    return evaluate


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("checkpoints", [0, 60, None])
def test_a_signal_saves_and_leaves_and_the_rest_is_equal_to_the_bit(
    loop: Make, squares: Make, tmp_path: Path, straight: Any, number: int, code: int, checkpoints: float | None
) -> None:
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    folder, settings = tmp_path / "stopped", {"checkpoint_minutes": checkpoints}
    with pytest.raises(Interrupted) as caught:
        loop(squares(dropout=0.3), folder=folder, evaluate=stopper(1, number), **settings).run()
    assert caught.value.code == code
    assert str(caught.value) == f"stopped by {signal.Signals(number).name} after step 5, which is saved"
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    network = squares(dropout=0.3)
    assert loop(network, folder=folder, evaluate=lambda: {"score": 0.0}, **settings).run().step == 10
    assert same(network, folder, straight)


def test_a_signal_at_the_last_step_is_obeyed_too(loop: Make, squares: Make, tmp_path: Path, straight: Any) -> None:
    folder = tmp_path / "stopped"
    with pytest.raises(Interrupted, match="after step 10"):
        loop(squares(dropout=0.3), folder=folder, evaluate=stopper(2, signal.SIGTERM)).run()
    network = squares(dropout=0.3)
    loop(network, folder=folder, evaluate=lambda: {"score": 0.0}).run()
    assert same(network, folder, straight)


@pytest.mark.parametrize("checkpoints", [0, 60])
def test_a_signal_during_the_last_save_is_obeyed_too(
    loop: Make, squares: Make, tmp_path: Path, straight: Any, monkeypatch: pytest.MonkeyPatch, checkpoints: float
) -> None:
    save = state.save

    def slow(folder: Path, network: Any, optimizer: Any, progress: state.Progress, *rest: Any) -> None:
        if progress.step == 10:
            os.kill(os.getpid(), signal.SIGTERM)
        save(folder, network, optimizer, progress, *rest)

    monkeypatch.setattr(state, "save", slow)
    folder, settings = tmp_path / "stopped", {"checkpoint_minutes": checkpoints}
    with pytest.raises(Interrupted, match="after step 10"):
        loop(squares(dropout=0.3), folder=folder, evaluate=lambda: {"score": 0.0}, **settings).run()
    monkeypatch.undo()
    network = squares(dropout=0.3)
    loop(network, folder=folder, evaluate=lambda: {"score": 0.0}, **settings).run()
    assert same(network, folder, straight)


PARTS = [("optimizer", name) for name in names(Optimizer)] + [("schedule", name) for name in names(Schedule)]


@pytest.mark.parametrize(("kind", "name"), PARTS)
@pytest.mark.parametrize("at", [1, 3])
def test_with_every_part_a_resume_is_equal_to_the_bit(
    loop: Make, squares: Make, tmp_path: Path, kind: str, name: str, at: int
) -> None:
    settings = {kind: name, "epochs": 4, "averaging": {"name": "ema", "start": 0.5}, "clip": 0.1}
    network = squares(dropout=0.3)
    loop(network, folder=tmp_path / "straight", evaluate=lambda: {"score": 0.0}, **settings).run()
    straight = network.state_dict(), (tmp_path / "straight" / "log.jsonl").read_bytes()
    folder = tmp_path / "stopped"
    with pytest.raises(Interrupted):
        loop(squares(dropout=0.3), folder=folder, evaluate=stopper(at, signal.SIGTERM), **settings).run()
    network = squares(dropout=0.3)
    loop(network, folder=folder, evaluate=lambda: {"score": 0.0}, **settings).run()
    assert same(network, folder, straight)


def test_a_second_ctrl_c_does_not_wait(loop: Make, tmp_path: Path) -> None:
    def twice() -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the second one must interrupt at once")

    with pytest.raises(KeyboardInterrupt):
        loop(evaluate=twice).run()


class Dead(BaseException):
    """Stands for a process that ends here and now."""


def test_a_death_at_any_moment_of_writing_costs_nothing(
    loop: Make, squares: Make, tmp_path: Path, straight: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every move of a file into its place is tried as the last thing that the process did, before and after it."""
    replace, moments = os.replace, 0
    for after in (False, True):
        for last in range(1, 1000):
            folder, count = tmp_path / f"dead-{after}-{last}", 0

            def dying(source: Any, target: Any, *, last: int = last, after: bool = after) -> None:
                nonlocal count
                count += 1
                if count == last and not after:
                    raise Dead
                replace(source, target)
                if count == last:
                    raise Dead

            monkeypatch.setattr(os, "replace", dying)
            try:
                loop(squares(dropout=0.3), folder=folder, epochs=2, evaluate=lambda: {"score": 0.0}).run()
                break
            except Dead:
                moments += 1
            finally:
                monkeypatch.setattr(os, "replace", replace)
            if last % 4 == 1:  # a checkpoint takes seven moves, so each kind of moment comes
                saved = any((folder / "checkpoints" / name).exists() for name in ("last", ".last.old"))
                network = squares(dropout=0.3)
                loop(network, folder=folder, evaluate=lambda: {"score": 0.0}).run()
                assert same(network, folder, straight), (after, last)
                begun = [line for line in (folder / "timings.jsonl").read_text().splitlines() if "event" in line][-1]
                assert json.loads(begun)["event"] == ("resume" if saved else "start"), (after, last)
    assert moments > 60


def test_every_generator_goes_on_where_it_stood(loop: Make, squares: Make, tmp_path: Path) -> None:
    def draws() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    found: dict[str, list[Any]] = {"straight": [], "resumed": []}
    for name, stop in (("straight", 0), ("resumed", 1)):
        runtime.set_seed(7)
        stopping = stopper(stop, signal.SIGTERM)

        def evaluate(name: str = name, stopping: Any = stopping) -> dict[str, float]:
            found[name].append(draws())
            return stopping()

        folder = tmp_path / name
        if stop:
            with pytest.raises(Interrupted):
                loop(squares(), folder=folder, evaluate=evaluate, epochs=3).run()
            runtime.set_seed(99)
        loop(squares(), folder=folder, evaluate=evaluate, epochs=3).run()
    assert len(found["straight"]) == 3
    # squares() seeds torch anew; what matters is that all later draws are those of the undisturbed run
    assert found["resumed"] == found["straight"]


def test_another_machine_is_refused_and_named_unless_drift_is_allowed(
    loop: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Interrupted):
        loop(evaluate=stopper(1, signal.SIGTERM)).run()
    facts = runtime.facts()
    monkeypatch.setattr(runtime, "facts", lambda on=None: {**facts, "processor": "abacus", "threads": 64})
    with pytest.raises(UserError) as caught:
        loop().run()
    message = str(caught.value)
    assert f"processor was {facts['processor']!r} and is 'abacus'" in message
    assert f"threads was {facts['threads']} and is 64" in message
    assert "torch was" not in message
    assert "--allow-drift" in message
    assert loop(allow_drift=True).run().step == 10


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors", "random.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_refused(loop: Make, tmp_path: Path, name: str) -> None:
    loop().run()
    file = tmp_path / "checkpoints" / "last" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match=f"{name} is damaged: its checksum is not the one written with it"):
        loop().run()


def test_a_log_that_lost_lines_is_refused(loop: Make, tmp_path: Path) -> None:
    loop().run()
    (tmp_path / "log.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match=r"is shorter than its checkpoint says. Start with --overwrite."):
        loop(epochs=3).run()


def test_nothing_in_a_checkpoint_is_a_pickle(loop: Make, tmp_path: Path) -> None:
    loop().run()
    names = {f.name for f in (tmp_path / "checkpoints").rglob("*") if f.is_file()}
    assert {Path(n).suffix for n in names} == {".json", ".safetensors"}
    for file in (tmp_path / "checkpoints").rglob("*.safetensors"):
        assert int.from_bytes(file.read_bytes()[:8], "little") < file.stat().st_size
