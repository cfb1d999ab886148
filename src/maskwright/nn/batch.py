"""A batch is its sequences end to end.

Shape letters, here and in all of `nn`: B sequences, N packed tokens, T length, H width, A heads, D head width (H / A),
V vocabulary, L layers, M chosen tokens (M <= N).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor


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

    def __len__(self) -> int:
        return len(self.lengths)

    @staticmethod
    def packed(ids: Tensor, lengths: Sequence[int], segments: Tensor | None = None) -> Batch:
        """From N ids and the B lengths that cut them into sequences."""
        sizes = torch.tensor(lengths, dtype=torch.int64)
        offsets = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
        positions = torch.arange(int(offsets[-1])) - torch.repeat_interleave(offsets[:-1], sizes)
        ids = ids.to(torch.int64)
        assert len(ids) == len(positions), f"{len(ids)} ids, but the lengths sum to {len(positions)}"
        segments = torch.zeros_like(ids) if segments is None else segments.to(torch.int64)
        return Batch(ids, positions, segments, offsets, tuple(int(n) for n in lengths))

    @staticmethod
    def from_encodings(encodings: Any, rows: Sequence[int] | None = None) -> Batch:
        """From `text.Encodings`, all of them or the given rows in that order."""
        chosen = encodings if rows is None else encodings.select(rows)
        segments = torch.from_numpy(chosen.segments.astype("int64"))
        return Batch.packed(torch.from_numpy(chosen.ids.astype("int64")), chosen.lengths.tolist(), segments)

    @staticmethod
    def dense(ids: Tensor, real: Tensor, segments: Tensor | None = None) -> Batch:
        """The dense twin: `ids` and `real` are (B, T), the text stands first in each row and padding after it."""
        rows, length = ids.shape
        offsets = torch.arange(rows + 1, device=ids.device) * length
        positions = torch.arange(length, device=ids.device).expand(rows, length).reshape(-1)
        segments = torch.zeros_like(ids) if segments is None else segments
        flat = [t.reshape(-1) for t in (ids, segments, real.bool())]
        return Batch(flat[0], positions, flat[1], offsets, (length,) * rows, flat[2])

    def to_dense(self, padding: int = 0) -> Batch:
        """This batch as its dense twin, filled with the id `padding`."""
        shape = (len(self), max(self.lengths))
        ids, segments = self.ids.new_full(shape, padding), self.segments.new_zeros(shape)
        real = torch.zeros(shape, dtype=torch.bool, device=ids.device)
        ids[self.sequence, self.positions], segments[self.sequence, self.positions] = self.ids, self.segments
        real[self.sequence, self.positions] = True
        return Batch.dense(ids, real, segments)

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
    def sequence(self) -> Tensor:
        """(N,) the sequence that each token belongs to."""
        sizes = torch.tensor(self.lengths)
        return torch.repeat_interleave(torch.arange(len(self)), sizes).to(self.ids.device)

    def rectangles(self, chosen: Chosen | None = None) -> list[tuple[Rectangle, Rectangle]]:
        """Sequences of like length together, each as (queries, keys): what attention takes in one matrix product."""
        if chosen is None:
            return self._rectangles
        if chosen not in self._chosen_rectangles:
            starts, device = _starts(chosen.counts), self.ids.device
            asking = [_rectangle([(starts[i], chosen.counts[i]) for i in group], device) for group in self._groups]
            pairs = [(one, asked) for one, (_, asked) in zip(asking, self._rectangles, strict=True)]
            self._chosen_rectangles[chosen] = [pair for pair in pairs if pair[0].length]
        return self._chosen_rectangles[chosen]

    @cached_property
    def _rectangles(self) -> list[tuple[Rectangle, Rectangle]]:
        starts, out = _starts(self.lengths), []
        for group in self._groups:
            rectangle = _rectangle([(starts[i], self.lengths[i]) for i in group], self.ids.device)
            if self.real is not None:  # the dense twin: rows of one length, with a mask of their own
                cells = self.real[rectangle.start : rectangle.stop].view(rectangle.count, rectangle.length)
                rectangle = replace(rectangle, mask=cells)
            out.append((rectangle, rectangle))
        return out

    @cached_property
    def _chosen_rectangles(self) -> dict[Chosen, list[tuple[Rectangle, Rectangle]]]:
        return {}

    @cached_property
    def _groups(self) -> list[list[int]]:
        """The sequences of each rectangle: by length, wherever they stand, while the padded cells are few."""
        groups: list[list[int]] = []
        used = 0  # cells of the current rectangle that are text
        for i in sorted(range(len(self)), key=self.lengths.__getitem__):
            length = self.lengths[i]
            cells = (len(groups[-1]) + 1) * length**2 if groups else 0
            if not groups or cells - used - length**2 > WASTE or cells > CELLS:
                groups.append([])
                used = 0
            groups[-1].append(i)
            used += length**2
        return groups


# Both were measured on CPU (docs/decisions/0003-attention-and-dropout.md); on a GPU they may want to be other numbers.
WASTE = 16384  #: padded cells (count * T * T beyond the text's own) that cost as much as one more rectangle
CELLS = 2**16  #: bounds count * T * T: scores of one rectangle stay in the cache, and memory does not grow with B


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


@dataclass(frozen=True, eq=False)
class Rectangle:
    """`count` sequences as (count, length): a view of neighbours of one length, else gathered, with a mask."""

    count: int
    length: int
    device: torch.device
    start: int  #: where the view begins and ends among the rows
    stop: int
    gather: Tensor | None  #: (count * length,) row of each cell; None for a view
    cells: Tensor | None  #: (R,) the cells that are text
    rows: Tensor | None  #: (R,) the row of each of those
    mask: Tensor | None  #: (count, length) True where a cell is text

    @cached_property
    def hidden(self) -> Tensor:
        """What is added to scores (count, A, Tq, length): -inf where a key is padding; (1,) zero without a mask."""
        if self.mask is None:
            return torch.zeros(1, device=self.device)
        bias = torch.zeros(self.mask.shape, device=self.device).masked_fill_(~self.mask, -torch.inf)
        return bias[:, None, None, :]

    def cut(self, x: Tensor, blank: bool = False) -> Tensor:
        """(rows, P, A, D) -> (P, count * A, length, D), contiguous; P things (keys and values) are cut at once.

        Cells beyond a sequence's end repeat its first row, or are 0 if `blank`.
        """
        rows = x[self.start : self.stop] if self.gather is None else x.index_select(0, self.gather)
        if blank and self.mask is not None and self.gather is not None:
            rows = rows * self.mask.view(-1, 1, 1, 1).to(x.dtype)
        parts, heads, width = x.shape[1:]
        cells = rows.view(self.count, self.length, parts, heads, width).permute(2, 0, 3, 1, 4)
        return cells.reshape(parts, -1, self.length, width)

    def paste(self, cells: Tensor, out: Tensor) -> None:
        """(P, count * A, length, D) -> the sequences' rows of `out` (rows, P, A, D)."""
        parts, heads, width = out.shape[1:]
        flat = cells.view(parts, self.count, heads, self.length, width).permute(1, 3, 0, 2, 4)
        if self.cells is None or self.rows is None:
            out[self.start : self.stop].view(flat.shape).copy_(flat)
        else:
            flat = flat.reshape(-1, parts, heads, width)
            out.index_copy_(0, self.rows, flat if len(flat) == len(self.cells) else flat.index_select(0, self.cells))


def _starts(lengths: Sequence[int]) -> list[int]:
    return [0, *accumulate(lengths)]


def _rectangle(spans: list[tuple[int, int]], device: torch.device) -> Rectangle:
    """spans: (first row, length) of each sequence; a length may be 0."""
    count, length = len(spans), max(size for _, size in spans)
    start, stop = spans[0][0], spans[0][0] + count * length
    if spans == [(start + i * length, length) for i in range(count)]:
        return Rectangle(count, length, device, start, stop, None, None, None, None)
    begins, sizes = torch.tensor(spans).unbind(1)
    mask = torch.arange(length) < sizes[:, None]
    begins = torch.where(sizes > 0, begins, begins[sizes.argmax()])  # an empty one may begin behind the last row
    grid = torch.where(mask, begins[:, None] + torch.arange(length), begins[:, None])
    inside = mask.reshape(-1).nonzero().squeeze(1)
    gather, cells, rows = (t.to(device) for t in (grid.reshape(-1), inside, grid.reshape(-1)[inside]))
    return Rectangle(count, length, device, start, stop, gather, cells, rows, None if mask.all() else mask.to(device))
