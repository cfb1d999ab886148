"""How attention sees a batch: sequences of like length side by side, as rectangles of cells.

Shape letters as in `batch`. A rectangle is `count` sequences as (count, length). A sequence shorter than `length` is
filled up with cells that repeat its first row, and a mask says which cells are text. A gather fills each rectangle
from the projections where they lie, and one gather brings the results of all back to the rows.

For each new shape oneDNN compiles a kernel (docs/decisions/0005-products.md). In training, where each rectangle takes
part in six products, shapes are therefore rounded up to ones that come again, which costs less than the kernels would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

# Measured on CPU (docs/decisions/0003 and 0005); on a GPU they may want to be other numbers.
WASTE = 16384  #: padded cells (count * T * T beyond the text's own) that cost as much as one more rectangle
CELLS = 2**16  #: bounds count * T * T: scores of one rectangle stay in the cache, and memory does not grow with B
LENGTHS = 8  #: lengths beyond EXACT, in training beyond LENGTHS itself, are rounded up to a multiple of this
EXACT = 64
COUNTS = 4  #: in training, counts from MANY on are rounded up to a multiple of this
MANY = 12


class Grid:
    """Where each of R rows stands among the C cells of the rectangles, and which row each cell shows."""

    def __init__(self, spans: list[list[tuple[int, int]]], device: torch.device, exact: int | None) -> None:
        """spans: for each rectangle (first row, number of rows, maybe 0) of its sequences.

        A length beyond `exact` is rounded up to a multiple of LENGTHS.
        """
        shown, inside = zip(*(_cells(group, exact) for group in spans or [[(0, 0)]]), strict=True)
        self.shapes = [cells.shape for cells in shown]
        text = np.concatenate([mask.ravel() for mask in inside])
        rows = np.concatenate([cells.ravel() for cells in shown])
        cells = np.empty(int(text.sum()), np.int64)
        cells[rows[text]] = np.flatnonzero(text)
        self.rows, self.cells = (torch.from_numpy(t).to(device) for t in (rows, cells))
        self.blank = [torch.from_numpy(np.flatnonzero(~mask)).to(device) for mask in inside]
        self.masks = [None if mask.all() else _open(torch.from_numpy(mask)).to(device) for mask in inside]
        self._indices: dict[Any, list[Tensor]] = {}

    @property
    def shown(self) -> list[Tensor]:
        """(count, length) of each rectangle: the row that each cell shows."""
        found = self.rows.split([count * length for count, length in self.shapes])
        return [rows.view(shape) for rows, shape in zip(found, self.shapes, strict=True)]

    def cut(self, x: Tensor, blank: bool = False) -> Iterator[Tensor]:
        """(R, P, A, D) -> a (P, count * A, length, D) of each rectangle; P things (keys and values) are cut at once.

        Cells that are no text repeat their sequence's first row, or are 0 if `blank`.
        """
        parts, heads = x.shape[1:3]
        vectors, steps = _as_vectors(x)
        shown = self._index(("cut", parts, heads, *steps), self._sources)
        blanks = self._index(("blank", parts, heads), self._blanks) if blank else [None] * len(shown)
        for (count, length), index, textless in zip(self.shapes, shown, blanks, strict=True):
            cells = vectors.index_select(0, index)
            if textless is not None and len(textless):
                cells.index_fill_(0, textless, 0)
            yield cells.view(parts, count * heads, length, x.shape[-1])

    def empty(self, shape: Sequence[int], like: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Room for what `cut` makes of a tensor of that shape, in the format of `like`: all cells, and by rectangle."""
        parts, heads, width = shape[1:]
        cells = like.new_empty(len(self.rows) * parts * heads, width)
        return cells, self._split(cells, parts, heads)

    def paste(self, cells: Tensor, shape: Sequence[int]) -> Tensor:
        """All cells of (P, count * A, length, D) -> `shape`, (R, P, A, D) or with more rows, which are 0."""
        parts, heads, width = shape[1:]
        (index,) = self._index(("paste", parts, heads), self._places)
        out = cells.new_empty(shape)
        vectors = out.view(-1, width)
        torch.index_select(cells, 0, index, out=vectors[: len(index)])
        vectors[len(index) :] = 0
        return out

    def _split(self, cells: Tensor, parts: int, heads: int) -> list[Tensor]:
        shapes = [(parts, count * heads, length, cells.shape[-1]) for count, length in self.shapes]
        found = cells.split([prod(shape[:3]) for shape in shapes])
        return [some.view(shape) for some, shape in zip(found, shapes, strict=True)]

    def _index(self, name: tuple[Any, ...], make: Callable[..., list[Tensor]]) -> list[Tensor]:
        if name not in self._indices:
            self._indices[name] = make(*name[1:])
        return self._indices[name]

    def _sources(self, parts: int, heads: int, row_step: int, part_step: int) -> list[Tensor]:
        """Of each rectangle: the vector that each cell of each part and head shows; a row's are `row_step` apart."""
        device = self.rows.device
        part = torch.arange(parts, device=device).mul_(part_step).view(-1, 1, 1, 1)
        inner = part + torch.arange(heads, device=device).view(1, 1, -1, 1)
        return [(rows[None, :, None] * row_step + inner).flatten() for rows in self.shown]

    def _everywhere(self, parts: int, heads: int) -> list[Tensor]:
        """Of each rectangle (count * length, P * A): where in its tensor the cells of a part and head stand."""
        device, found = self.rows.device, []
        for count, length in self.shapes:
            places = torch.arange(parts * count * heads * length, device=device).view(parts, count, heads, length)
            found.append(places.permute(1, 3, 0, 2).reshape(count * length, parts * heads))
        return found

    def _places(self, parts: int, heads: int) -> list[Tensor]:
        """Where each row stands in the tensor of all cells."""
        everywhere, start = [], 0
        for places in self._everywhere(parts, heads):
            everywhere.append(places + start)
            start += places.numel()
        return [torch.cat(everywhere).index_select(0, self.cells).flatten()]

    def _blanks(self, parts: int, heads: int) -> list[Tensor]:
        """Of each rectangle: where its cells that are no text stand."""
        sides = zip(self._everywhere(parts, heads), self.blank, strict=True)
        return [places.index_select(0, empty).flatten() for places, empty in sides]


@dataclass(frozen=True, eq=False)
class Rectangles:
    """The queries of each rectangle and the keys that they look at."""

    asking: Grid
    asked: Grid
    masks: list[Tensor | None]  #: (count, length) of each, True where a key is text; None where all are

    @cached_property
    def hidden(self) -> list[Tensor]:
        """What is added to scores (count, A, Tq, length): -inf where a key is no text; a zero without a mask."""
        return [torch.zeros(1, 1, 1, 1, device=self.asked.rows.device) if m is None else _hidden(m) for m in self.masks]


def make_rectangles(
    lengths: Sequence[int], counts: Sequence[int] | None, real: Tensor | None, device: torch.device, recurring: bool
) -> Rectangles:
    """Of all tokens of sequences of these lengths, or with only `counts` tokens of each as queries.

    `real` (N,) are the cells that are text in a dense batch, whose rectangles are what they are.
    """
    groups = _like_lengths(lengths)
    if real is not None:
        exact, fill = None, 1
    else:
        exact, fill = (LENGTHS, COUNTS) if recurring else (EXACT, 1)
    asked = Grid(_spans(lengths, groups, fill), device, exact)
    asking = asked if counts is None else Grid(_spans(counts, groups, fill), device, exact)
    return Rectangles(asking, asked, asked.masks if real is None else [_open(real[rows]) for rows in asked.shown])


def _like_lengths(lengths: Sequence[int]) -> list[list[int]]:
    """The sequences of each rectangle: by length, wherever they stand, while the padded cells are few."""
    groups: list[list[int]] = []
    used = 0  # cells of the current rectangle that are text
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[i]
        cells = (len(groups[-1]) + 1) * length**2 if groups else 0
        if not groups or cells - used - length**2 > WASTE or cells > CELLS:
            groups.append([])
            used = 0
        groups[-1].append(i)
        used += length**2
    return groups


def _spans(sizes: Sequence[int], groups: list[list[int]], fill: int) -> list[list[tuple[int, int]]]:
    """(first row, number of rows) of each sequence, group by group, and nothing up to a multiple of `fill`."""
    starts = [0, *accumulate(sizes)]
    spans = [[(starts[i], sizes[i]) for i in group] for group in groups]
    return [some + [(some[0][0], 0)] * (-len(some) % fill if len(some) >= MANY else 0) for some in spans]


def _open(mask: Tensor) -> Tensor:
    """(count, length): a sequence without text may look at anything. Looking at nothing would be NaN."""
    return mask | ~mask.any(1, keepdim=True)


def _hidden(mask: Tensor) -> Tensor:
    bias = torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, -torch.inf)
    return bias[:, None, None, :]


def _cells(spans: list[tuple[int, int]], exact: int | None) -> tuple[np.ndarray, np.ndarray]:
    """(count, length) the row that each cell shows, and whether it is text."""
    starts, sizes = np.array(spans, np.int64).T
    length = sizes.max()
    steps = np.arange(length if exact is None or length <= exact else -(-length // LENGTHS) * LENGTHS)
    inside = steps < sizes[:, None]
    starts = np.where(sizes > 0, starts, starts[sizes.argmax()])  # an empty one may begin behind the last row
    return np.where(inside, starts[:, None] + steps, starts[:, None]), inside


def _as_vectors(x: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """(R, P, A, D) as vectors (K, D), and how many of them lie between two rows and between two parts.

    Part of a wider tensor (queries beside keys and values) is taken where it lies.
    """
    heads, width = x.shape[2:]
    if not x.numel():
        return x.new_empty(0, width), (0, 0)
    steps = [stride if size > 1 else 0 for stride, size in zip(x.stride(), x.shape, strict=True)]
    whole = (heads == 1 or steps[2] == width) and (width == 1 or steps[3] == 1)
    if not whole or steps[0] % width or steps[1] % width:
        return _as_vectors(x.contiguous())
    last = sum(step * (size - 1) for step, size in zip(steps[:3], x.shape, strict=False))
    return x.as_strided((last // width + 1, width), (width, 1)), (steps[0] // width, steps[1] // width)
