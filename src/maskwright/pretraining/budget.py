"""How much a pre-training may take: minutes, steps or tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from maskwright.base.errors import UserError

Unit = Literal["minutes", "steps", "tokens"]
_MINUTES = {"s": 1 / 60, "m": 1.0, "h": 60.0, "d": 1440.0}
_TIMES = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
_CLOCK = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_COUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([kmbt]?)\s*(steps?|tokens?)")
_HOW = 'Give minutes or hours (20m, 2h, 1h30m, 90s), steps ("1000 steps") or tokens ("5M tokens").'


@dataclass(frozen=True)
class Budget:
    amount: float
    unit: Unit

    @staticmethod
    def read(text: str) -> Budget:
        """`20m`, `1h30m`, `90s`, `1000 steps`, `5M tokens`. Raises UserError for anything else, and for nothing."""
        plain = text.strip().lower()
        if _CLOCK.fullmatch(plain):
            parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", plain)
            found = Budget(sum(float(number) * _MINUTES[unit] for number, unit in parts), "minutes")
        elif counted := _COUNT.fullmatch(plain):
            number, times, unit = counted.groups()
            found = Budget(round(float(number) * _TIMES[times]), "steps" if unit.startswith("step") else "tokens")
        else:
            raise UserError(f"budget = {text!r} is no budget. {_HOW}")
        if found.amount <= 0:
            raise UserError(f"budget = {text!r} leaves nothing to train with. {_HOW}")
        return found

    @property
    def minutes(self) -> float | None:
        return self.amount if self.unit == "minutes" else None
