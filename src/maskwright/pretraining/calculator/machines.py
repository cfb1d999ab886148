"""Processors for training by name: what they can do at most, and where that is written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from maskwright.base.errors import UserError, unknown

#: The share of the peak that a training reaches, unless another is stated. Measured: BERT-large on one V100 32G reaches
#: 0.32 (length 128) and 0.24 (512) of 125 TFLOP/s in mixed precision, and 0.60 and 0.53 of 15.7 in fp32: 171.52, 30.08,
#: 40.32 and 8.36 sequences a second (NVIDIA DeepLearningExamples, PyTorch BERT, README of 2019, DGX-1, by our count).
HALF, FP32 = 0.30, 0.60


@dataclass(frozen=True)
class Machine:
    """One device. Rates in FLOP/s of dense products, memory in bytes, bandwidths in bytes/s; None: not published, or
    there is none."""

    name: str
    half: float | None  #: peak in bf16, or fp16 where it has no bf16, with sums in fp32
    fp32: float | None  #: peak in fp32 itself, not in formats that round its products (TF32)
    memory: float
    bandwidth: float | None  #: of that memory
    link: float | None  #: to other devices, one way
    source: str
    gpu: bool = True  #: whether variable-length attention runs on it
    cores: int = 1  #: what a slice's name counts on one chip: `tpu-v3-64` has 64 cores, 32 chips


def _gpu(name: str, half: float, fp32: float, memory: float, bandwidth: float, link: float, source: str) -> Machine:
    """Peaks in TFLOP/s, memory in GB, bandwidths in GB/s."""
    return Machine(name, half * 1e12, fp32 * 1e12, memory * 1e9, bandwidth * 1e9, link * 1e9, source)


def _tpu(name: str, half: float, memory: float, bandwidth: float | None, source: str, cores: int = 1) -> Machine:
    """Peak in TFLOP/s of one chip, memory in GiB, bandwidth in GB/s."""
    return Machine(name, half * 1e12, None, memory * 2**30, bandwidth and bandwidth * 1e9, None, source, False, cores)


_PCIE = 32.0  # GB/s one way of PCIe 4.0 x16, half of it of 3.0
_VOLTA = "NVIDIA V100 datasheet (SXM2); fp16, it has no bf16"
_AMPERE = "NVIDIA A100 datasheet (SXM)"
_SPARSE = "the sheet's figure with sparsity halved"
_TURING = "NVIDIA Turing architecture whitepaper (reference card); fp16 with fp32 sums, it has no bf16"

MACHINES = {
    machine.name: machine
    for machine in (
        _gpu("v100-16g", 125, 15.7, 16, 900, 150, _VOLTA),
        _gpu("v100-32g", 125, 15.7, 32, 900, 150, _VOLTA),
        _gpu("a100-40g", 312, 19.5, 40, 1555, 300, _AMPERE),
        _gpu("a100-80g", 312, 19.5, 80, 2039, 300, _AMPERE),
        _gpu("h100-80g", 989, 67, 80, 3350, 450, f"NVIDIA H100 datasheet (SXM); {_SPARSE}"),
        _gpu("h200-141g", 989, 67, 141, 4800, 450, f"NVIDIA H200 datasheet (SXM); {_SPARSE}"),
        _gpu("t4", 65, 8.1, 16, 300, _PCIE / 2, "NVIDIA T4 datasheet; fp16, it has no bf16"),
        _gpu("l4", 121, 30.3, 24, 300, _PCIE, f"NVIDIA L4 datasheet; {_SPARSE}"),
        _gpu("a4000", 76.7, 19.2, 16, 448, _PCIE, f"NVIDIA RTX A4000 datasheet; {_SPARSE}"),
        _gpu("a6000", 154.8, 38.7, 48, 768, _PCIE, f"NVIDIA RTX A6000 datasheet; {_SPARSE}"),
        _gpu("rtx-2080ti", 53.8, 13.4, 11, 616, _PCIE / 2, _TURING),
        _gpu("rtx-3090", 71, 35.6, 24, 936, _PCIE, "NVIDIA Ampere GA102 whitepaper; bf16 with fp32 sums"),
        _gpu("rtx-4090", 165.2, 82.6, 24, 1008, _PCIE, "NVIDIA Ada architecture whitepaper; bf16 with fp32 sums"),
        _tpu("tpu-v2", 45, 16, None, "Google Cloud TPU documentation, v2", cores=2),
        _tpu("tpu-v3", 123, 32, 900, "cloud.google.com/tpu/docs/v3", cores=2),
        _tpu("tpu-v4", 275, 32, 1200, "cloud.google.com/tpu/docs/v4", cores=2),
        _tpu("tpu-v5e", 197, 16, 819, "cloud.google.com/tpu/docs/v5e"),
    )
}


def machine_of(name: str) -> tuple[Machine, int | None]:
    """A machine, and how many chips the name says where it is a TPU's slice: as Google names them, `tpu-v2-8`,
    `tpu-v3-64` and `tpu-v4-16` count cores, two on a chip, `tpu-v5e-16` chips.

    Raises UserError for a name that is not known, and for a slice with half a chip.
    """
    if name in MACHINES:
        return MACHINES[name], None
    slice_ = re.fullmatch(r"(tpu-v\d+e?)-(\d+)", name)
    if kinds := [one for one in MACHINES if one.startswith(f"{name}-")]:
        raise UserError(f"There are several machines {name!r}: {', '.join(kinds)}. Name one of them.")
    if slice_ is None or slice_[1] not in MACHINES:
        raise UserError(
            unknown("machine", name, MACHINES) + " A slice of TPUs is named with its size, tpu-v3-64. Without a "
            "machine, this one is measured."
        )
    machine, count = MACHINES[slice_[1]], int(slice_[2])
    if count < machine.cores or count % machine.cores:
        raise UserError(
            f"{name}: {machine.name} has {machine.cores} cores on a chip, and a slice's name counts cores. Give a "
            f"multiple of {machine.cores}, or --machine {machine.name} --gpus CHIPS."
        )
    return machine, count // machine.cores
