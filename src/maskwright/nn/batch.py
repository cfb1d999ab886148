"""A batch is its sequences end to end.

Shape letters, here and in all of `nn`: B sequences, N packed tokens, T length, H width, A heads, D head width (H / A),
V vocabulary, L layers, M chosen tokens (M <= N).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from maskwright.nn.pattern import FULL, Pattern
from maskwright.nn.rectangles import Rectangles, make_rectangles
from maskwright.nn.units import units


@dataclass(frozen=True)
class Batch:
    """N tokens of B sequences, packed: sequence b is tokens `offsets[b]` to `offsets[b + 1]`.

    Only `attend` and pooling read `offsets`. In the dense twin (`Batch.dense`) every sequence is stretched to the
    same length T and `real` says which tokens are text; the encoder computes the same thing on both.
    """

    ids: Tensor  #: (N,) int64
    positions: Tensor  #: (N,) int64, from 0 in each sequence
    segments: Tensor  #: (N,) int64
    offsets: Tensor  #: (B + 1,) int64
    lengths: tuple[int, ...]  #: B lengths on the host, so that no kernel has to wait for the device
    real: Tensor | None = None  #: (N,) bool in the dense twin, None when every token is text
    marked: Tensor | None = None  #: (N,) bool: tokens that look everywhere and are seen from everywhere (Longformer's)
    causal: bool = False  #: attention looks at nothing that comes later, whatever the network's patterns say

    def __len__(self) -> int:
        return len(self.lengths)

    @staticmethod
    def packed(
        ids: Tensor, lengths: Sequence[int], segments: Tensor | None = None, marked: Tensor | None = None
    ) -> Batch:
        """From N ids and the B lengths that cut them into sequences."""
        sizes = torch.tensor(lengths, dtype=torch.int64)
        offsets = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
        positions = torch.arange(int(offsets[-1])) - torch.repeat_interleave(offsets[:-1], sizes)
        ids = ids.to(torch.int64)
        assert len(ids) == len(positions), f"{len(ids)} ids, but the lengths sum to {len(positions)}"
        segments = torch.zeros_like(ids) if segments is None else segments.to(torch.int64)
        offsets, positions = offsets.to(ids.device), positions.to(ids.device)
        marked = None if marked is None else marked.to(ids.device, torch.bool)
        return Batch(ids, positions, segments, offsets, tuple(int(n) for n in lengths), None, marked)

    @staticmethod
    def from_encodings(
        encodings: Any, rows: Sequence[int] | None = None, marks: Callable[[Any], Any] | None = None
    ) -> Batch:
        """From `text.Encodings`, all of them or the given rows in that order. marks: (N,) bool of the encodings that
        are taken, the tokens that see and are seen from everywhere; None of them: those that the head says."""
        chosen = encodings if rows is None else encodings.select(rows)
        ids, segments = (torch.from_numpy(a.astype("int64")) for a in (chosen.ids, chosen.segments))
        found = None if marks is None else marks(chosen)
        marked = None if found is None else torch.from_numpy(found)
        return Batch.packed(ids, chosen.lengths.tolist(), segments, marked)

    @staticmethod
    def dense(ids: Tensor, real: Tensor, segments: Tensor | None = None, marked: Tensor | None = None) -> Batch:
        """The dense twin: all are (B, T); the text stands first in each row and padding after it."""
        rows, length = ids.shape
        offsets = torch.arange(rows + 1, device=ids.device) * length
        positions = torch.arange(length, device=ids.device).expand(rows, length).reshape(-1)
        segments = torch.zeros_like(ids) if segments is None else segments
        flat = [t.reshape(-1) for t in (ids, segments, real.bool())]
        marks = None if marked is None else marked.bool().reshape(-1)
        return Batch(flat[0], positions, flat[1], offsets, (length,) * rows, flat[2], marks)

    def to_dense(self, padding: int = 0) -> Batch:
        """This batch as its dense twin, filled with the id `padding`."""
        shape = (len(self), max(self.lengths))
        ids, segments = self.ids.new_full(shape, padding), self.segments.new_zeros(shape)
        real = torch.zeros(shape, dtype=torch.bool, device=ids.device)
        there = self.sequence, self.positions
        ids[there], segments[there], real[there] = self.ids, self.segments, True
        marked = None
        if self.marked is not None:
            marked = torch.zeros_like(real)
            marked[there] = self.marked
        return replace(Batch.dense(ids, real, segments, marked), causal=self.causal)

    def to(self, device: torch.device | str) -> Batch:
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}  # not vars(self): that has cached ones too
        moved: dict[str, Any] = {
            name: t.to(device, non_blocking=True) for name, t in tensors.items() if isinstance(t, Tensor)
        }
        return replace(self, **moved)

    @cached_property
    def first(self) -> Chosen:
        """The first token of every sequence ([CLS])."""
        return Chosen(self.offsets[:-1], (1,) * len(self))

    @cached_property
    def last(self) -> Chosen:
        """The last token of every sequence that is text."""
        ends = self.offsets[1:] if self.real is None else self.offsets[:-1] + self.real.view(len(self), -1).sum(1)
        return Chosen(ends - 1, (1,) * len(self))

    @cached_property
    def sequence(self) -> Tensor:
        """(N,) the sequence that each token belongs to."""
        sizes = torch.tensor(self.lengths)
        return torch.repeat_interleave(torch.arange(len(self)), sizes).to(self.ids.device)

    def rectangles(self, chosen: Chosen | None = None, pattern: Pattern = FULL) -> Rectangles:
        """Sequences on lines side by side: what attention takes in one matrix product. Made once for a batch."""
        pattern = self.within(pattern)
        if pattern.covers(max(self.lengths, default=0)):
            pattern = FULL  # so that layers of either kind share one plan
        found = self._rectangles.get((chosen, pattern))
        if found is None:
            found = self._rectangles[chosen, pattern] = self._plan(chosen, pattern)
        return found

    def within(self, pattern: Pattern) -> Pattern:
        """What a query of this batch looks at, where the network has this pattern."""
        return replace(pattern, after=0) if self.causal else pattern

    def _plan(self, chosen: Chosen | None, pattern: Pattern) -> Rectangles:
        cuts = pattern if self.real is None else None  # a dense row stays whole
        counts = tokens = marks = None
        if chosen is not None:
            counts = chosen.counts
            tokens = chosen.tokens.tolist() if cuts is not None and cuts.width is not None else None
        if pattern.marked and self.marked is not None:
            marks = self.marked.nonzero().flatten().tolist()
        found = units(self.lengths, counts, tokens, cuts, marks or ())
        asking = None if chosen is None else chosen.tokens
        return make_rectangles(found, self.ids.device, asking, self.real, pattern, self.marked)

    @cached_property
    def _rectangles(self) -> dict[tuple[Chosen | None, Pattern], Rectangles]:
        return {}


@dataclass(frozen=True, eq=False)
class Chosen:
    """M tokens of a batch in rising order: those whose last hidden state somebody will read.

    The last block computes queries and feed-forward for these alone, which changes no number and saves most of that
    block when only [CLS] or the scored positions matter.
    """

    tokens: Tensor  #: (M,) int64, indices into the packed tokens
    counts: tuple[int, ...]  #: B counts: how many of each sequence

    @cached_property
    def offsets(self) -> Tensor:
        """(B + 1,) where the chosen tokens of each sequence begin."""
        return torch.tensor([0, *self.counts]).cumsum(0).to(self.tokens.device)
