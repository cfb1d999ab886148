"""Every tracker of the folder, with its library replaced by one that remembers what it is told."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trackers import CONFIG, FAKES, Backend

from maskwright.base.choice import dump, find, names, resolve
from maskwright.base.config import pairs, parse
from maskwright.base.errors import UserError
from maskwright.training import tracking as module
from maskwright.training.settings import Train
from maskwright.training.stop import Interrupted
from maskwright.training.trackers import Tracker
from maskwright.training.tracking import Tracking

Make = Callable[..., Any]
#: What a library hears of a run that finished, was stopped, failed.
ENDS = {
    "tensorboard": ("closed", "closed", "closed"),
    "wandb": (0, 1, 1),
    "mlflow": ("FINISHED", "KILLED", "FAILED"),
    "trackio": ("finished", "finished", "finished"),
}


@pytest.fixture(params=names(Tracker))
def name(request: pytest.FixtureRequest) -> str:
    assert request.param in FAKES, "a new tracker is tested with a fake of its library: write one"
    return str(request.param)


@pytest.fixture
def backend(name: str, monkeypatch: pytest.MonkeyPatch) -> Backend:
    made = Backend()
    for path, fake in FAKES[name](made).items():
        monkeypatch.setitem(sys.modules, path, fake)
    return made


@pytest.fixture
def tracked(loop: Make, squares: Make, name: str, backend: Backend, tmp_path: Path) -> Make:
    """A whole run of ten steps, two evaluations and a final metric, told to the tracker."""

    def go(folder: str = "run", evaluate: Any = lambda: {"score": 0.25}, objective: Any = None) -> Tracking:
        made = loop(objective or squares(dropout=0.3), folder=tmp_path / folder, evaluate=evaluate)
        made.tracking = Tracking(resolve(Tracker, name), tmp_path / folder, "reviews-0", CONFIG)
        with made.tracking as tracking:
            made.run()
            tracking.final({"test": {"accuracy": 0.75, "pearson": None}})
        return tracking

    return go


def lines(folder: Path, file: str = "log.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / file).read_text().splitlines()]


def stops() -> dict[str, float]:
    os.kill(os.getpid(), signal.SIGTERM)
    return {"score": 0.25}


def expected(folder: Path) -> dict[str, dict[int, float]]:
    """The curves that the run's own files hold, and the final metric."""
    out: dict[str, dict[int, float]] = {"final/test/accuracy": {10: 0.75}}
    for line in lines(folder) + lines(folder, "timings.jsonl"):
        if "event" not in line:
            kind, values = ("evaluation", line["evaluation"]) if "evaluation" in line else ("train", line)
            for key, value in values.items():
                if key not in ("step", "time"):
                    out.setdefault(f"{kind}/{key}", {})[line["step"]] = value
    return out


def test_it_is_told_what_the_runs_own_files_hold(tracked: Make, backend: Backend, name: str, tmp_path: Path) -> None:
    assert tracked().notes == []
    (told,) = backend.sessions
    assert told.curves == expected(tmp_path / "run")
    assert len(told.curves["train/loss"]) == 10
    assert set(told.curves["evaluation/score"]) == {5, 10}
    assert "17" in told.config
    assert "seed" in told.config
    assert told.end == ENDS[name][0]


def test_a_resumed_run_goes_on_with_its_session(tracked: Make, backend: Backend, name: str, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        tracked(evaluate=stops)
    assert backend.sessions[0].end == ENDS[name][1]
    assert json.loads((tmp_path / "run" / "tracker.json").read_text()) == {
        "name": name,
        "id": backend.sessions[0].id,
        "notes": [],
    }
    tracked()
    first, second = backend.sessions
    assert second.id == first.id
    assert [step for step, _ in first.lines][-1] == 5
    assert second.lines[0][0] == 6
    both = {key: {**first.curves.get(key, {}), **curve} for key, curve in second.curves.items()}
    assert both == expected(tmp_path / "run")


def test_another_run_gets_another_session(tracked: Make, backend: Backend) -> None:
    tracked("one")
    tracked("two")
    assert backend.sessions[0].id != backend.sessions[1].id


def test_a_failure_in_the_middle_changes_nothing_but_a_note(
    tracked: Make, backend: Backend, loop: Make, squares: Make, name: str, tmp_path: Path
) -> None:
    def breaks(step: int) -> None:
        if step >= 3:
            raise OSError("no route\n to host.")

    backend.at_step = breaks
    ours, plain = squares(dropout=0.3), squares(dropout=0.3)
    loop(plain, folder=tmp_path / "plain", evaluate=lambda: {"score": 0.25}).run()
    squares(dropout=0.3)  # sets the generators back
    tracking = tracked(objective=ours)
    assert tracking.notes == [
        f"The tracker {name} failed at step 3 and was told nothing more: OSError: no route to host. "
        "The run went on; its own log holds everything."
    ]
    assert json.loads((tmp_path / "run" / "tracker.json").read_text())["notes"] == tracking.notes
    (told,) = backend.sessions
    assert {step for step, _ in told.lines} == {1, 2}
    assert told.end == ENDS[name][0], "it is closed all the same"
    assert (tmp_path / "run" / "log.jsonl").read_bytes() == (tmp_path / "plain" / "log.jsonl").read_bytes()
    for key, tensor in plain.state_dict().items():
        assert torch.equal(tensor, ours.state_dict()[key]), key


def test_one_that_cannot_be_opened_leaves_a_note_and_the_id_for_later(
    tracked: Make, backend: Backend, name: str, tmp_path: Path
) -> None:
    def refuses() -> None:
        raise RuntimeError("not logged in")

    with pytest.raises(Interrupted):
        tracked(evaluate=stops)
    backend.at_open = refuses
    with pytest.raises(Interrupted):
        tracked(evaluate=stops)
    stored = json.loads((tmp_path / "run" / "tracker.json").read_text())
    assert stored["id"] == backend.sessions[0].id
    assert stored["notes"] == [
        f"The tracker {name} could not be opened: RuntimeError: not logged in. "
        "The run went on; its own log holds everything."
    ]
    backend.at_open = lambda: None
    assert tracked().notes == []
    assert backend.sessions[-1].id == backend.sessions[0].id


def test_one_that_hangs_is_not_waited_for_longer_than_the_patience(
    tracked: Make, backend: Backend, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    free = threading.Event()
    backend.at_step = lambda step: free.wait(60)
    try:
        tracking = tracked()
        assert tracking.notes == [
            f"The tracker {name} did not take everything within 0.05 seconds of the end. "
            "The run went on; its own log holds everything."
        ]
        assert len(lines(tmp_path / "run")) == 12, "ten steps and two evaluations"
    finally:
        free.set()


def test_what_it_draws_while_it_opens_is_drawn_back(name: str, backend: Backend, tmp_path: Path) -> None:
    def draws() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    plain = draws()
    random.setstate(before[0])
    np.random.set_state(before[1])
    torch.set_rng_state(before[2])
    backend.at_open = draws
    tracking = Tracking(resolve(Tracker, name), tmp_path, "a", {})
    tracking.open(0)
    assert len(backend.sessions) == 1
    assert draws() == plain
    tracking.close("finished")


def test_stdout_is_for_results(tracked: Make, capsys: pytest.CaptureFixture[str]) -> None:
    tracked()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("problem", "end"), [(KeyboardInterrupt, 1), (ValueError, 2)])
def test_it_hears_how_a_run_ended(
    name: str, backend: Backend, tmp_path: Path, problem: type[BaseException], end: int
) -> None:
    def work() -> None:
        with Tracking(resolve(Tracker, name), tmp_path, "a", {}) as tracking:
            tracking.open(0)
            raise problem

    with pytest.raises(problem):
        work()
    assert backend.sessions[0].end == ENDS[name][end]


def test_without_its_library_nothing_begins(
    tracked: Make, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = find(Tracker, name).library
    assert library is not None
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UserError) as caught:
        tracked()
    said = str(caught.value)
    assert said.startswith(f"train.tracker={name} needs the package {library}, which cannot be imported here (")
    assert f"pip install {library} (all trackers: pip install " in said
    assert said.endswith('"maskwright[track]"). Or train without: train.tracker=none.')
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_a_damaged_file_of_the_tracker_stops_nothing(tracked: Make, backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tracker.json").write_text("{")
    (note,) = tracked().notes
    assert "could not be opened: UserError:" in note
    assert "tracker.json is not a JSON file" in note
    assert backend.sessions == []


def test_a_session_of_another_tracker_is_not_taken_up(tracked: Make, backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tracker.json").write_text('{"name": "other", "id": "theirs", "notes": []}')
    tracked()
    assert backend.sessions[0].id != "theirs"


def test_it_survives_json_whole(name: str) -> None:
    tracker = resolve(Tracker, {"name": name, "run": "mine"})
    assert resolve(Tracker, json.loads(json.dumps(dump(tracker)))) == tracker
    settings = Train(tracker=tracker)
    again = parse(Train, json.loads(settings.model_dump_json()))
    assert again == settings
    assert again.tracker is not None
    assert (again.tracker.name, again.tracker.run) == (name, "mine")
    assert parse(Train, pairs([f"tracker={name}", "tracker.run=mine"])).tracker == tracker


def test_a_name_of_ones_own_is_used(name: str, backend: Backend, tmp_path: Path) -> None:
    more = {"folder": str(tmp_path / "boards")} if name == "tensorboard" else {}
    tracking = Tracking(resolve(Tracker, {"name": name, "run": "mine", **more}), tmp_path, "reviews-0", {})
    with tracking:
        tracking.open(0)
    told = backend.sessions[0]
    assert (told.name or told.id) == (str(tmp_path / "boards" / "mine") if more else "mine")


@pytest.mark.parametrize("given", [[], ["tracker=none"]])
def test_nobody_is_told_by_default(given: list[str], loop: Make, tmp_path: Path) -> None:
    assert parse(Train, pairs(given)).tracker is None
    before = threading.active_count()
    with Tracking(None, tmp_path, "a", {}) as tracking:
        made = loop(folder=tmp_path / "run")
        made.tracking = tracking
        made.run()
        tracking.final({"test": {"accuracy": 1.0}})
        assert threading.active_count() == before
    assert tracking.notes == []
    assert not (tmp_path / "run" / "tracker.json").exists()


def test_an_unknown_tracker_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"There is no tracker 'tensorbord'. Did you mean 'tensorboard'?"):
        parse(Train, {"tracker": "tensorbord"})
    with pytest.raises(UserError, match=r"There is no setting 'projekt'. Did you mean 'project'?"):
        parse(Train, pairs(["tracker=wandb", "tracker.projekt=x"]))


# The real library, where it is installed.


@pytest.fixture
def events() -> Iterator[Callable[[Path], dict[str, list[tuple[int, float]]]]]:
    """Reads the curves that TensorBoard would draw from a folder."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
        found = accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0})
        found.Reload()
        return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}

    return read


def test_the_real_tensorboard_draws_a_killed_and_resumed_run_once(
    loop: Make, squares: Make, tmp_path: Path, events: Callable[[Path], dict[str, list[tuple[int, float]]]]
) -> None:
    """It dies at step 15, and its last checkpoint is of step 5, so that steps 6 to 15 come twice."""

    def run(evaluate: Any, **settings: Any) -> None:
        made = loop(squares(dropout=0.3), folder=tmp_path, evaluate=evaluate, epochs=3, **settings)
        made.tracking = Tracking(resolve(Tracker, "tensorboard"), tmp_path, "a", CONFIG)
        with made.tracking:
            made.run()

    class Dead(BaseException):
        pass

    calls = iter((stops, lambda: {"score": 0.5}, None))

    def dies() -> dict[str, float]:
        act = next(calls)
        if act is None:
            raise Dead
        return act()

    with pytest.raises(Interrupted):
        run(dies, checkpoint_minutes=60)
    with pytest.raises(Dead):
        run(dies, checkpoint_minutes=60)
    run(lambda: {"score": 0.75}, checkpoint_minutes=60)
    found = events(tmp_path / "tensorboard")
    want = {line["step"]: line["loss"] for line in lines(tmp_path) if "loss" in line}
    assert [step for step, _ in found["train/loss"]] == list(range(1, 16))
    assert dict(found["train/loss"]) == pytest.approx(want)
    assert found["evaluation/score"] == [(5, 0.25), (10, 0.75), (15, 0.75)]
