"""How fast a training goes: the peak of a machine, by the precision, times the share of it that is reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from maskwright.base import runtime
from maskwright.base.errors import UserError
from maskwright.base.words import counted
from maskwright.pretraining.calculator import products
from maskwright.pretraining.calculator.machines import FP32, HALF, MACHINES, Machine, machine_of
from maskwright.pretraining.calculator.settings import Planned


@dataclass(frozen=True)
class Reached:
    """What computes, and how fast. peak: FLOP/s of one device; number: bytes of one in a product."""

    machine: Machine
    devices: int
    precision: str
    peak: float
    utilisation: float

    @property
    def number(self) -> int:
        return 4 if self.precision == "fp32" else 2

    @property
    def flops(self) -> float:
        """FLOP/s of all devices together."""
        return self.peak * self.utilisation * self.devices


def reached(asked: Planned, config: Any, notes: list[str]) -> Reached:
    """Raises UserError for a machine that is not known or lacks the precision, and for two numbers of devices."""
    if asked.machine is None:
        return _here(asked, config, notes)
    machine, chips = machine_of(asked.machine)
    if chips is not None and asked.gpus is not None:
        raise UserError(f"{asked.machine} is a slice of {chips} chips, and --gpus {asked.gpus} is given too. Give one.")
    if chips is not None and machine.cores > 1:
        notes.append(f"{asked.machine} is {counted(chips, 'chip')}: its name counts cores, {machine.cores} on a chip.")
    precision = "fp32" if asked.precision == "fp32" else "half"
    peak = machine.fp32 if precision == "fp32" else machine.half
    if peak is None:
        able = ", ".join(name for name, one in MACHINES.items() if one.fp32)
        raise UserError(f"No rate in fp32 is published for {machine.name}. Take bf16, or one of: {able}.")
    usual = FP32 if precision == "fp32" else HALF
    if asked.utilisation is None:
        notes.append(
            f"{usual:.0%} of the peak is assumed, what BERT-large reached on a V100 in {precision} precision; whole "
            "runs were published from 3 % to 63 % (maskwright plan published). State yours: --utilisation."
        )
    return Reached(machine, chips or asked.gpus or 1, precision, peak, asked.utilisation or usual)


def _here(asked: Planned, config: Any, notes: list[str]) -> Reached:
    if asked.gpus is not None and asked.gpus > 1:
        raise UserError(f"--gpus {asked.gpus} needs a --machine: what is here is measured as one device.")
    device = runtime.device()
    precision = runtime.resolve_precision(asked.precision, device)
    shapes = products.shapes(config.width, config.inner, min(asked.micro_tokens, products.ROWS))
    threads = torch.get_num_threads()
    runtime.set_threads()  # as training does
    machine = products.this_machine(shapes, precision, device)
    torch.set_num_threads(threads)
    peak = machine.fp32 if precision == "fp32" else machine.half
    assert peak is not None
    if asked.utilisation is None:
        notes.append(f"{products.REACHED:.0%} of the measured products' rate is assumed. State yours: --utilisation.")
    return Reached(machine, 1, precision, peak, asked.utilisation or products.REACHED)
