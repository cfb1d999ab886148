"""Patterns and biases: every query sees what they say, forward and backward, however sequences are cut and packed."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from maskwright.nn import Batch, Chosen, attend
from maskwright.nn.attention import LONG, look
from maskwright.nn.bias import Bias, BucketBias, fitted
from maskwright.nn.pattern import FULL, LEFT, RIGHT, Pattern, window
from maskwright.nn.skew import along_diagonals, by_distance, by_key, distances, toeplitz
from maskwright.nn.units import units

Pack = Callable[..., Batch]
HEADS, WIDTH = 2, 8
PATTERNS = [FULL, LEFT, RIGHT, window(3), window(1, marked=True), Pattern(2, 5), window(40), window(4, marked=True)]
LENGTHS = st.lists(st.one_of(st.integers(1, 12), st.integers(60, 220)), min_size=1, max_size=5)


def mark(batch: Batch, seed: int) -> Batch:
    """A few marked tokens, in some sequences none."""
    random = torch.Generator().manual_seed(seed)
    marked = torch.rand(len(batch.ids), generator=random) < 0.03
    if batch.real is not None:
        marked &= batch.real
    return Batch(batch.ids, batch.positions, batch.segments, batch.offsets, batch.lengths, batch.real, marked)


def choose(batch: Batch, seed: int) -> Chosen:
    random = torch.Generator().manual_seed(seed)
    flags = torch.rand(len(batch.ids), generator=random) < 0.3
    if batch.real is not None:
        flags &= batch.real
    return Chosen(flags.nonzero().squeeze(1), tuple(int(f.sum()) for f in flags.split(list(batch.lengths))))


def reference(
    q: Tensor, k: Tensor, v: Tensor, batch: Batch, asks: Tensor, pattern: Pattern, values: Tensor | None
) -> Tensor:
    """Query by query, in the open. asks: the place of each query."""
    out = []
    for query, place in zip(q, asks.tolist(), strict=True):
        sequence = int(batch.sequence[place])
        keys = torch.arange(int(batch.offsets[sequence]), int(batch.offsets[sequence + 1]))
        seen = torch.ones(len(keys), dtype=torch.bool)
        if pattern.before is not None:
            seen &= keys >= place - pattern.before
        if pattern.after is not None:
            seen &= keys <= place + pattern.after
        if pattern.marked and batch.marked is not None:
            seen |= batch.marked[keys]
        if batch.real is not None:
            seen &= batch.real[keys]
        keys = keys[seen]
        scores = torch.einsum("ad,kad->ak", query, k[keys]) / math.sqrt(q.shape[-1])
        if values is not None:
            scores = scores + values[:, keys - place + values.shape[1] // 2]
        out.append(torch.einsum("ak,kad->ad", scores.softmax(-1), v[keys]))
    return torch.stack(out) if out else q


@settings(max_examples=40)
@given(
    lengths=LENGTHS, seed=st.integers(0, 999), pattern=st.sampled_from(PATTERNS), dense=st.booleans(),
    some=st.booleans(), biased=st.booleans(),
)  # fmt: skip
@example(lengths=[LONG + 70, 3], seed=1, pattern=window(3), dense=False, some=False, biased=True)
@example(lengths=[220, 130, 90], seed=2, pattern=window(4, marked=True), dense=False, some=False, biased=False)
@example(lengths=[220, 130, 90], seed=2, pattern=window(4, marked=True), dense=False, some=True, biased=True)
def test_equals_query_by_query_in_float64(
    pack: Pack, lengths: list[int], seed: int, pattern: Pattern, dense: bool, some: bool, biased: bool
) -> None:
    batch = mark(pack(lengths, seed).to_dense() if dense else pack(lengths, seed), seed)
    chosen = choose(batch, seed) if some else None
    asks = torch.arange(len(batch.ids)) if chosen is None else chosen.tokens
    random = torch.Generator().manual_seed(seed)
    rows, longest = len(batch.ids), max(batch.lengths)
    q, k, v, grad = (torch.randn(n, HEADS, WIDTH, generator=random) for n in (len(asks), rows, rows, len(asks)))
    values = torch.randn(HEADS, 2 * longest - 1, generator=random) if biased else None
    if batch.real is not None:  # nobody reads what a padding cell gives
        grad = grad * batch.real[asks][:, None, None]
    inputs = [q, k, v] if values is None else [q, k, v, values]
    mine = [t.clone().requires_grad_() for t in inputs]
    exact = [t.double().requires_grad_() for t in inputs]
    bias = Bias(mine[3]) if biased else None
    out = attend(mine[0], torch.stack(mine[1:3], 1), batch, chosen, 0.0, pattern, bias)
    wanted = reference(*exact[:3], batch, asks, pattern, exact[3] if biased else None)
    read = torch.ones(len(asks), 1, 1) if batch.real is None else batch.real[asks][:, None, None].float()
    if not len(asks):
        return
    found = [out * read, *torch.autograd.grad(out, mine, grad, allow_unused=True)]
    right = [wanted * read, *torch.autograd.grad(wanted, exact, grad.double(), allow_unused=True)]
    for a, b in zip(found, right, strict=True):
        torch.testing.assert_close(a.double(), b, atol=2e-5, rtol=0)
    with torch.no_grad():
        plain = attend(q, torch.stack([k, v], 1), batch, chosen, 0.0, pattern, None if values is None else Bias(values))
        torch.testing.assert_close((plain * read).double(), wanted * read, atol=2e-5, rtol=0)


@given(lengths=LENGTHS, seed=st.integers(0, 99), pattern=st.sampled_from(PATTERNS), biased=st.booleans())
@settings(max_examples=20)
def test_looking_shows_what_values_are_weighed_with(
    pack: Pack, lengths: list[int], seed: int, pattern: Pattern, biased: bool
) -> None:
    batch = mark(pack(lengths, seed), seed)
    random = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(len(batch.ids), HEADS, WIDTH, generator=random) for _ in range(3))
    bias = Bias(torch.randn(HEADS, 2 * max(lengths) - 1, generator=random)) if biased else None
    with torch.no_grad():
        out = attend(q, torch.stack([k, v], 1), batch, None, 0.0, pattern, bias)
        seen = look(q, k, batch, pattern, bias)
    for mine, p, values in zip(out.split(lengths), seen, v.split(lengths), strict=True):
        torch.testing.assert_close(torch.einsum("aqk,kad->qad", p, values), mine, atol=2e-5, rtol=0)
        torch.testing.assert_close(p.sum(-1), torch.ones(p.shape[:2]))


def test_a_narrow_pattern_costs_what_it_sees(pack: Pack) -> None:
    """Cells that are multiplied grow with length, not with its square."""
    pattern = window(32)
    cells = []
    for length in (1024, 2048, 4096):
        plan = pack([length]).rectangles(None, pattern)
        sizes = zip(plan.asking.shapes, plan.asked.shapes, strict=True)
        cells.append(sum(count * asks * keys for (count, asks), (_, keys) in sizes))
    assert cells[1] < 2.2 * cells[0]
    assert cells[2] < 2.2 * cells[1]
    assert cells[0] < 1024 * 4 * 65


def test_layers_that_see_everything_share_a_plan(pack: Pack) -> None:
    batch = pack([5, 9])
    assert batch.rectangles(None, window(8)) is batch.rectangles()
    assert batch.rectangles(None, window(7)) is not batch.rectangles()


def test_units_of_a_long_sequence_cover_it_once() -> None:
    found = units([10, 500], pattern=window(20))
    assert found[0].asking == [(0, 10)]
    assert [u.asking for u in found[1:]] == [[(10 + i, min(64, 500 - i))] for i in range(0, 500, 64)]
    assert found[1].asked == [(10, 84)]
    assert found[2].asked == [(54, 104)]
    assert found[-1].asked == [(10 + 448 - 20, 72)]


def test_a_marked_token_far_away_is_a_key_of_every_stretch() -> None:
    found = units([500], pattern=window(20, marked=True), marks=[0, 499])
    assert [u.asked for u in found[1:-1]] == [[(0, 1), (499, 1), (i - 20, 104)] for i in range(64, 448, 64)]


@given(length=st.integers(1, 9), lead=st.integers(1, 3))
def test_numbers_by_distance_and_by_key(length: int, lead: int) -> None:
    x = torch.randn(lead, length, 2 * length - 1)
    keys = by_key(x)
    for i in range(length):
        for j in range(length):
            assert torch.equal(keys[:, i, j], x[:, i, length - 1 + j - i])
    back = by_distance(keys)
    assert torch.equal(by_key(back), keys)
    assert int((back != 0).sum()) <= lead * length**2
    row = torch.randn(lead, 2 * length - 1)
    square = toeplitz(row)
    for i in range(length):
        for j in range(length):
            assert torch.equal(square[:, i, j], row[:, length - 1 + j - i])
    g = torch.randn(lead, length, length)
    torch.testing.assert_close((square * g).sum(), (row * along_diagonals(g)).sum())
    assert distances(length, torch.device("cpu")).tolist() == list(range(1 - length, length))


def test_fitting_keeps_the_middle() -> None:
    x = torch.arange(7.0)[None]
    assert fitted(x, 2).tolist() == [[2, 3, 4]]
    assert fitted(x, 5).tolist() == [[0, 0, 1, 2, 3, 4, 5, 6, 0]]


def test_buckets_are_the_papers() -> None:
    """32 buckets, 16 a side: 0 to 7 alone, then ever wider up to 128."""
    bucket = BucketBias(32, 2, 128).bucket(torch.tensor([0, -1, -7, -8, -11, -12, -127, -128, -500, 1, 7, 8, 128, 500]))
    assert bucket.tolist() == [0, 1, 7, 8, 8, 9, 15, 15, 15, 17, 23, 24, 31, 31]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_cuda_equals_cpu(pack: Pack, pattern: Pattern) -> None:
    batch = mark(pack([5, 200, 90]), 0)
    random = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(len(batch.ids), HEADS, WIDTH, generator=random) for _ in range(3))
    here = attend(q, torch.stack([k, v], 1), batch, pattern=pattern)
    there = attend(q.cuda(), torch.stack([k, v], 1).cuda(), batch.to("cuda"), pattern=pattern)
    torch.testing.assert_close(there.cpu(), here, atol=2e-5, rtol=0)
