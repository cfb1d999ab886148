"""A budget of time becomes steps once: a run that stops and goes on is the run that it would have been."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from quickly import Train

from maskwright.pretraining import probe
from maskwright.pretraining import run as runs
from maskwright.pretraining.judging import Judging
from maskwright.training.stop import Interrupted

pytestmark = pytest.mark.usefixtures("undrawn")

Speed = Callable[[float], None]
SLOW = 700.0  #: pieces a second, at which a minute is some 60 steps


@pytest.fixture
def usual() -> dict[str, Any]:
    return {"budget": "60s", "lr": 2e-3, "judge_sequences": 20, "settings": {"train": {"evaluations": 2}}}


@pytest.fixture
def speed(monkeypatch: pytest.MonkeyPatch) -> Speed:
    """Says how many pieces a second the probe finds. Its steps are taken, with all that they draw, but not counted."""
    real = probe.rates

    def measures(rate: float) -> None:
        def rates(*given: Any) -> list[float]:
            return [rate] * len(real(*given))

        monkeypatch.setattr(runs, "rates", rates)

    monkeypatch.setattr(probe, "SECONDS", 0.02)
    return measures


@contextmanager
def before_the_first_step() -> Iterator[None]:
    """Within it a run dies when its steps are fixed and none is taken."""

    def dies(*given: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs.Run, "_train", dies)
        with pytest.raises(KeyboardInterrupt):
            yield


@contextmanager
def after_half_of_them() -> Iterator[None]:
    """Within it a run is told to stop by the first of its two evaluations."""
    real = Judging.on_the_way

    def stops(*given: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return real(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judging, "on_the_way", stops)
        with pytest.raises(Interrupted):
            yield


def frozen(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_text())["frozen"]
    return found


def outcome(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("model/model.safetensors", "seeds/0/log.jsonl")}


def starts(folder: Path) -> list[int]:
    """The steps behind which a run was begun and gone on with."""
    clocks = (folder / "seeds" / "0" / "timings.jsonl").read_text().splitlines()
    return [line["step"] for line in map(json.loads, clocks) if "event" in line]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("stopped", [before_the_first_step, after_half_of_them])
def test_a_run_that_stopped_keeps_its_steps_whatever_the_speed_is_by_then(
    stopped: Callable[[], Any], train: Train, speed: Speed, tmp_path: Path
) -> None:
    speed(SLOW)
    with stopped():
        train("run")
    fixed, told = frozen(tmp_path / "run"), (tmp_path / "run" / "config.json").read_bytes()
    assert fixed["unit"] == "tokens"
    assert fixed["tokens_per_second"] == [SLOW]
    speed(10 * SLOW)
    run = train("run", resume=True)
    assert frozen(run.folder) == fixed
    assert (run.folder / "config.json").read_bytes() == told
    steps = run.summary["read"]["steps"]
    assert starts(run.folder) == {before_the_first_step: [0], after_half_of_them: [0, round(steps / 2)]}[stopped]
    straight = train(
        "straight", budget=f"{fixed['amount']} tokens", settings={"train": {"evaluations": fixed["evaluations"]}}
    )
    assert run.summary["read"] == straight.summary["read"]
    assert run.summary["figures"] == straight.summary["figures"]
    assert outcome(run.folder) == outcome(straight.folder)


def test_a_run_that_begins_at_another_speed_has_other_steps(train: Train, speed: Speed, tmp_path: Path) -> None:
    """Without which the same steps above would say nothing."""
    for rate in (SLOW, 10 * SLOW):
        speed(rate)
        with before_the_first_step():
            train(f"at-{rate:.0f}")
    slow, fast = (frozen(tmp_path / f"at-{rate:.0f}") for rate in (SLOW, 10 * SLOW))
    assert fast["amount"] > 5 * slow["amount"]
