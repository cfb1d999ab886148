"""The machine: precision, threads, seeds, devices, and the facts of a run."""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import maskwright
from maskwright.base import runtime
from maskwright.base.errors import UserError

SRC = Path(maskwright.__file__).parents[1]


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Threads as they were, afterwards; none stated."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("RAYON_NUM_THREADS", os.environ.get("RAYON_NUM_THREADS", ""))
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("fast", "wanted"), [(True, "bf16"), (False, "fp32")])
def test_auto_precision_follows_the_processor(monkeypatch: pytest.MonkeyPatch, fast: bool, wanted: str) -> None:
    monkeypatch.setattr(runtime, "has_fast_bf16", lambda on: fast)
    assert runtime.resolve_precision("auto") == wanted
    assert runtime.resolve_precision("fp32") == "fp32"
    assert runtime.resolve_precision("bf16") == "bf16"


@pytest.mark.skipif(runtime.device().type != "cpu", reason="an accelerator is used instead of the processor")
@pytest.mark.parametrize(
    ("facts", "fast"),
    [
        ("X [avx2 avx512f avx512_bf16]", True),
        ("X [amx_bf16]", True),
        ("X [avx2 avx512f]", False),
        ("X", False),
        ("Intel X [avx512f avx512_bf16]", False),
        ("Intel X [avx512f avx512_bf16 amx_bf16]", True),
    ],
)
def test_fast_bf16_is_read_from_the_instruction_sets(monkeypatch: pytest.MonkeyPatch, facts: str, fast: bool) -> None:
    monkeypatch.setattr(runtime, "processor", lambda: facts)
    assert runtime.has_fast_bf16() is fast


@pytest.mark.usefixtures("restored")
def test_threads_reach_torch_and_the_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtime.set_threads(1) == torch.get_num_threads() == 1
    assert os.environ["RAYON_NUM_THREADS"] == "1"
    everything = runtime.set_threads()
    assert everything >= 1
    assert torch.get_num_threads() == everything
    assert os.environ["RAYON_NUM_THREADS"] == str(everything)
    if hasattr(os, "sched_getaffinity"):
        assert everything == len(os.sched_getaffinity(0))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert runtime.set_threads() == torch.get_num_threads() == 1
    assert runtime.set_threads(2) == torch.get_num_threads() == 2


def test_a_seed_repeats_all_three_generators() -> None:
    def draws() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), torch.rand(()).item()

    runtime.set_seed(5)
    first = draws()
    runtime.set_seed(5)
    assert draws() == first
    runtime.set_seed(6)
    assert not set(draws()) & set(first)
    runtime.set_seed(2**40)  # numpy takes 32 bits


def test_devices() -> None:
    assert runtime.device("cpu") == torch.device("cpu")
    assert runtime.device().type in ("cpu", "cuda", "mps", "xpu")
    with pytest.raises(UserError, match=r"The device 'gpu' cannot be used here: .*Allowed: auto, cpu, cuda"):
        runtime.device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match=r"The device 'cuda' cannot be used here"):
            runtime.device("cuda")


def test_kept_memory_says_whether_it_was_done() -> None:
    """In a process of its own, since it changes how the whole process allocates."""
    code = "from maskwright.base.runtime import settle_memory as keep; print(keep(), keep())"
    here = {**os.environ, "PYTHONPATH": str(SRC)}
    out = subprocess.check_output([sys.executable, "-c", code], text=True, env=here).split()
    assert out in (["True", "True"], ["False", "False"])


def test_kept_memory_is_for_glibc_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.platform, "libc_ver", lambda: ("", ""))
    assert runtime.settle_memory() is False
    assert runtime.release_memory() is False


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a heap that keeps what is freed is glibc's")
def test_kept_memory_is_given_back_when_asked() -> None:
    code = """
from maskwright.base.runtime import release_memory, settle_memory
def resident():
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmRSS"))
settle_memory()
blocks = [bytearray(b"x") * 2**20 for _ in range(200)]
above = bytearray(b"x") * 2**20  # the heap cannot shrink from its end
del blocks
kept = resident()
release_memory()
print(kept - resident())
"""
    here = {**os.environ, "PYTHONPATH": str(SRC)}
    assert int(subprocess.check_output([sys.executable, "-c", code], text=True, env=here)) > 150


def test_kernels_are_bounded_by_the_largest_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(runtime.CAPACITY, raising=False)
    monkeypatch.setattr(runtime, "_bound", None)
    for wish, held in ((32, "32"), (128, "128"), (64, "128")):
        runtime.bound_kernels(wish)
        assert os.environ[runtime.CAPACITY] == held
    monkeypatch.setenv(runtime.CAPACITY, "7")  # a person's own
    runtime.bound_kernels(256)
    assert os.environ[runtime.CAPACITY] == "7"


def test_facts_are_json_and_the_same_twice() -> None:
    facts = runtime.facts()
    assert json.loads(json.dumps(facts)) == facts == runtime.facts()
    assert set(facts) == {"processor", "device", "threads", "torch"}
    assert facts["threads"] == torch.get_num_threads()
    assert facts["torch"] == torch.__version__
    assert facts["processor"]


def test_versions_name_what_computes() -> None:
    found = runtime.versions()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["torch"] == torch.__version__
    assert {"numpy", "tokenizers", "safetensors", "scipy"} <= set(found)
