"""Floor 5: judging models."""

from maskwright.evaluation.evaluate import Judgement, evaluate

__all__ = ["Judgement", "evaluate"]
