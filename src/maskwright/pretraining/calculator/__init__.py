"""What a pre-training will take, before it runs: operations, hours, memory, traffic, money."""

from maskwright.pretraining.calculator.estimate import Estimate
from maskwright.pretraining.calculator.planning import plan
from maskwright.pretraining.calculator.settings import Planned

__all__ = ["Estimate", "Planned", "plan"]
