"""How attention sees a batch: sequences side by side, as rectangles of cells.

Shape letters as in `batch`. A rectangle is `count` lines of `length` cells. A line holds one unit, or several short
ones behind each other, which a mask keeps apart; cells left over repeat a row of the text and are masked too. A unit is
a sequence or, where a pattern is much narrower than that (`units`), a stretch of one with the keys around it. A gather
fills each rectangle from the projections where they lie, and one gather brings the results of all back to the rows.

For each new shape oneDNN compiles a kernel (docs/decisions/0005-products.md). Shapes are therefore rounded up to ones
that come again, which costs less than the kernels would.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from maskwright.nn.pattern import FULL, Pattern
from maskwright.nn.units import Span, Unit, rounded

# Measured on CPU (docs/decisions/0003 and 0005); on a GPU they may want to be other numbers.
WASTE = 32768  #: cells (count * T * T beyond the sequences' own) that cost as much as one more rectangle
CELLS = 2**16  #: bounds count * T * T: scores of one rectangle stay in the cache, and memory does not grow with B
SHARED = 128  #: lines up to this length hold several sequences; longer ones would cost more cells than they save
COUNTS = 4  #: counts from MANY on are rounded up to a multiple of this
MANY = 12


Lines = list[list[list[Span]]]  #: of each line, the spans of each of its units


class Grid:
    """Where each of R rows stands among the C cells of the rectangles, and which row each cell shows."""

    def __init__(self, rectangles: list[Lines], device: torch.device, exact: bool) -> None:
        """Unless `exact`, lengths are rounded up."""
        rectangles = rectangles or [[[]]]
        shown, owners = zip(*(_cells(lines, exact) for lines in rectangles), strict=True)
        self.shapes = [cells.shape for cells in shown]
        text = np.concatenate([owner.ravel() for owner in owners]) >= 0
        rows = np.concatenate([cells.ravel() for cells in shown])
        self.rows = torch.from_numpy(rows).to(device)
        self.cells, self.more = _places(rows[text], np.flatnonzero(text), device)
        self.blank = [torch.from_numpy(np.flatnonzero(owner < 0)).to(device) for owner in owners]
        self.owners = [torch.from_numpy(owner).to(device) for owner in owners]
        self.alone = [max(map(len, lines)) < 2 for lines in rectangles]
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
        """All cells of (P, count * A, length, D) -> `shape`, (R, P, A, D) or with more rows, which are 0.

        Cells that show the same row are added up.
        """
        parts, heads, width = shape[1:]
        index, *again = self._index(("paste", parts, heads), self._returns)
        out = cells.new_empty(shape)
        vectors = out.view(-1, width)
        torch.index_select(cells, 0, index, out=vectors[: len(index)])
        vectors[len(index) :] = 0
        for rows, places in zip(again[::2], again[1::2], strict=True):
            vectors.index_add_(0, rows, cells.index_select(0, places))
        return out

    def _split(self, cells: Tensor, parts: int, heads: int) -> list[Tensor]:
        shapes = [(parts, count * heads, length, cells.shape[-1]) for count, length in self.shapes]
        found = cells.split([prod(shape[:3]) for shape in shapes])
        return [some.view(shape) for some, shape in zip(found, shapes, strict=True)]

    def _index(self, name: tuple[Any, ...], make: Callable[..., list[Tensor]]) -> list[Tensor]:
        if name not in self._indices:
            self._indices[name] = make(*name[1:])
        return self._indices[name]

    def _sources(self, parts: int, heads: int, row_step: int, part_step: int, head_step: int) -> list[Tensor]:
        """Of each rectangle: the vector that each cell of each part and head shows; rows are `row_step` apart."""
        device = self.rows.device
        part = torch.arange(parts, device=device).mul_(part_step).view(-1, 1, 1, 1)
        inner = part + torch.arange(heads, device=device).mul_(head_step).view(1, 1, -1, 1)
        return [(rows[None, :, None] * row_step + inner).flatten() for rows in self.shown]

    def _everywhere(self, parts: int, heads: int) -> list[Tensor]:
        """Of each rectangle (count * length, P * A): where in its tensor the cells of a part and head stand."""
        device, found = self.rows.device, []
        for count, length in self.shapes:
            places = torch.arange(parts * count * heads * length, device=device).view(parts, count, heads, length)
            found.append(places.permute(1, 3, 0, 2).reshape(count * length, parts * heads))
        return found

    def _returns(self, parts: int, heads: int) -> list[Tensor]:
        """Where each row stands in the tensor of all cells; then which vectors have a second cell, and where; ..."""
        everywhere, start = [], 0
        for places in self._everywhere(parts, heads):
            everywhere.append(places + start)
            start += places.numel()
        whole = torch.cat(everywhere)
        inner = torch.arange(parts * heads, device=whole.device)
        found = [whole.index_select(0, self.cells).flatten()]
        for rows, cells in self.more:
            found += [(rows[:, None] * (parts * heads) + inner).flatten(), whole.index_select(0, cells).flatten()]
        return found

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
    asks: list[Tensor]  #: (count, Tq) the place in the batch of each query

    @cached_property
    def distances(self) -> list[Tensor]:
        """(count, Tq, length) from queries to keys, where queries do not stand on the cells of the keys."""
        sides = zip(self.asks, self.asked.shown, strict=True)
        return [keys[:, None, :] - queries[:, :, None] for queries, keys in sides]

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
    found: Sequence[Unit],
    device: torch.device,
    tokens: Tensor | None = None,
    real: Tensor | None = None,
    pattern: Pattern = FULL,
    marks: Tensor | None = None,
) -> Rectangles:
    """Of units; `tokens` (M,) are the queries' places in the batch where not all tokens ask.

    `real` (N,) are the cells that are text in a dense batch, whose rectangles are what they are. `marks` (N,) bool are
    the tokens that a pattern may show to every query.
    """
    exact = real is not None
    rectangles = _lines(found, exact)
    asked = Grid([_laid([u.asked for u in found], lines, exact) for lines in rectangles], device, exact)
    asking = asked
    if tokens is not None or any(u.asking != u.asked for u in found):
        asking = Grid([_laid([u.asking for u in found], lines, exact) for lines in rectangles], device, exact)
    asks = asking.shown if tokens is None else [tokens[rows] for rows in asking.shown]
    sides = zip(asking.owners, asked.owners, asked.alone, asks, asked.shown, strict=True)
    masks: list[Tensor | None] = []
    for asking_owners, asked_owners, alone, queries, keys in sides:
        near = None if pattern.is_full else pattern.sees(queries, keys, marks)
        if real is not None:
            masks.append(_open(real[keys][:, None] if near is None else real[keys][:, None] & near)[:, None])
        else:
            masks.append(_mask(asking_owners, asked_owners, alone, near))
    return Rectangles(asking, asked, masks, asks)


def _lines(found: Sequence[Unit], exact: bool) -> list[list[list[int]]]:
    """The units of each line of each rectangle, wherever they stand in the batch.

    The widest that is left begins a line, and the widest that fit behind it fill it up.
    """
    rectangles: list[list[list[int]]] = []
    left = sorted((unit.width, i) for i, unit in enumerate(found))
    width = height = waste = 0
    while left:
        size, i = left.pop()
        cells = width * height
        full = (len(rectangles[-1]) + 1) * cells > CELLS if rectangles else True
        if full or found[i].height > height or waste + cells - found[i].cells > WASTE:
            rectangles.append([])
            width, height, waste = rounded(size, exact), rounded(found[i].height, exact), 0
            cells = width * height
        line, room, used = [i], width - size if width <= SHARED else 0, found[i].cells
        while behind := bisect_right(left, (room, len(found))):
            size, i = left.pop(behind - 1)
            line.append(i)
            room, used = room - size, used + found[i].cells
        rectangles[-1].append(line)
        waste += cells - used
    return rectangles


def _laid(spans: list[list[Span]], lines: list[list[int]], exact: bool) -> Lines:
    """The rows of each unit, line by line, and unless `exact` empty lines up to a multiple of COUNTS."""
    empty = 0 if exact or len(lines) < MANY else -len(lines) % COUNTS
    return [[spans[i] for i in line] for line in lines] + [[]] * empty


def _cells(lines: Lines, exact: bool) -> tuple[np.ndarray, np.ndarray]:
    """(count, length) the row that each cell shows, and which of the rectangle's units it belongs to, or -1."""
    units = [unit for line in lines for unit in line]
    spans = [len(unit) for unit in units]
    starts, sizes = np.array([span for unit in units for span in unit], np.int64).reshape(-1, 2).T
    owner_of = np.repeat(np.arange(len(units)), spans)
    line_of = np.repeat(np.repeat(np.arange(len(lines)), [len(line) for line in lines]), spans)
    totals = np.bincount(line_of, sizes, len(lines)).astype(np.int64)
    steps = np.arange(sizes.sum())
    line = np.repeat(line_of, sizes)
    place = line, steps - np.repeat(np.cumsum(totals) - totals, totals)
    rows = np.repeat(starts - np.cumsum(sizes) + sizes, sizes) + steps
    shape = len(lines), rounded(int(totals.max(initial=0)), exact)
    first = np.full(len(lines), rows[0] if len(rows) else 0)  # what a cell without text repeats: a row of its line
    first[line[::-1]] = rows[::-1]
    shown, owners = np.repeat(first[:, None], shape[1], 1), np.full(shape, -1)
    shown[place], owners[place] = rows, np.repeat(owner_of, sizes)
    return shown, owners


def _places(rows: np.ndarray, cells: np.ndarray, device: torch.device) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """Of rows that stand in cells: the cell of each row; then the rows that have a second one, and where; ..."""

    def there(x: np.ndarray) -> Tensor:
        return torch.from_numpy(x).to(device)

    first = np.empty(int(rows.max(initial=-1)) + 1, np.int64)
    if len(first) == len(rows):  # a row has one cell
        first[rows] = cells
        return there(first), []
    order = np.argsort(rows, kind="stable")
    rows, cells = rows[order], cells[order]
    nth = np.arange(len(rows)) - np.searchsorted(rows, rows)
    more = [(there(rows[nth == k]), there(cells[nth == k])) for k in range(1, int(nth.max()) + 1)]
    return there(cells[nth == 0]), more


def _mask(asking: Tensor, asked: Tensor, alone: bool, near: Tensor | None) -> Tensor | None:
    """From the owners of the cells, and which cells a pattern lets a query see, `near` (count, Tq, length):

    which keys (count, 1, 1 or Tq, length) a query looks at. Queries that are no text may look at anything. Looking at
    nothing would be NaN.
    """
    if alone and near is None:
        text = asked >= 0
        return None if text.all() else _open(text)[:, None, None]
    asking = asking[:, :, None]
    mask = asking == asked[:, None, :]
    if near is not None:
        mask = mask & near
    return (mask | (asking < 0))[:, None]


def _open(mask: Tensor) -> Tensor:
    """(..., length): who would see nothing may look at anything."""
    return mask | ~mask.any(-1, keepdim=True)


def _as_vectors(x: Tensor) -> tuple[Tensor, tuple[int, int, int]]:
    """(R, P, A, D) as vectors (K, D), and how many of them lie between two rows, two parts and two heads.

    Part of a wider tensor (queries beside keys and values) is taken where it lies.
    """
    width = x.shape[3]
    if not x.numel():
        return x.new_empty(0, width), (0, 0, 0)
    steps = [stride if size > 1 else 0 for stride, size in zip(x.stride(), x.shape, strict=True)]
    if (width > 1 and steps[3] != 1) or any(step % width for step in steps[:3]):
        return _as_vectors(x.contiguous())
    last = sum(step * (size - 1) for step, size in zip(steps[:3], x.shape, strict=False))
    row, part, head = (step // width for step in steps[:3])
    return x.as_strided((last // width + 1, width), (width, 1)), (row, part, head)
