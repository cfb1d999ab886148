"""What is fitted on held-out rows and goes with the model: how sure it may be, and how wide its sets must be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from maskwright.base.errors import UserError

COVERAGES = (0.8, 0.9, 0.95, 0.99)  #: shares of rows whose true label a set may be asked to hold
SPREAD = 1.0  #: of log T: few networks are surer than they should be by more than a factor of e squared


@dataclass(frozen=True)
class Calibration:
    """Fitted on rows that no reported figure uses."""

    split: str  #: which rows, in words
    rows: int
    temperature: float | None = None  #: scores are divided by it before they become probabilities
    thresholds: tuple[float, ...] | None = None  #: one for each label of a multi-label task
    conformal: Mapping[str, float | None] = field(default_factory=dict)  #: coverage -> quantile; None: too few rows

    def plain(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_plain(cls, given: Mapping[str, Any]) -> Self:
        thresholds = given.get("thresholds")
        return cls(**{**given, "thresholds": None if thresholds is None else tuple(thresholds)})

    def quantile(self, coverage: float) -> float:
        """How strange a label of such a set may be. Raises UserError for a coverage that was not fitted."""
        name = f"{coverage:g}"
        if name not in self.conformal:
            raise UserError(
                f"Sets of coverage {name} were asked for; this model was calibrated for: {', '.join(self.conformal)}."
            )
        found = self.conformal[name]
        return math.inf if found is None else found


def temperature(calibration: Calibration | None) -> float:
    """What scores are divided by: 1 where none was fitted."""
    return (calibration.temperature if calibration is not None else None) or 1.0


def quantiles(fit: Callable[[float], float]) -> dict[str, float | None]:
    """`fit(coverage)` for each of COVERAGES, an infinite one as None, which JSON knows."""
    found = {f"{coverage:g}": fit(coverage) for coverage in COVERAGES}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}
