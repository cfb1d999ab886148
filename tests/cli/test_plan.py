"""`maskwright plan`: what it prints, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_tells_what_a_pretraining_takes(run: Run) -> None:
    where = ("--family", "bert", "--size", "base", "--tokens", "137B", "--length", "128:0.9,512:0.1")
    code, out, _ = run("plan", "pretrain", *where, "--machine", "tpu-v3-64", "--price", 1.5)
    assert code == 0
    assert "reads       137B pieces" in out
    assert "32 x tpu-v3" in out
    assert "its name counts cores" in out
    for words in ("attention between tokens", "FLOPs a scored piece", "with recompute", "under FSDP2", "in all"):
        assert words in out


def test_json_holds_all_of_it(run: Run) -> None:
    where = ("--preset", "bert-large", "--gpus", 8, "--machine", "a100-80g", "--precision", "bf16")
    code, out, _ = run("plan", "pretrain", *where, "--optimizer", "muon", "--set", "optimizer.steps=3", "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["devices"], found["layers"], found["parameters"]) == (8, 24, 335_174_458)
    assert found["parts"]["optimizer"] > 0
    assert found["memory"]["weights"] == 4 * found["parameters"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--machine", "a100"), "There are several machines 'a100': a100-40g, a100-80g."),
        (("--preset", "bert-huge"), "There is no preset 'bert-huge'"),
        (("--machine", "t4", "--length", "2048"), "bert-base has 512 positions"),
        (("--machine", "t4", "--budget", "0m"), "leaves nothing to train with"),
        (("nowhere", "--machine", "t4"), "There is no corpus 'nowhere'"),
        (("--machine", "t4", "--set", "optimizer.stps=3"), "There is no setting 'stps'"),
    ],
)
def test_mistakes(words: tuple[str, ...], said: str, run: Run) -> None:
    code, _, err = run("plan", "pretrain", *words)
    assert code == 2
    assert said in err
