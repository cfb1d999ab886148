"""Runs on the tiny encoder that take a fraction of a second."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from maskwright.base.config import merge
from maskwright.cli.main import main
from maskwright.finetuning.run import Run, finetune

#: One thread, because tiny matrices are quickest on it; no checkpoints but the best; a rate for tiny weights.
TRAIN = {"epochs": 2, "batch_size": 8, "lr": 3e-3, "threads": 1, "log_steps": 1, "checkpoint_minutes": None}

USUAL = {"train": TRAIN, "data": {"eval_chooses": True}}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No waiting for the disk, which only a power cut needs; threads are set back."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def train() -> dict[str, Any]:
    return dict(TRAIN)


@pytest.fixture
def tune(tiny: Path, reviews: dict[str, list[Any]], tmp_path: Path) -> Callable[..., Run]:
    """`finetune` with one seed on the reviews with the tiny encoder, into `out` under the test's folder; `settings` on
    top. Eval rows choose the checkpoint, and nothing stands beside the model, unless a test says otherwise."""

    def go(
        config: Any = None, *, out: str | Path = "run", settings: dict[str, Any] | None = None, **options: Any
    ) -> Run:
        options = {"train": reviews, "model": tiny, "quiet": True, "seeds": 1, "baselines": False, **options}
        options = {name: value for name, value in options.items() if value is not None}
        return finetune(config, out=tmp_path / out, settings=merge(USUAL, settings or {}), **options)

    return go


@pytest.fixture
def say(
    tiny: Path,
    reviews: dict[str, list[Any]],
    tmp_path: Path,
    write_csv: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Runs the command with a mistake in it and gives what it says of it, behind the notes that were known by then.
    Options on top of those that would be right."""

    def go(*more: str, out: str | None = "run", **options: str | None) -> str:
        right = {"train": write_csv(tmp_path / "reviews.csv", reviews), "model": str(tiny)}
        if out is not None:
            right["out"] = str(tmp_path / out)
        said = {name: value for name, value in {**right, **options}.items() if value is not None}
        words = [word for name, value in said.items() for word in (f"--{name.replace('_', '-')}", value)]
        before = out is not None and (tmp_path / out).exists()
        code = main(["finetune", *words, "--set", "train.threads=1", "--set", "train.epochs=1", *more])
        stdout, err = capsys.readouterr()
        assert code == 2
        assert stdout == ""
        *notes, error = err.splitlines()
        assert all(note.startswith("note: ") for note in notes)
        assert error.startswith("error: ")
        if out is not None and not before:
            assert not (tmp_path / out).exists(), "a mistake leaves no folder in the way of the next try"
        return error.removeprefix("error: ")

    return go
