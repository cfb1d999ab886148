"""The average that a run keeps beside its weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from maskwright.training.averaging._averaging import Averaging
from maskwright.training.shards import owns, share, whole


class Average:
    """The average of a network's trained weights, in fp32; of none until `add` has taken some.

    averaging: None for no average, with which nothing here does anything. The weights are those that the network holds
    now: where tables are narrowed, the rows in use; where they are cut among processes, those of this one.
    """

    def __init__(self, averaging: Averaging | None, network: nn.Module) -> None:
        self._averaging = averaging
        self._weights = {name: p for name, p in network.named_parameters() if p.requires_grad}
        self._means: list[Tensor] = []
        self.count = 0  #: steps whose weights are in it

    @torch.no_grad()
    def add(self, done: int, total: int) -> None:
        """Take the weights in that stand behind `done` of `total` steps, if they count."""
        if self._averaging is None or not self._averaging.counts(done, total):
            return
        self.count += 1
        now = [p.detach().float() for p in self._own()]
        if self.count == 1:
            self._means = [p.clone() for p in now]
        else:
            torch._foreach_lerp_(self._means, now, self._averaging.share(self.count, total))

    @torch.no_grad()
    def settle(self) -> None:
        """Make the average the network's weights, if there is one."""
        if self.count:
            torch._foreach_copy_(self._own(), self._means)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it the network holds the average; behind it, the weights that it is trained with, to the bit."""
        kept = [p.detach().clone() for p in self._own()] if self.count else []
        self.settle()
        try:
            yield
        finally:
            with torch.no_grad():
                for weight, before in zip(self._own(), kept, strict=bool(kept)):
                    weight.copy_(before)

    def state_dict(self) -> dict[str, Tensor]:
        """The average of each weight under its name behind `weights.`, and `count`; empty while there is none."""
        if not self.count:
            return {}
        pairs = zip(self._weights.items(), self._means, strict=True)
        means = {f"weights.{name}": whole(p, mean) for (name, p), mean in pairs}
        return {"count": torch.tensor(self.count), **means}

    def load_state_dict(self, saved: dict[str, Tensor]) -> None:
        if self._averaging is None or not saved:
            return
        self.count = int(saved["count"])
        self._means = [share(p, saved[f"weights.{name}"]).to(p.device) for name, p in self._weights.items()]

    def _own(self) -> list[Tensor]:
        return owns(list(self._weights.values()))
