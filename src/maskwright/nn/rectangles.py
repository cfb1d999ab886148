"""How attention sees a batch: sequences side by side, as rectangles of cells.

Shape letters as in `batch`. A rectangle is `count` lines of `length` cells. A line holds one sequence, or several
short ones behind each other, which a mask keeps apart; cells left over repeat a row of the text and are masked too. A
gather fills each rectangle from the projections where they lie, and one gather brings the results of all back to the
rows.

For each new shape oneDNN compiles a kernel (docs/decisions/0005-products.md). Shapes are therefore rounded up to ones
that come again, which costs less than the kernels would.
"""

from __future__ import annotations

from bisect import bisect_right
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
WASTE = 32768  #: cells (count * T * T beyond the sequences' own) that cost as much as one more rectangle
CELLS = 2**16  #: bounds count * T * T: scores of one rectangle stay in the cache, and memory does not grow with B
SHARED = 128  #: lines up to this length hold several sequences; longer ones would cost more cells than they save
LENGTHS = 8  #: lengths beyond this are rounded up to a multiple of it
COUNTS = 4  #: counts from MANY on are rounded up to a multiple of this
MANY = 12


Span = tuple[int, int]  #: (first row, number of rows, maybe 0) of a sequence


class Grid:
    """Where each of R rows stands among the C cells of the rectangles, and which row each cell shows."""

    def __init__(self, rectangles: list[list[list[Span]]], device: torch.device, exact: bool) -> None:
        """rectangles: of each, the sequences of each line. Unless `exact`, lengths are rounded up."""
        shown, owners = zip(*(_cells(lines, exact) for lines in rectangles or [[[]]]), strict=True)
        self.shapes = [cells.shape for cells in shown]
        text = np.concatenate([owner.ravel() for owner in owners]) >= 0
        rows = np.concatenate([cells.ravel() for cells in shown])
        cells = np.empty(int(text.sum()), np.int64)
        cells[rows[text]] = np.flatnonzero(text)
        self.rows, self.cells = (torch.from_numpy(t).to(device) for t in (rows, cells))
        self.blank = [torch.from_numpy(np.flatnonzero(owner < 0)).to(device) for owner in owners]
        self.owners = [torch.from_numpy(owner).to(device) for owner in owners]
        self.alone = [max(map(len, lines)) < 2 for lines in rectangles or [[[]]]]
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
    masks: list[Tensor | None]  #: which cells a query looks at: (count, 1, 1 or Tq, length); None where it is all

    @cached_property
    def hidden(self) -> list[Tensor]:
        """What is added to scores (count, A, Tq, length): -inf where nobody looks; a zero without a mask."""
        device = self.asked.rows.device
        return [
            torch.zeros(1, 1, 1, 1, device=device)
            if mask is None
            else torch.zeros(mask.shape, device=device).masked_fill_(~mask, -torch.inf)
            for mask in self.masks
        ]


def make_rectangles(
    lengths: Sequence[int], counts: Sequence[int] | None, real: Tensor | None, device: torch.device
) -> Rectangles:
    """Of all tokens of sequences of these lengths, or with only `counts` tokens of each as queries.

    `real` (N,) are the cells that are text in a dense batch, whose rectangles are what they are.
    """
    exact = real is not None
    lines = _lines(lengths, exact)
    asked = Grid(_spans(lengths, lines, exact), device, exact)
    asking = asked if counts is None else Grid(_spans(counts, lines, exact), device, exact)
    if real is not None:
        return Rectangles(asking, asked, [_open(real[rows])[:, None, None] for rows in asked.shown])
    sides = zip(asking.owners, asked.owners, asked.alone, strict=True)
    return Rectangles(asking, asked, [_mask(*side) for side in sides])


def _lines(lengths: Sequence[int], exact: bool) -> list[list[list[int]]]:
    """The sequences of each line of each rectangle, wherever they stand in the batch.

    The longest that is left begins a line, and the longest that fit behind it fill it up.
    """
    rectangles: list[list[list[int]]] = []
    left = sorted((length, i) for i, length in enumerate(lengths))
    width = waste = 0
    while left:
        size, i = left.pop()
        full = (len(rectangles[-1]) + 1) * width**2 > CELLS if rectangles else True
        if full or waste + width**2 - size**2 > WASTE:
            rectangles.append([])
            width, waste = _width(size, exact), 0
        line, room, used = [i], width - size if width <= SHARED else 0, size**2
        while behind := bisect_right(left, (room, len(lengths))):
            size, i = left.pop(behind - 1)
            line.append(i)
            room, used = room - size, used + size**2
        rectangles[-1].append(line)
        waste += width**2 - used
    return rectangles


def _width(size: int, exact: bool) -> int:
    return size if exact or size <= LENGTHS else -(-size // LENGTHS) * LENGTHS


def _spans(sizes: Sequence[int], rectangles: list[list[list[int]]], exact: bool) -> list[list[list[Span]]]:
    """The rows of each sequence, line by line, and unless `exact` empty lines up to a multiple of COUNTS."""
    starts = [0, *accumulate(sizes)]
    spans = [[[(starts[i], sizes[i]) for i in line] for line in lines] for lines in rectangles]
    return [lines + [[]] * (0 if exact or len(lines) < MANY else -len(lines) % COUNTS) for lines in spans]


def _cells(lines: list[list[Span]], exact: bool) -> tuple[np.ndarray, np.ndarray]:
    """(count, length) the row that each cell shows, and which of the rectangle's sequences it belongs to, or -1."""
    starts, sizes = np.array([span for line in lines for span in line], np.int64).reshape(-1, 2).T
    line_of = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
    totals = np.bincount(line_of, sizes, len(lines)).astype(np.int64)
    steps = np.arange(sizes.sum())
    line = np.repeat(line_of, sizes)
    place = line, steps - np.repeat(np.cumsum(totals) - totals, totals)
    rows = np.repeat(starts - np.cumsum(sizes) + sizes, sizes) + steps
    shape = len(lines), _width(int(totals.max(initial=0)), exact)
    first = np.full(len(lines), rows[0] if len(rows) else 0)  # what a cell without text repeats: a row of its line
    first[line[::-1]] = rows[::-1]
    shown, owners = np.repeat(first[:, None], shape[1], 1), np.full(shape, -1)
    shown[place], owners[place] = rows, np.repeat(np.arange(len(sizes)), sizes)
    return shown, owners


def _mask(asking: Tensor, asked: Tensor, alone: bool) -> Tensor | None:
    """From the owners of the cells: which keys (count, 1, 1 or Tq, length) a query looks at.

    Queries that are no text may look at anything. Looking at nothing would be NaN.
    """
    if alone:
        text = asked >= 0
        return None if text.all() else _open(text)[:, None, None]
    asking = asking[:, :, None]
    return ((asking == asked[:, None, :]) | (asking < 0))[:, None]


def _open(mask: Tensor) -> Tensor:
    """(count, length): a sequence without text may look at anything."""
    return mask | ~mask.any(1, keepdim=True)


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
