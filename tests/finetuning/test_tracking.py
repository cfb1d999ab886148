"""What a tracker hears of a fine-tuning run, and that the run does not depend on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from maskwright.base.errors import UserError
from maskwright.training.trackers import Opening, Session, Status, Tracker

Tune = Callable[..., Any]


class Notebook(Tracker):
    """A tracker from outside of the folder, which remembers."""

    heard: ClassVar[list[Any]] = []
    breaks: bool = False

    def open(self, opening: Opening) -> Session:
        self.heard.append(opening)
        return _Page(self)


class _Page:
    id = "page"

    def __init__(self, book: Notebook) -> None:
        self.book = book

    def log(self, step: int, values: dict[str, float]) -> None:
        if self.book.breaks:
            raise ConnectionError("the network is gone")
        self.book.heard.append((step, values))

    def close(self, status: Status) -> None:
        self.book.heard.append(status)


class Absent(Notebook):
    library: ClassVar[str | None] = "a_library_that_nobody_has"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Notebook, "heard", [])


def test_it_hears_the_config_the_evaluations_and_the_final_metrics(tune: Tune) -> None:
    run = tune(settings={"train": {"tracker": Notebook()}})
    opening, *lines, status = Notebook.heard
    assert (opening.name, opening.folder, opening.step, opening.id) == ("run-0", run.folder / "seeds" / "0", 0, None)
    config = json.loads((run.folder / "config.json").read_text())
    assert {**opening.config, "notes": config["notes"]} == config
    evaluations = [step for step, values in lines if "evaluation/accuracy" in values]
    assert evaluations == [8, 16]
    step, final = lines[-1]
    assert step == 16
    flat = {f"final/{side}/{key}": value for side, values in run.metrics.items() for key, value in values.items()}
    assert final == {key: value for key, value in flat.items() if value is not None}
    assert status == "finished"
    assert run.notes == [note for note in run.notes if "tracker" not in note]


def test_a_run_without_its_tracker_is_the_same_run(tune: Tune) -> None:
    plain, broken = tune(out="plain"), tune(out="broken", settings={"train": {"tracker": Notebook(breaks=True)}})
    for name in ("model/model.safetensors", "seeds/0/log.jsonl", "metrics.json"):
        assert (plain.folder / name).read_bytes() == (broken.folder / name).read_bytes(), name
    (note,) = set(broken.notes) - set(plain.notes)
    assert "failed at step 1 and was told nothing more: ConnectionError: the network is gone." in note


def test_a_missing_library_is_said_before_anything_is_read(tune: Tune, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs the package a_library_that_nobody_has"):
        tune(train=tmp_path / "there_is_no_such_file.csv", settings={"train": {"tracker": Absent()}})
    assert not (tmp_path / "run").exists()
