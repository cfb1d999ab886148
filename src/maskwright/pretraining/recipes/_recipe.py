"""The contract of a recipe: what a pre-training does unless it is told otherwise."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from maskwright.base.choice import Part
from maskwright.pretraining.budget import Budget


class Recipe(Part):
    """Settings that hold where none are given; each of them may be given."""

    @abstractmethod
    def settings(self, budget: Budget, goes_on: bool) -> dict[str, Any]:
        """Tables of `pretraining.settings.Pretrain`: family, size, vocabulary, dropout, phases, objective, train.

        goes_on: whether a trained encoder is trained further, so that there is no size to choose and less to move."""
