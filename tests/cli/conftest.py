"""The command line run in this process, and a finished run to work with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from maskwright.cli import main as cli

SETS = ("train.threads=1", "train.lr=3e-3", "train.batch_size=8", "train.log_steps=1", "train.checkpoint_minutes=none")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs one command line; gives the exit code, what went to stdout and what to stderr."""

    def go(*args: Any) -> tuple[int, str, str]:
        try:
            code = cli.main([str(a) for a in args])
        except SystemExit as left:
            code = left.code or 0  # type: ignore[assignment]
        return code, *capsys.readouterr()

    return go


@pytest.fixture(scope="session")
def sets() -> list[str]:
    """Settings that make a run on the tiny encoder quick, as the command line takes them."""
    return [word for text in SETS for word in ("--set", text)]


@pytest.fixture(scope="session")
def csv_file(
    reviews: dict[str, list[Any]], write_csv: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> str:
    return write_csv(tmp_path_factory.mktemp("data") / "reviews.csv", reviews)


@pytest.fixture(scope="session")
def finished(tiny: Path, reviews: dict[str, list[Any]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs that learned their task: of single texts, of pairs, and a regression."""
    from maskwright.base.config import pairs
    from maskwright.finetuning.run import finetune

    kinds: dict[str, dict[str, Any]] = {
        "single": {},
        "pair": {"pair": "other"},
        "regression": {"task": "regression", "label": "score"},
    }
    settings = pairs([*SETS, "train.epochs=10"])
    folder = tmp_path_factory.mktemp("runs")
    return {
        name: finetune(train=reviews, model=tiny, out=folder / name, seeds=1, settings=settings, **kind).folder
        for name, kind in kinds.items()
    }


@pytest.fixture(scope="session")
def words(make_tiny: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny BERT with a head for masked words."""
    return make_tiny(tmp_path_factory.mktemp("models") / "words", "masked-lm", initial_std=0.3)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Commands set the number of threads of their process; the tests after them must not notice."""
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
