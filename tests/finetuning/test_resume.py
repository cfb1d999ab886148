"""A run that was killed, stopped or refused goes on, and ends as if nothing had happened: equal to the bit."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from maskwright.base.errors import UserError
from maskwright.cli.main import main

pytestmark = pytest.mark.usefixtures("undrawn")

Tune = Callable[..., Any]
Reviews = dict[str, list[Any]]
SRC = str(Path(__file__).parents[2] / "src")
EPOCHS = 15
STEPS = 8 * EPOCHS


def outcome(folder: Path) -> dict[str, bytes]:
    names = ("model/model.safetensors", "seeds/0/log.jsonl", "metrics.json", "config.json")
    return {name: (folder / name).read_bytes() for name in names}


def lines(folder: Path) -> int:
    log = folder / "seeds" / "0" / "log.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def wait_for(condition: Callable[[], bool], process: Any, seconds: float = 60) -> None:
    """Until the condition holds or the process has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        if (process.poll() if isinstance(process, subprocess.Popen) else process.exitcode) is not None:
            return
        time.sleep(0.001)


@pytest.fixture
def command(
    tiny: Path, reviews: Reviews, train: dict[str, Any], tmp_path: Path, write_csv: Callable[..., str]
) -> Callable[..., list[str]]:
    """The arguments of a run of STEPS steps of the tiny encoder, with dropout, and checkpoints every few steps."""
    data = write_csv(tmp_path / "reviews.csv", reviews)
    # 0.0005 minutes are 30 ms: some ten steps, about as long as a checkpoint takes to write
    settings = {**train, "epochs": EPOCHS, "checkpoint_minutes": 0.0005, "evaluations": 2}
    sets = [word for name, value in settings.items() for word in ("--set", f"train.{name}={value}")]

    def make(out: Path, *more: str) -> list[str]:
        # the weights and the log do not depend on where the folder is, but config.json names it
        one = ["--seeds", "1", "--quiet", *sets]
        return ["finetune", "--train", data, "--model", str(tiny), "--out", str(out), *one, *more]

    return make


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need signals of POSIX")
def test_ten_kills_at_random_moments_change_nothing(
    command: Callable[..., list[str]], spawn: Callable[[list[str]], Any], tmp_path: Path
) -> None:
    """Two kills come at any moment of the start, two in a save, six anywhere: a step, an evaluation, a save."""
    straight = tmp_path / "straight" / "run"
    process = spawn(command(straight))
    process.join()
    assert process.exitcode == 0
    assert lines(straight) == 1 + STEPS + 2 * EPOCHS  # the first says what went in
    moments = random.Random(2018)
    killed, reached, partial = tmp_path / "killed" / "run", [], 0
    checkpoints = killed / "seeds" / "0" / "checkpoints"
    for kill in range(10):
        begun = lines(killed)
        process = spawn(command(killed, "--resume"))
        if kill in (0, 5):
            time.sleep(moments.uniform(0, 0.3))
        else:
            # A new session first cuts the log back to its checkpoint, so wait for what it wrote after `begun` lines.
            until = begun + moments.randint(1, 14)
            wait_for(lambda until=until: lines(killed) >= until, process)
            if kill in (3, 7):
                wait_for((checkpoints / ".last.new").exists, process)
            time.sleep(moments.uniform(0, 0.03) if kill not in (3, 7) else moments.uniform(0, 0.005))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, "the run was over before it could be killed ten times"
        partial += (checkpoints / ".last.new").exists() or (checkpoints / ".last.old").exists()
        reached.append(lines(killed))
        assert not (killed / "metrics.json").exists()
    process = spawn(command(killed, "--resume"))
    process.join()
    assert process.exitcode == 0
    assert len(set(reached)) > 5, f"the kills came at different places: {reached}"
    assert partial, "some kill came while a checkpoint was being written"
    starts = [json.loads(line) for line in (killed / "seeds" / "0" / "timings.jsonl").read_text().splitlines()]
    assert sum(line.get("event") == "resume" and line["step"] > 0 for line in starts) >= 3
    one, two = outcome(straight), outcome(killed)
    assert one["model/model.safetensors"] == two["model/model.safetensors"]
    assert one["seeds/0/log.jsonl"] == two["seeds/0/log.jsonl"]
    assert one["metrics.json"] == two["metrics.json"]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_a_stopped_command_says_so_and_goes_on(
    command: Callable[..., list[str]], tmp_path: Path, number: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "stopped"
    more = ("--set", "train.checkpoint_minutes=60", "--set", "train.epochs=20")
    start = [sys.executable, "-c", "import sys; from maskwright.cli.main import main; sys.exit(main())"]
    environment = {**os.environ, "PYTHONPATH": SRC}
    process = subprocess.Popen([*start, *command(out, *more)], env=environment, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: lines(out) >= 10, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err.startswith(f"maskwright: stopped by {signal.Signals(number).name} after step ")
    assert err.endswith("; go on with --resume.\n")
    assert "Traceback" not in err
    assert not (out / "metrics.json").exists()
    stopped = json.loads((out / "seeds" / "0" / "checkpoints" / "last" / "state.json").read_text())["progress"]["step"]
    assert 8 <= stopped < 160, "it was saved, though the next checkpoint was an hour away"
    assert f"after step {stopped}, which is saved;" in err
    assert left(command(out, "--resume", *more)) == 0
    assert left(command(tmp_path / "straight", *more)) == 0
    one, two = outcome(out), outcome(tmp_path / "straight")
    assert one["model/model.safetensors"] == two["model/model.safetensors"]
    assert one["seeds/0/log.jsonl"] == two["seeds/0/log.jsonl"]


def left(args: list[str]) -> int | None:
    """The exit code of the command, run here."""
    try:
        return main(args)
    except SystemExit as leaving:
        return leaving.code or 0  # type: ignore[return-value]


@pytest.fixture
def stopped(tune: Tune, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Starts a run of 16 steps and stops it after step 8 by a signal from its own evaluation."""
    from maskwright.finetuning import _seeds as runs
    from maskwright.training.stop import Interrupted

    def go(**options: Any) -> None:
        judge = runs.judge

        def stops(*args: Any, **options: Any) -> Any:
            os.kill(os.getpid(), signal.SIGTERM)
            return judge(*args, **options)

        monkeypatch.setattr(runs, "judge", stops)
        with pytest.raises(Interrupted, match="after step 8"):
            tune(**options)
        monkeypatch.setattr(runs, "judge", judge)

    return go


def test_resuming_a_complete_run_does_nothing_and_says_so(tune: Tune, tmp_path: Path) -> None:
    def everything() -> dict[str, tuple[bytes, int]]:
        files = (f for f in (tmp_path / "run").rglob("*") if f.is_file())
        return {str(f): (f.read_bytes(), f.stat().st_mtime_ns) for f in files}

    first = tune()
    before = everything()
    again = tune(resume=True)
    assert again.notes == ["This run was already complete; nothing was done."]
    assert again.metrics == first.metrics
    assert everything() == before
    assert again.predict("the film was dull") == first.predict("the film was dull")


def test_resuming_what_never_began_begins(tune: Tune) -> None:
    assert outcome(tune(resume=True).folder).keys() == outcome(tune(out="other").folder).keys()


def test_a_kill_between_training_and_the_end_costs_no_training(
    tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maskwright.finetuning import run as runs

    checkpoints = {"train": {"checkpoint_minutes": 60}}
    straight = tune(out="straight", settings=checkpoints)

    def dies(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "_prove", dies)
    with pytest.raises(KeyboardInterrupt):
        tune(settings=checkpoints)
    monkeypatch.undo()
    run = tune(resume=True, settings=checkpoints)
    clocks = (run.folder / "seeds" / "0" / "timings.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in clocks if "event" in line] == [0], "no training was entered again"
    one, two = outcome(run.folder), outcome(straight.folder)
    assert one["model/model.safetensors"] == two["model/model.safetensors"]
    assert one["seeds/0/log.jsonl"] == two["seeds/0/log.jsonl"]


def test_a_disk_that_is_full_while_saving_costs_the_old_checkpoint_nothing(
    tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maskwright.training import state

    often = {"train": {"checkpoint_minutes": 1e-6}}
    straight = tune(out="straight", settings=often, seeds=1)
    save, saved = state.save_file, []

    def full(tensors: Any, path: str) -> None:
        saved.append(path)
        if len(saved) > 7:  # three files a checkpoint: in the middle of the third
            Path(path).write_bytes(b"half a file")
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
        save(tensors, path)

    with monkeypatch.context() as patch:
        patch.setattr(state, "save_file", full)
        with pytest.raises(UserError, match=r"There is no room left on the disk for .*--resume"):
            tune(settings=often, seeds=1)
    assert not list((tmp_path / "run").rglob(".*.new")), "what did not fit is gone"
    run = tune(resume=True, settings=often, seeds=1)
    clocks = [json.loads(line) for line in (run.folder / "seeds" / "0" / "timings.jsonl").read_text().splitlines()]
    first, again = (line["step"] for line in clocks if "event" in line)
    assert (first, again) > (0, 0)
    one, two = outcome(run.folder), outcome(straight.folder)
    assert one["model/model.safetensors"] == two["model/model.safetensors"]
    assert one["seeds/0/log.jsonl"] == two["seeds/0/log.jsonl"]


def test_other_settings_are_refused_and_named(tune: Tune, stopped: Callable[..., None]) -> None:
    stopped()
    with pytest.raises(UserError) as caught:
        tune(resume=True, settings={"train": {"lr": 1e-3}}, long="tail")
    message = str(caught.value)
    assert (
        "was started with other settings: train.lr was 0.003 and is 0.001; long.name was 'head' and is 'tail'."
        in message
    )
    with pytest.raises(UserError, match="seed was 0 and is 1"):
        tune(resume=True, seed=1)
    with pytest.raises(UserError, match=r"task.pair was None and is 'other'"):
        tune(resume=True, pair="other")
    tune(resume=True)


def test_other_data_are_refused(
    tune: Tune, stopped: Callable[..., None], reviews: Reviews, tmp_path: Path, write_csv: Callable[..., str]
) -> None:
    stopped()
    with pytest.raises(UserError, match=r"The data of .* has changed since it was started."):
        tune(resume=True, train={**reviews, "text": [*reviews["text"][:-1], "another film"]})
    file = write_csv(tmp_path / "reviews.csv", reviews)
    stopped(out="file", train=file)
    Path(file).write_text(Path(file).read_text().replace("lovely", "dreary", 1))
    with pytest.raises(UserError, match=r"The data of .* has changed since it was started."):
        tune(out="file", train=file, resume=True)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2 if hasattr(os, "sched_getaffinity") else True, reason="one core")
def test_other_threads_are_refused_unless_drift_is_allowed(
    tune: Tune, stopped: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads are no setting here, so that they come from the machine, which is not the same the second time."""
    threads = {"train": {"threads": "none"}}
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    stopped(settings=threads)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with pytest.raises(UserError) as caught:
        tune(settings=threads, resume=True)
    message = str(caught.value)
    assert "here would not be equal to the bit: threads was 1 and is 2. Resume with the same, or accept the " in message
    assert "--allow-drift" in message
    run = tune(settings=threads, resume=True, allow_drift=True)
    clocks = [json.loads(line) for line in (run.folder / "seeds" / "0" / "timings.jsonl").read_text().splitlines()]
    assert [(line["step"], line["threads"]) for line in clocks if "event" in line] == [(0, 1), (8, 2)]
    assert lines(run.folder) == 1 + 16 + 2


def test_the_best_weights_of_before_the_stop_are_not_forgotten(
    tune: Tune, stopped: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of two evaluations is the best one, and it came before the stop."""
    from maskwright.finetuning import _seeds as runs

    judge = runs.judge

    def planted(accuracy: float) -> Callable[..., Any]:
        def said(*args: Any, **options: Any) -> Any:
            found = judge(*args, **options)
            found.metrics["accuracy"] = accuracy
            return found

        return said

    monkeypatch.setattr(runs, "judge", planted(0.9))
    stopped()
    monkeypatch.setattr(runs, "judge", planted(0.1))
    run = tune(resume=True)
    from safetensors.torch import load_file

    (best,) = (run.folder / "seeds" / "0" / "checkpoints").glob("best-*.safetensors")
    kept = load_file(best)
    for name, tensor in run.model.network.state_dict().items():
        assert (tensor == kept[f"network.{name}"]).all(), name
