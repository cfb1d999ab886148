"""What the pieces of a step come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Sums:
    """Over pieces: of their losses, items, tokens, and of the objective's own facts. computed: the tokens that went
    through the network for it, those of a piece that another process counts among them."""

    loss: float = 0.0
    items: int = 0
    tokens: int = 0
    computed: int = 0
    facts: Counter[str] = field(default_factory=Counter)

    def add(self, loss: float, items: int, tokens: int, facts: Mapping[str, float]) -> None:
        self.loss, self.items, self.tokens = self.loss + loss, self.items + items, self.tokens + tokens
        self.facts.update(facts)

    def plain(self) -> dict[str, Any]:
        counts = {"items": self.items, "tokens": self.tokens, "computed": self.computed}
        return {"loss_sum": self.loss, **counts, "sums": self.facts}


def added(each: Sequence[Sums]) -> Sums:
    """The sums of all processes, by rank, so that all find the same to the bit."""
    found = Sums()
    for one in each:
        found.add(one.loss, one.items, one.tokens, one.facts)
        found.computed += one.computed
    return found
