"""The machine: threads, seeds, precision, device, and the facts that a run stores so that it can be repeated."""

from __future__ import annotations

import ctypes
import os
import platform
import random
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from maskwright.base.errors import UserError

Precision = Literal["auto", "fp32", "bf16"]


def processor() -> str:
    """The processor's name and the instruction sets that change its arithmetic, as one line."""
    name, flags = platform.processor() or platform.machine(), ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
        fields = {k.strip(): v.strip() for k, v in fields.items()}
        name = f"{fields.get('model name', name)} family {fields.get('cpu family')} model {fields.get('model')}"
        known = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16")
        flags = " ".join(f for f in known if f in fields.get("flags", "").split())
    return f"{name} [{flags}]" if flags else name


def has_fast_bf16(on: Any = None) -> bool:
    """Whether bf16 matrix products are faster than fp32 on a device: a GPU that has them, AMX, or AVX512-BF16.

    The last not on Intel's processors, which have two units for fp32 and one for bf16
    (docs/decisions/0005-products.md).
    """
    import torch

    where = on or device()
    if where.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if where.type != "cpu":
        return False
    facts = processor()
    return "amx_bf16" in facts or ("avx512_bf16" in facts and "Intel" not in facts)


def device(name: str = "auto") -> Any:
    """A torch device: the accelerator where there is one, else the CPU, or the one that `name` says."""
    import torch

    if name == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        return found if found is not None else torch.device("cpu")
    try:
        wanted = torch.device(name)
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError) as problem:
        raise UserError(f"The device {name!r} cannot be used here: {problem}. Allowed: auto, cpu, cuda.") from None
    return wanted


def resolve_precision(asked: Precision, on: Any = None) -> Literal["fp32", "bf16"]:
    """`auto` becomes bf16 where the processor multiplies it faster, else fp32."""
    if asked == "auto":
        return "bf16" if has_fast_bf16(on) else "fp32"
    return asked


def set_threads(count: int | None = None) -> int:
    """Use `count` threads for tensors and tokenization. Returns the count in use.

    By default OMP_NUM_THREADS where it is set, else all cores that this process may use.
    """
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    stated = os.environ.get("OMP_NUM_THREADS", "")
    wanted = count or (int(stated) if stated.isdigit() and int(stated) else cores)
    os.environ["RAYON_NUM_THREADS"] = str(wanted)
    torch.set_num_threads(wanted)
    return wanted


def set_seed(seed: int) -> None:
    """Seed Python, numpy and torch."""
    import numpy
    import torch

    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    torch.manual_seed(seed)


CAPACITY = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
_bound: str | None = None  # what we set it to


def bound_kernels(count: int) -> None:
    """Let oneDNN keep at least `count` kernels, if nobody else said how many (docs/decisions/0004-memory.md).

    oneDNN asks once, when it first computes; later this changes nothing.
    """
    global _bound
    if os.environ.get(CAPACITY) == _bound and count > int(_bound or 0):
        os.environ[CAPACITY] = _bound = str(count)


def settle_memory(kernels: int = 32) -> bool:
    """Two settings of the process that packed batches want, before the first tensor is computed.

    Both are measured in docs/decisions/0004-memory.md. glibc is told to keep freed memory instead of giving it back to
    the kernel and asking again page by page. And oneDNN's cache of kernels is bounded to what holds the shapes that
    come again: training, which has three products where a forward pass has one, wants more `kernels`, and so does bf16
    (`nn.precision`), in which a kernel takes as long to make and less to run. Variables that a person has set are left
    alone. Returns whether glibc took its settings; where the C library is another, only the
    second is done.
    """
    bound_kernels(kernels)
    os.environ.setdefault("LRU_CACHE_CAPACITY", "1")
    if platform.libc_ver()[0] != "glibc":
        return False
    trim_threshold, mmap_threshold, arena_max = -1, -3, -8  # names and numbers of malloc.h
    # One arena: a thread of its own (the backward pass may have one) would get an arena that gives large blocks back.
    wanted = {arena_max: 1, mmap_threshold: 2**30, trim_threshold: 2**31 - 1}
    libc = ctypes.CDLL(None)
    taken = [libc.mallopt(name, value) == 1 for name, value in wanted.items()]
    return all(taken)


def release_memory() -> bool:
    """Give pages that are free back to the kernel, for between two large pieces of work in one process.

    A heap that keeps everything (`settle_memory`) is cut finer with every batch of another size, and would grow for as
    long as a job goes on. Returns whether there was a way: on glibc alone.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    ctypes.CDLL(None).malloc_trim(0)
    return True


def versions() -> dict[str, str]:
    """Versions of what computes: Python, ourselves and the libraries whose numerics or formats matter."""
    packages = ("maskwright", "torch", "numpy", "tokenizers", "safetensors", "scikit-learn", "scipy")
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def facts(on: Any = None) -> dict[str, Any]:
    """What must be the same for a resumed run on a device to be equal to the bit."""
    import torch

    where = on or device()
    return {
        "processor": processor(),
        "device": torch.cuda.get_device_name(where) if where.type == "cuda" else where.type,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
