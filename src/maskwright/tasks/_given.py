"""What a network is given of some examples, and what it says of each.

Shapes: B examples, R rows of scores of all of them together: one an example, or one for each of its sequences, or for
each token that is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from maskwright.base.ragged import blocks, flat, objects
from maskwright.data import batching
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.recompute import recomputed
from maskwright.text.encodings import Encodings
from maskwright.text.groups import Grouped
from maskwright.text.windows import Windowed

Inputs = Encodings | Windowed | Grouped  #: B examples as pieces


MOVED = ("batch", "asked", "texts", "edges")  #: what a device computes with


@dataclass(frozen=True)
class Given:
    """Packed sequences; the tokens whose scores are read, (R,) in order, where it is tokens that are scored; and how
    many sequences each example has, where it has several."""

    batch: Batch
    asked: Tensor | None = None
    counts: tuple[int, ...] | None = None
    texts: Batch | None = None  #: of sequences that are joined: as the tokens of a batch of texts
    edges: Tensor | None = None  #: (W, 2) of each sequence that is asked for tokens: see `Windowed`
    most: int | None = None  #: tokens at once, where a text has more in sequences that are joined; None: all of them

    @classmethod
    def of(cls, inputs: Inputs, rows: np.ndarray, marks: Callable[[Encodings], np.ndarray | None]) -> Given:
        """The examples at `rows`."""
        if isinstance(inputs, Encodings):
            return cls(Batch.from_encodings(inputs, rows, marks))
        some = inputs.select(rows)
        batch = Batch.from_encodings(some.encodings, marks=marks)
        if isinstance(some, Grouped):
            texts = as_tokens(some.counts) if some.joined else None
            return cls(batch, None, tuple(some.counts.tolist()), texts)
        edges = None if some.edges is None else torch.from_numpy(some.edges[some.counts > 0])
        return cls(batch, torch.from_numpy(some.asked), edges=edges)

    def to(self, device: torch.device | str) -> Given:
        moved = {name: None if (given := getattr(self, name)) is None else given.to(device) for name in MOVED}
        return replace(self, **moved)

    def scores(self, network: nn.Module) -> Tensor:
        """(R, classes); where tokens are asked, behind them the rows that the head puts behind all, such as the moves
        of a chain of tags."""
        if self.texts is not None:
            return network.judged(self._vectors(network), self.texts)  # type: ignore[no-any-return, operator]
        if self.asked is None:
            out: Tensor = network(self.batch)
            return out
        if not len(self.asked):
            first = self.batch.first
            return network(self.batch, first)[len(first.tokens) :]  # type: ignore[no-any-return]
        tokens, back = torch.unique(self.asked, return_inverse=True)
        counts = torch.bincount(self.batch.sequence[tokens], minlength=len(self.batch))
        found: Tensor = network(self.batch, Chosen(tokens, tuple(counts.tolist())))
        return torch.cat([found[back], found[len(tokens) :]])

    def _vectors(self, network: nn.Module) -> Tensor:
        """(S, H). What is too much at once is computed in parts, of which nothing is kept but the vectors: the backward
        pass computes the rest again."""
        vectors: Callable[[Batch], Tensor] = network.vectors  # type: ignore[assignment]
        if self.most is None or len(self.batch.ids) <= self.most:
            return vectors(self.batch)
        parts = _parts(self.batch, self.most)
        return torch.cat([recomputed(vectors, part) if torch.is_grad_enabled() else vectors(part) for part in parts])


def _parts(batch: Batch, most: int) -> Iterator[Batch]:
    """Its sequences one after the other, so many at once that they have `most` tokens, or one that has more."""
    lengths = np.array(batch.lengths)
    ends = np.cumsum(lengths)
    for some in batching.by_tokens(np.arange(len(batch)), lengths, most):
        own = slice(int(ends[some[0]] - lengths[some[0]]), int(ends[some[-1]]))
        marked = None if batch.marked is None else batch.marked[own]
        yield Batch.packed(batch.ids[own], lengths[some].tolist(), batch.segments[own], marked)


def as_tokens(counts: np.ndarray) -> Batch:
    """B texts as sequences whose tokens are their own sequences. counts: (B,) how many of these each has."""
    return Batch.packed(torch.zeros(int(counts.sum()), dtype=torch.int64), counts.tolist())


def portioned(inputs: Inputs) -> Inputs:
    """What is computed at once is made of these: examples, or the windows of all texts, so that a long text does not
    have to be computed whole."""
    return inputs.by_window if isinstance(inputs, Windowed) else inputs


def arranged(
    parts: Sequence[np.ndarray], inputs: Inputs, rows: np.ndarray, classes: int, behind: np.ndarray | None = None
) -> np.ndarray:
    """Scores (R, classes) that were computed for the portions at `rows`, some at a time, in the examples' order:
    (B, classes) fp32, or (B,) of one array an example, one row for each of its sequences, or of the tokens that were
    asked of it, and then the rows that the head puts `behind` all (M, classes)."""
    values = np.concatenate(parts) if parts else np.zeros((0, classes), np.float32)
    if isinstance(inputs, Encodings):
        out = np.empty_like(values)
        out[rows] = values
        return out
    portions = portioned(inputs)
    assert not isinstance(portions, Encodings)
    ordered = np.empty(len(rows), object)
    ordered[rows] = blocks(values, portions.counts[rows])
    out = blocks(flat(ordered) if len(ordered) else values, inputs.counts)
    return out if behind is None or not len(behind) else objects([np.concatenate([one, behind]) for one in out])
