"""`maskwright pretrain`: a run file, replacing a run and going on with one, what a signal leaves, and mistakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from novel import corpus as novel_corpus

from maskwright.cli.main import main

pytestmark = pytest.mark.usefixtures("undrawn")

Run = Callable[..., tuple[int, str, str]]
SRC = str(Path(__file__).parents[2] / "src")
SETS = ("train.threads=1", "train.checkpoint_minutes=none", "train.evaluations=1")
SMALL = ["--size", "1x32", "--vocabulary", "120", "--length", "48", "--batch-tokens", "600"]
SMALL += ["--judge-sequences", "20", *(word for one in SETS for word in ("--set", one))]
STEPS = 250  #: of the run that is stopped: more than a second, after its first lines


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return novel_corpus(tmp_path_factory.mktemp("novel")).folder


@pytest.fixture
def train(run: Run, books: Path, tmp_path: Path) -> Run:
    """The command with what it needs, into `run` under the test's folder; later words win."""

    def go(*more: Any, text: Any = books) -> tuple[int, str, str]:
        return run("pretrain", text, "--out", tmp_path / "run", "--budget", "24 steps", *SMALL, *more)

    return go


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    """All files, to the byte, and when they were written."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return found


# A run


def test_it_prints_its_figures_and_a_complete_run_is_said_to_be_so(train: Run, tmp_path: Path) -> None:
    code, first, err = train()
    assert code == 0
    assert all(note.startswith("note: ") for note in err.splitlines())
    told = json.loads((tmp_path / "run" / "metrics.json").read_text())
    rows = first.splitlines()[1 : 1 + len(told["figures"])]
    assert {row.split()[0]: row.split()[1] for row in rows} == {
        name: f"{figure['value']:.4f}" for name, figure in told["figures"].items()
    }
    assert all(word in first for sentence in told["verdict"] for word in sentence.split())
    assert first.endswith(f"\nmodel: {tmp_path / 'run' / 'model'}\n")
    before = everything(tmp_path / "run")
    code, again, err = train("--resume")
    assert (code, again) == (0, first)
    assert err == "note: This run was already complete; nothing was done.\n"
    assert everything(tmp_path / "run") == before
    assert train("--resume", "--quiet") == (0, first, "")


def test_a_run_file_and_what_wins_over_it(run: Run, books: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        f'text = "{books}"\nout = "{tmp_path / "run"}"\nbudget = "9 steps"\nseed = 1\nsize = "1x32"\n'
        'vocabulary = 120\nlength = 48\nbatch_tokens = 600\nmasking = "span"\njudge_sequences = 20\n'
        '[train]\nthreads = 1\ncheckpoint_minutes = "none"\nevaluations = 1\nlr = 1.0\n'
    )
    code, out, _ = run("pretrain", file, "--budget", "24 steps", "--seed", "2", "--set", "train.lr=1e-3")
    assert code == 0
    assert out.endswith(f"\nmodel: {tmp_path / 'run' / 'model'}\n")
    settings = config(tmp_path / "run")["settings"]
    assert (settings["budget"], settings["seed"], settings["train"]["lr"]) == ("24 steps", 2, 1e-3)
    assert (settings["text"], settings["size"], settings["vocabulary"]) == (str(books), "1x32", 120)
    (phase,) = settings["phases"]
    assert (phase["length"], phase["batch_tokens"]) == (48, 600)
    assert settings["objective"]["masking"]["name"] == "span"
    assert settings["train"]["checkpoint_minutes"] is None
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["read"]["steps"] == 24


def test_overwrite_replaces_a_finished_run(train: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert train()[0] == 0
    (folder / "seeds" / "7").mkdir()
    before, old = everything(folder), (folder / "model" / "model.safetensors").read_bytes()
    assert train("--seed", "1") == (
        2,
        "",
        f"error: {folder} already holds a run. Go on with it by --resume, replace it by --overwrite, or give another "
        "--out.\n",
    )
    assert everything(folder) == before
    code, out, _ = train("--seed", "1", "--overwrite")
    assert code == 0
    assert out.endswith(f"\nmodel: {folder / 'model'}\n")
    assert config(folder)["settings"]["seed"] == 1
    assert {path.name for path in (folder / "seeds").iterdir()} == {"1"}
    assert (folder / "model" / "model.safetensors").read_bytes() != old


# Signals


@pytest.fixture(scope="module")
def straight(books: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run of STEPS steps that nobody stopped."""
    threads, folder = torch.get_num_threads(), tmp_path_factory.mktemp("straight") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maskwright.runs._pictures._svg", lambda *_, **__: "<svg></svg>")
        assert left(command(books, folder)) == 0
    yield folder
    torch.set_num_threads(threads)


def command(books: Path, out: Path, *more: str) -> list[str]:
    return ["pretrain", str(books), "--out", str(out), "--quiet", "--budget", f"{STEPS} steps", *SMALL, *more]


def left(args: list[str]) -> int | str:
    """The exit code of the command, run here."""
    try:
        return main(args)
    except SystemExit as leaving:
        return leaving.code or 0


def lines(folder: Path) -> int:
    log = folder / "seeds" / "0" / "log.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def outcome(folder: Path) -> dict[str, bytes]:
    kept = ("model/model.safetensors", "seeds/0/log.jsonl", "metrics.json")
    return {name: (folder / name).read_bytes() for name in kept}


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_command_says_so_and_goes_on(
    number: int, code: int, books: Path, straight: Path, tmp_path: Path
) -> None:
    """Saved by the signal alone, since no checkpoints were asked for; and resumed to the bit."""
    out = tmp_path / "run"
    start = [sys.executable, "-m", "maskwright", *command(books, out)]
    environment = {**os.environ, "PYTHONPATH": SRC}
    process = subprocess.Popen(start, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while lines(out) < 3 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    process.send_signal(number)
    told, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert told == ""
    saved = json.loads((out / "seeds" / "0" / "checkpoints" / "last" / "state.json").read_text())["progress"]["step"]
    assert 20 <= saved < STEPS
    assert err == (
        f"maskwright: stopped by {signal.Signals(number).name} after step {saved}, which is saved; go on with "
        "--resume.\n"
    )
    assert not (out / "metrics.json").exists()
    assert left(command(books, out, "--resume")) == 0
    clocks = [json.loads(line) for line in (out / "seeds" / "0" / "timings.jsonl").read_text().splitlines()]
    assert [line["step"] for line in clocks if "event" in line] == [0, saved]
    assert outcome(out) == outcome(straight)


# Mistakes


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--budget", "soon"), "budget = 'soon' is no budget. Give minutes or hours (20m, 2h, 1h30m, 90s)"),
        (("--budget", "5 steps"), "A budget of 5 steps leaves 5 steps, fewer than the 20"),
        (("--recipe", "bert-2019"), "Did you mean 'bert-2018'?"),
        (("--size", "smal"), "There is no size 'smal'. Did you mean 'small'?"),
        (("--family", "bert", "--length", "4000", "--batch-tokens", "4000"), "the network has 512 positions"),
        (("--pairs", "no-such-pairs.jsonl"), "no-such-pairs.jsonl"),
        (("--set", "train.learning=1"), "There is no setting 'learning'."),
        (("--set", "train.lr"), "write it as name=value, for example train.lr=3e-5."),
        (("--extend-vocabulary", "20"), "of a model that is gone on with; give --model, or leave it away."),
        (("--resume", "--overwrite"), "Say either --resume or --overwrite, not both."),
    ],
)
def test_a_mistake_is_a_paragraph(more: tuple[str, ...], said: str, train: Run, tmp_path: Path) -> None:
    refused(train(*more), said, tmp_path / "run")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "There is no file "),
        ('budget = "24 steps\n', "is not a TOML file: "),
        ("lenght = 48\n", "There is no option 'lenght'. Did you mean 'length'?"),
        ("[train]\nepochs = 3\n", "There is no setting 'epochs'."),
        ('budget = "24 steps"\n', "The setting 'text' is needed and was not given."),
    ],
)
def test_a_mistake_in_a_run_file_is_a_paragraph(content: str | None, said: str, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    if content is not None:
        file.write_text(content)
    refused(run("pretrain", file, "--out", tmp_path / "run"), said, tmp_path / "run")


def refused(found: tuple[int, str, str], said: str, folder: Path) -> None:
    code, out, err = found
    *notes, error = err.splitlines()
    assert (code, out) == (2, "")
    assert all(note.startswith("note: ") for note in notes)
    assert error.startswith("error: ")
    assert said in error
    assert not any(folder.glob("*")), "the mended command is not told that a run is there"


def test_a_process_that_was_refused_leaves_with_2_and_no_traceback(tmp_path: Path) -> None:
    start = [sys.executable, "-m", "maskwright", "pretrain", "no/such/corpus", "--out", str(tmp_path / "run")]
    done = subprocess.run(start, env={**os.environ, "PYTHONPATH": SRC}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    (error,) = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert "no/such/corpus" in error
    assert not any((tmp_path / "run").glob("*"))
