"""Two processes, as torchrun starts them, on one CPU: the same curve as one process, and what becomes of a lost one.

Those on GPUs, where gradients go through NCCL, are marked `gpu` and want two of them.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from crew import curve, made

from maskwright.base.errors import UserError
from maskwright.training import engines, parallel
from maskwright.training.parallel import ALONE, World
from maskwright.training.settings import Train

REPOSITORY = Path(__file__).parents[2]
CREW = REPOSITORY / "tests/support/crew.py"
#: fp32: sums over pieces and processes are added up in another order
TOLERANCE = {"rel": 1e-5, "abs": 1e-5}

Cases = dict[str, dict[str, Any]]


def start(folder: Path, cases: dict[str, Any], processes: int = 2) -> subprocess.Popen[str]:
    """torchrun with the crew, whose cases each get a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    paths = os.pathsep.join(str(REPOSITORY / part) for part in ("src", "tests/support"))
    places = {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*run, str(CREW), str(folder), json.dumps(cases)],
        env={**os.environ, **places},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str], seconds: float = 240) -> tuple[int, str]:
    """Its exit code and all it said."""
    try:
        said, _ = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, said


def alone(folder: Path, case: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The same training by one process: its weights."""
    loop = made(folder, **case)
    loop.run()
    return loop.objective.state_dict()


def compare(cases: Cases, folder: Path) -> None:
    """Run all cases by two processes and by one, and compare every number of their logs and the weights."""
    code, said = ended(start(folder / "two", cases))
    assert code == 0, said
    assert "Warning" not in said, said
    for name, case in cases.items():
        weights = alone(folder / "one" / name, {k: v for k, v in case.items() if k != "parallel"})
        one, two = curve(folder / "one" / name), curve(folder / "two" / name)
        assert len(one) == len(two) > 3
        for mine, theirs in zip(one, two, strict=True):
            assert mine.keys() == theirs.keys()
            assert 0 < theirs.get("efficiency", 1) <= mine.get("efficiency", 1) == 1
            for key in mine.keys() - {"evaluation", "efficiency"}:
                assert theirs[key] == pytest.approx(mine[key], **TOLERANCE), (name, mine["step"], key)
            for key, value in mine.get("evaluation", {}).items():
                assert theirs["evaluation"][key] == pytest.approx(value, **TOLERANCE), (name, key)
        final = torch.load(folder / "two" / name / "end.pt")
        for key, tensor in weights.items():
            if not key.endswith("qkv.bias"):  # no gradient at keys but noise, which Adam makes as large as any
                assert torch.allclose(final[key], tensor, atol=1e-4), (name, key)


FEW = {"name": "mlm", "masking": {"name": "token", "rate": 0.05}}


def test_two_processes_have_the_curve_of_one(tmp_path: Path) -> None:
    """With steps in several pieces and steps of a single row; with items so few that some pieces have none; with losses
    that are made of two means."""
    cases: Cases = {
        "mlm": {"tokens": 1200, "parallel": "auto", "judged": 1, "evaluations": 2},
        "pairs": {"tokens": 1200, "parallel": "ddp", "objective": "next-sentence", "step": 200, "micro": 60},
        "few": {"tokens": 1200, "parallel": "ddp", "objective": FEW, "micro": 30, "recompute": True},
        "row": {"tokens": 200, "parallel": "ddp", "step": 24},
        "shares": {"tokens": 1200, "parallel": "fsdp", "judged": 1, "averaging": "ema", "recompute": True},
    }
    compare(cases, tmp_path)


#: the weights of the second part have no gradient at first, and must not decay
THEN = {"name": "mixture", "order": "then", "shares": [0.5, 0.5], "parts": ["mlm", "span-boundary"]}
DISENTANGLED = {"name": "replaced-tokens", "sharing": "gradient-disentangled"}

SLOW: dict[str, Cases] = {
    "ddp": {
        "replaced": {"objective": "replaced-tokens", "name": "electra"},
        "sop": {"objective": "sentence-order", "name": "albert"},
        "span": {"objective": "span-boundary", "optimizer": "muon"},
        "mixture": {"objective": "mixture"},
        "parts": {"objective": {"name": "mixture", "parts": ["mlm", "span-boundary"]}, "averaging": "ema"},
        "unused": {"objective": THEN},
        "causal": {"objective": "causal", "optimizer": "lamb", "name": "modernbert"},
        "disentangled": {"objective": DISENTANGLED, "name": "electra"},
    },
    "fsdp": {
        "pairs": {"objective": "next-sentence", "optimizer": "lamb"},
        "albert": {"objective": "sentence-order", "name": "albert"},
        "replaced": {"objective": "replaced-tokens", "name": "electra"},
        "deberta": {"objective": DISENTANGLED, "name": "deberta-v2"},
        "span": {"objective": "span-boundary", "optimizer": "muon", "averaging": "ema", "judged": 1},
        "modernbert": {"objective": "mixture", "name": "modernbert"},
        "parts": {"objective": {"name": "mixture", "parts": ["mlm", "span-boundary"]}},
        "unused": {"objective": THEN},
        "few": {"objective": FEW, "micro": 30},
        "row": {"tokens": 600, "step": 24},
        "causal": {"objective": "causal", "recompute": True, "clip": 0.1},
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("engine", SLOW)
def test_every_objective_and_optimizer_has_the_curve_of_one(engine: str, tmp_path: Path) -> None:
    compare({name: {"parallel": engine, **case} for name, case in SLOW[engine].items()}, tmp_path)


def test_a_killed_process_ends_the_run_which_goes_on_with_one(tmp_path: Path) -> None:
    case = {"checkpoint_minutes": 0, "tokens": 2500}
    fault = {"rank": 1, "step": 5, "kind": "kill"}
    code, said = ended(start(tmp_path, {"run": {**case, "parallel": "fsdp", "fault": fault}}))
    assert code != 0
    assert "[0] error: Process 0 of 2 has lost another one" in said
    assert f"{tmp_path / 'run/checkpoints/last'} is whole: go on from it with --resume" in said
    assert "with any number of processes" in said
    assert len(curve(tmp_path / "run")) == 5
    resumed = alone(tmp_path / "run", case)  # other processes, another engine, and no --allow-drift
    straight = alone(tmp_path / "straight", case)
    one, two = curve(tmp_path / "straight"), curve(tmp_path / "run")
    assert [line["loss"] for line in two] == pytest.approx([line["loss"] for line in one], **TOLERANCE)
    assert len(two) > 6
    assert all(torch.allclose(resumed[k], v, atol=1e-4) for k, v in straight.items() if not k.endswith("qkv.bias"))


def lines(folder: Path) -> int:
    file = folder / "log.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "number"), [("ddp", signal.SIGTERM), ("fsdp", signal.SIGINT), ("ddp", 0)])
def test_a_stopped_run_goes_on_to_the_bit(engine: str, number: int, tmp_path: Path) -> None:
    """Told to stop through torchrun, or killed with it; dropout makes each process's draws matter."""
    case = {"parallel": engine, "dropout": 0.2, "checkpoint_minutes": 0 if not number else 60, "averaging": "ema"}
    case |= {"tokens": 6000, "judged": 1, "evaluations": 3}
    running = start(tmp_path / "cut", {"run": {**case, "fault": {"rank": 1, "step": 0, "kind": "slow"}}})
    while lines(tmp_path / "cut/run") < 8:
        assert running.poll() is None, running.communicate()[0]
        time.sleep(0.05)
    if number:
        running.send_signal(number)
        code, said = ended(running)
        stops = [f"[{rank}] stopped by {signal.Signals(number).name} after step " for rank in (0, 1)]
        assert all(stop in said for stop in stops), said
        assert code != 0
    else:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        for child in (*children, running.pid):
            os.kill(int(child), signal.SIGKILL)
        ended(running)
    assert (tmp_path / "cut/run/checkpoints/last").exists()
    assert lines(tmp_path / "cut/run") < 20
    assert ended(start(tmp_path / "cut", {"run": case}))[0] == 0
    assert ended(start(tmp_path / "straight", {"run": case}))[0] == 0
    logs = [(tmp_path / name / "run/log.jsonl").read_bytes() for name in ("cut", "straight")]
    assert logs[0] == logs[1]
    ends = [torch.load(tmp_path / name / "run/end.pt") for name in ("cut", "straight")]
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


@pytest.mark.slow
def test_dropout_differs_between_processes(tmp_path: Path) -> None:
    """Else both would drop the same units, and the step would learn from one mask where one process has two."""
    case = {"dropout": 0.3, "tokens": 1000, "checkpoint_minutes": 0}
    assert ended(start(tmp_path, {"run": case}))[0] == 0
    state = json.loads((tmp_path / "run/checkpoints/last/state.json").read_text())
    assert state["noise"] != state["others"][0]["noise"]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ddp", "fsdp"])
def test_a_number_that_is_none_in_one_process_ends_all_with_what_made_it(engine: str, tmp_path: Path) -> None:
    fault = {"rank": 1, "step": 2, "kind": "nan"}
    code, said = ended(start(tmp_path, {"run": {"parallel": engine, "fault": fault}}))
    assert code != 0
    for rank in (0, 1):
        assert f"[{rank}] error: Step 3 gave a loss or gradient that is not a finite number" in said
    assert "the first module with such an output is network.encoder.norm" in said
    kept = tmp_path / "run/not_finite-1.json"
    assert str(kept) in said
    assert json.loads(kept.read_text())["step"] == 3
    assert not (tmp_path / "run/not_finite.json").exists(), "process 0 had no part in it"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["raise", "stop"])
def test_a_process_that_raises_or_stands_still_ends_the_run(kind: str, tmp_path: Path) -> None:
    case = {"checkpoint_minutes": 0, "fault": {"rank": 1, "step": 4, "kind": kind}}
    code, said = ended(start(tmp_path, {"minutes": 0.1, "run": case}))
    assert code != 0
    assert "[0] error: Process 0 of 2 has lost another one" in said
    assert ("[1] error: the disk of this process is full" in said) == (kind == "raise")
    assert ("Timed out waiting 6000ms" in said) == (kind == "stop")


@pytest.mark.slow
def test_three_processes_and_few_rows(tmp_path: Path) -> None:
    cases = {engine: {"parallel": engine, "step": 60, "micro": 30, "tokens": 600} for engine in ("ddp", "fsdp")}
    assert ended(start(tmp_path / "three", cases, 3))[0] == 0
    alone(tmp_path / "one", {k: v for k, v in cases["ddp"].items() if k != "parallel"})
    for name in cases:
        told = [[line["loss"] for line in curve(f)] for f in (tmp_path / "one", tmp_path / "three" / name)]
        assert told[1] == pytest.approx(told[0], **TOLERANCE)


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="two GPUs")
@pytest.mark.parametrize("engine", ["ddp", "fsdp"])
def test_two_gpus_have_the_curve_of_one(engine: str, tmp_path: Path) -> None:
    case = {"parallel": engine, "device": "cuda", "judged": 1, "checkpoint_minutes": 0}
    assert ended(start(tmp_path / "two", {"run": case}))[0] == 0
    alone(tmp_path / "one", {**case, "parallel": "auto"})
    one, two = ([line["loss"] for line in curve(f) if "loss" in line] for f in (tmp_path / "one", tmp_path / "two/run"))
    assert two == pytest.approx(one, rel=1e-4)


# ---------------------------------------------------------------- in one process


def test_one_process_speaks_to_itself() -> None:
    assert ALONE.leads
    assert ALONE.each("a") == ["a"]
    assert ALONE.highest(3, 0) == [3, 0]
    assert ALONE.first(lambda: 7) == 7
    with parallel.joined() as world:
        assert world == ALONE
        assert not torch.distributed.is_initialized()


def test_several_processes_are_not_left_alone() -> None:
    assert engines.kind_of("fsdp", ALONE) == "none"
    assert engines.kind_of("auto", World(1, 2)) == "ddp"
    assert engines.kind_of("fsdp", World(1, 2)) == "fsdp"
    with pytest.raises(UserError, match=r"2 processes were started, and train\.parallel=none"):
        engines.kind_of("none", World(0, 2))


@pytest.fixture
def third_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torchrun tells the third of four processes, on a machine with two GPUs."""
    told = {"RANK": "2", "LOCAL_RANK": "2", "WORLD_SIZE": "4", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(parallel.runtime, "device", lambda name: torch.device(name if name != "auto" else "cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("auto", "torchrun started process 2 on this machine, counted from 0, which has 2 cuda devices"),
        ("cuda:0", "train.device=cuda:0 is one device, and several processes were started. Give cuda"),
    ],
)
def test_each_process_needs_a_gpu_of_its_own(third_of_four: None, device: str, said: str) -> None:
    with pytest.raises(UserError, match=said), parallel.joined(device):
        pass


def test_a_training_that_knows_nothing_of_the_others_is_refused(third_of_four: None) -> None:
    with pytest.raises(UserError, match="torchrun started 4 processes, and this training is for one"):
        engines.kind_of("auto", ALONE)


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        ("[/x/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:1. Typically", True),
        ("NCCL error in: ProcessGroupNCCL.cpp:1", True),
        ("mat1 and mat2 shapes cannot be multiplied", False),
    ],
)
def test_a_lost_process_is_told_from_other_errors(said: str, lost: bool) -> None:
    with pytest.raises((UserError, RuntimeError)) as caught, parallel.naming_the_lost(0, 2, lambda: "Go on so."):
        raise RuntimeError(said)
    assert isinstance(caught.value, UserError) == lost
    if lost:
        assert str(caught.value).endswith("Go on so.")
        assert "pair.cc" not in str(caught.value)
    with pytest.raises(RuntimeError, match=r"mat1|NCCL|gloo"), parallel.naming_the_lost(0, 1):
        raise RuntimeError(said)


def test_a_weight_without_a_shape_is_not_cut(squares: Callable[..., Any]) -> None:
    network = squares()
    network.scale = torch.nn.Parameter(torch.tensor(1.0))
    with pytest.raises(UserError, match="cuts weights along their first dimension, and scale has none"):
        engines.build("fsdp", network, torch.device("cpu"), World(0, 2))


def test_checkpoints_know_how_many_processes_wrote_them(loop: Callable[..., Any], tmp_path: Path) -> None:
    loop().run()
    facts = json.loads((tmp_path / "checkpoints/last/facts.json").read_text())
    assert (facts["processes"], facts["parallel"]) == (1, "none")
    start = json.loads((tmp_path / "timings.jsonl").read_text().splitlines()[0])
    assert (start["processes"], start["parallel"]) == (1, "none")


def test_a_network_without_blocks_cannot_recompute(loop: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match=r"train\.recompute is for networks that are a stack of blocks"):
        loop(recompute=True).run()


def test_a_step_that_asks_for_nothing_is_named(loop: Callable[..., Any], squares: Callable[..., Any]) -> None:
    network = squares()
    forward = network.forward
    network.forward = lambda batch: (forward(batch)[0], 0, {})
    with pytest.raises(UserError, match="Step 1 has 12 tokens, and the objective asks for none of them"):
        loop(network).run()


def test_the_settings_of_several_processes() -> None:
    settings = Train()
    assert (settings.parallel, settings.recompute) == ("auto", False)
    assert math.isfinite(settings.timeout_minutes)
