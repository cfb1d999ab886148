"""`attend` is softmax(Q K^T / sqrt(D)) V for each sequence, forward and backward, whichever way it is computed."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from maskwright.nn import Batch, Chosen, attend, attention
from maskwright.nn.attention import LONG
from maskwright.nn.dropout import noise, quantised
from maskwright.nn.rectangles import CELLS, Grid

Pack = Callable[..., Batch]
HEADS, HEAD_WIDTH = 3, 40
LENGTHS = st.lists(st.one_of(st.just(1), st.integers(1, HEAD_WIDTH)), min_size=1, max_size=8)
TOLERANCE = 3e-6


def inputs(batch: Batch, asking: int | None = None, seed: int = 0) -> list[Tensor]:
    """q, k, v with a spread that makes some probabilities large and some tiny, and the gradient of the output."""
    random = torch.Generator().manual_seed(seed)
    rows = len(batch.ids)
    shapes = [(rows if asking is None else asking), rows, rows, (rows if asking is None else asking)]
    return [torch.randn(n, HEADS, HEAD_WIDTH, generator=random) * 1.3 for n in shapes]


def reference(
    q: Tensor, k: Tensor, v: Tensor, batch: Batch, chosen: Chosen | None = None, kept: list[Tensor] | None = None
) -> Tensor:
    """One sequence after the other; `kept` holds for each the factors (A, Tq, Tk) that dropout multiplies with."""
    real = torch.ones(len(k), dtype=torch.bool) if batch.real is None else batch.real
    counts = batch.lengths if chosen is None else chosen.counts
    out = []
    for i, (qs, ks, vs, rs) in enumerate(
        zip(q.split(list(counts)), *(t.split(batch.lengths) for t in (k, v, real)), strict=True)
    ):
        scores = torch.einsum("qad,kad->aqk", qs, ks) / math.sqrt(q.shape[-1])
        p = scores.masked_fill(~rs, -torch.inf).softmax(-1)
        out.append(torch.einsum("aqk,kad->qad", p if kept is None else p * kept[i], vs))
    return torch.cat(out)


def assert_equal_with_gradients(
    batch: Batch, chosen: Chosen | None, kept: list[Tensor] | None = None, rate: float = 0.0, seed: int = 0
) -> None:
    q, k, v, grad = inputs(batch, None if chosen is None else len(chosen.tokens), seed)
    read = torch.ones(len(q), 1, 1)
    if batch.real is not None:  # what a padding cell gives is read by nobody
        read = (batch.real if chosen is None else batch.real[chosen.tokens])[:, None, None].float()
    mine = [t.clone().requires_grad_() for t in (q, k, v)]
    exact = [t.double().requires_grad_() for t in (q, k, v)]
    out = attend(mine[0], torch.stack(mine[1:], 1), batch, chosen, rate)
    wanted = reference(*exact, batch, chosen, kept)
    assert out.shape == q.shape
    found = [out * read, *torch.autograd.grad(out, mine, grad * read)]
    for a, b in zip(found, [wanted * read, *torch.autograd.grad(wanted, exact, (grad * read).double())], strict=True):
        torch.testing.assert_close(a.double(), b, atol=TOLERANCE * size(b), rtol=0)
    if rate == 0:
        with torch.no_grad():
            plain = attend(q, torch.stack([k, v], 1), batch, chosen) * read
            torch.testing.assert_close(plain.double(), wanted * read, atol=TOLERANCE * 3, rtol=0)


def size(x: Tensor) -> float:
    """The largest number of x, or 1 where all are smaller: what a tolerance is relative to."""
    return max([1.0, *x.detach().abs().flatten().tolist()])


def choose(batch: Batch, seed: int) -> Chosen:
    """A random third of the tokens; some sequences have none."""
    random = torch.Generator().manual_seed(seed)
    flags = torch.rand(len(batch.ids), generator=random) < 0.33
    flags &= (torch.rand(len(batch), generator=random) < 0.7)[batch.sequence]
    if batch.real is not None:
        flags &= batch.real
    return Chosen(flags.nonzero().squeeze(1), tuple(int(f.sum()) for f in flags.split(batch.lengths)))


@pytest.mark.usefixtures("poisoned")
@given(lengths=LENGTHS, seed=st.integers(0, 999), dense=st.booleans(), some=st.booleans())
@example(lengths=[LONG + 7, 2, LONG + 1, LONG], seed=0, dense=False, some=False)
@example(lengths=[LONG + 7, 2, LONG + 1, LONG], seed=0, dense=True, some=True)
def test_equals_plain_autograd_in_float64(pack: Pack, lengths: list[int], seed: int, dense: bool, some: bool) -> None:
    batch = pack(lengths, seed).to_dense() if dense else pack(lengths, seed)
    assert_equal_with_gradients(batch, choose(batch, seed) if some else None, seed=seed)


@pytest.mark.usefixtures("poisoned")
@given(lengths=LENGTHS, seed=st.integers(0, 999), rate=st.sampled_from([0.1, 0.5]), some=st.booleans())
def test_dropout_equals_the_same_mask_by_hand(
    pack: Pack, lengths: list[int], seed: int, rate: float, some: bool
) -> None:
    """With unit vectors as values the output is the dropped matrix itself; the same seed gives the same mask again."""
    batch = pack(lengths, seed)
    chosen = choose(batch, seed) if some else None
    q, k, _, _ = inputs(batch, None if chosen is None else len(chosen.tokens), seed)
    unit = torch.eye(HEAD_WIDTH)[batch.positions][:, None, :].expand(-1, HEADS, -1)
    noise.seed(seed)
    dropped = attend(q, torch.stack([k, unit], 1), batch, chosen, rate)
    whole = attend(q, torch.stack([k, unit], 1), batch, chosen)
    counts = list(batch.lengths if chosen is None else chosen.counts)
    kept = []
    for d, p, length in zip(dropped.split(counts), whole.split(counts), batch.lengths, strict=True):
        d, p = (t[..., :length].transpose(0, 1) for t in (d, p))
        assert (p > 0).all()
        torch.testing.assert_close(d[d != 0], (p / (1 - quantised(rate)))[d != 0], atol=1e-6, rtol=1e-5)
        kept.append((d != 0).double() / (1 - quantised(rate)))
    noise.seed(seed)
    assert_equal_with_gradients(batch, chosen, kept, rate, seed)


def test_dropout_drops_at_its_rate(pack: Pack) -> None:
    batch, rate = pack([40, 38, 40, 21] * 30), 0.1
    q, k, _, _ = inputs(batch)
    unit = torch.eye(HEAD_WIDTH)[batch.positions][:, None, :].expand(-1, HEADS, -1).contiguous()
    noise.seed(5)
    dropped = attend(q, torch.stack([k, unit], 1), batch, dropout=rate)
    cells = HEADS * sum(n * n for n in batch.lengths)
    zeros = cells - int((dropped != 0).sum())
    assert abs(zeros - cells * quantised(rate)) < 5 * math.sqrt(cells * rate * (1 - rate))


def text_cells(grid: Grid) -> list[Tensor]:
    """(count, length) of each rectangle: whether a cell is a row of its own."""
    found = [torch.ones(count * length, dtype=torch.bool) for count, length in grid.shapes]
    for text, blank in zip(found, grid.blank, strict=True):
        text[blank] = False
    return [text.view(shape) for text, shape in zip(found, grid.shapes, strict=True)]


@given(
    lengths=st.lists(st.one_of(st.integers(1, 300), st.integers(1, 12)), min_size=1, max_size=30),
    dense=st.booleans(), some=st.booleans(),
)  # fmt: skip
def test_rectangles_cover_every_token_once(pack: Pack, lengths: list[int], dense: bool, some: bool) -> None:
    batch = pack(lengths).to_dense() if dense else pack(lengths)
    chosen = choose(batch, len(lengths)) if some else None
    rows = torch.arange(len(batch.ids), dtype=torch.float64)[:, None, None, None]
    asks = rows if chosen is None else rows[chosen.tokens]
    real = torch.ones(len(rows), dtype=torch.bool) if batch.real is None else batch.real
    plan = batch.rectangles(chosen)
    asked_rows, asking_rows = [], []
    for queries, keys, asking, asked, mask in zip(
        plan.asking.cut(asks), plan.asked.cut(rows), text_cells(plan.asking), text_cells(plan.asked), plan.masks,
        strict=True,
    ):  # fmt: skip
        queries, keys = queries[0, ..., 0], keys[0, ..., 0]
        assert len(queries) == len(keys)
        shape = (*queries.shape, keys.shape[1])
        seen = torch.ones(shape, dtype=torch.bool) if mask is None else mask[:, 0].expand(shape)
        assert seen.any(2).all()  # looking at nothing would be NaN
        for line in range(len(keys)):
            asking_rows.append(queries[line, asking[line]])
            asked_rows.append(keys[line, mask[line, 0, 0] if dense and mask is not None else asked[line]])
            for row, keys_seen in zip(queries[line, asking[line]].long(), seen[line, asking[line]], strict=True):
                own = batch.sequence == batch.sequence[row]  # nobody looks into another sequence
                assert keys[line, keys_seen].tolist() == torch.arange(len(rows))[own & real].tolist()
    assert torch.equal(torch.cat(asked_rows).sort().values, rows[real].flatten())  # once each
    assert torch.equal(torch.cat(asking_rows).sort().values, asks.flatten())


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=20), parts=st.integers(1, 3), heads=st.integers(1, 3),
    some=st.booleans(), behind=st.integers(0, 3),
    lies=st.sampled_from(["alone", "between others", "turned", "one number", "one row"]),
)  # fmt: skip
@example(lengths=[1], parts=1, heads=1, some=True, behind=0, lies="turned")
@example(lengths=[1], parts=2, heads=2, some=True, behind=0, lies="one number")
def test_cells_are_cut_from_rows_and_pasted_back(
    pack: Pack, lengths: list[int], parts: int, heads: int, some: bool, behind: int, lies: str
) -> None:
    """Also of a tensor that lies between others, as queries lie beside keys and values, or has blank rows behind."""
    batch = pack(lengths)
    chosen = choose(batch, len(lengths)) if some else None
    grid = batch.rectangles(chosen).asking
    count = (len(batch.ids) if chosen is None else len(chosen.tokens)) + behind
    x = {
        "alone": torch.randn(count, parts, heads, 4),
        "between others": torch.randn(count, parts + 2, heads, 4)[:, 1:-1],
        "turned": torch.randn(4, heads, parts, count).permute(3, 2, 1, 0),
        "one number": torch.randn(1).expand(count, parts, heads, 4),  # the gradient of a sum
        "one row": torch.randn(1, parts, heads, 4).expand(count, -1, -1, -1),
    }[lies]
    cells, room = grid.empty(x.shape, x)
    for blank in (False, True):
        for rows, text, cut, put in zip(grid.shown, text_cells(grid), grid.cut(x, blank), room, strict=True):
            wanted = x[rows].permute(2, 0, 3, 1, 4)  # (P, count, A, length, D)
            if blank:
                wanted = wanted * text[:, None, :, None]
            assert torch.equal(cut.view(wanted.shape), wanted)
            put.copy_(cut)
        pasted = grid.paste(cells, x.shape)
        assert torch.equal(pasted[: count - behind], x[: count - behind])
        assert not pasted[count - behind :].any()


def test_shapes_recur(pack: Pack) -> None:
    """Batches of sentences of random lengths share a few shapes, at the price of few cells."""
    random = torch.Generator().manual_seed(0)
    batches = [torch.randint(5, 50, (32,), generator=random).tolist() for _ in range(50)]
    shapes = [shape for lengths in batches for shape in pack(lengths).rectangles().asked.shapes]
    assert len(shapes) < 60
    assert len(set(shapes)) < 10
    assert sum(count * length for count, length in shapes) < 1.2 * sum(map(sum, batches))


@pytest.mark.parametrize("order", ["sorted", "arrival"])
def test_rectangles_hold_little_padding_and_few_scores(pack: Pack, order: str) -> None:
    """What attention multiplies beyond the real cells, and how many scores it holds for a head, are bounded."""
    lengths = torch.randint(5, 400, (300,), generator=torch.Generator().manual_seed(0)).tolist()
    shapes = pack(sorted(lengths) if order == "sorted" else lengths).rectangles().asked.shapes
    cells = [count * length**2 for count, length in shapes]
    assert sum(cells) < 1.15 * sum(n * n for n in lengths)
    assert all(n <= 1.3 * CELLS or count == 1 for n, (count, _) in zip(cells, shapes, strict=True))


def test_sentences_share_rectangles_wherever_they_stand(pack: Pack) -> None:
    lengths = torch.randint(5, 50, (300,), generator=torch.Generator().manual_seed(0)).tolist()
    counts = [len(pack(some).rectangles().asked.shapes) for some in (lengths, sorted(lengths))]
    assert counts[0] == counts[1] < 20


def test_short_sequences_share_lines(pack: Pack) -> None:
    """A batch of sentences is one rectangle whose cells are nearly all text."""
    lengths = torch.randint(5, 50, (32,), generator=torch.Generator().manual_seed(0)).tolist()
    ((count, length),) = pack(lengths).rectangles().asked.shapes
    assert max(lengths) <= length < max(lengths) + 8
    assert count * length < 1.2 * sum(lengths)
    ((count, length),) = pack([32] * 32).rectangles().asked.shapes
    assert (count, length) == (32, 32)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("some", [False, True])
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32])
def test_cuda_equals_the_dense_reference(pack: Pack, kind: torch.dtype, some: bool) -> None:
    batch = pack([1, 37, 40, 3, 128, 500, 12])
    chosen = choose(batch, 3) if some else None
    q, k, v, grad = (t[..., :32].cuda().to(kind) for t in inputs(batch, len(chosen.tokens) if chosen else None))
    moved = batch.to("cuda")
    there = None if chosen is None else Chosen(chosen.tokens.cuda(), chosen.counts)
    mine = [t.clone().requires_grad_() for t in (q, k, v)]
    exact = [t.cpu().double().requires_grad_() for t in (q, k, v)]
    out, wanted = attend(mine[0], torch.stack(mine[1:], 1), moved, there), reference(*exact, batch, chosen)
    tolerance = 2e-5 if kind is torch.float32 else 3e-2
    for a, b in zip(
        [out, *torch.autograd.grad(out, mine, grad)],
        [wanted, *torch.autograd.grad(wanted, exact, grad.cpu().double())],
        strict=True,
    ):
        torch.testing.assert_close(a.cpu().double(), b, atol=tolerance * size(b), rtol=0)


def test_nobody_asks(pack: Pack) -> None:
    batch, none = pack([3, 2]), Chosen(torch.zeros(0, dtype=torch.int64), (0, 0))
    q, kv = torch.zeros(0, HEADS, 8, requires_grad=True), torch.randn(5, 2, HEADS, 8, requires_grad=True)
    attend(q, kv, batch, none).sum().backward()
    assert kv.grad is not None
    assert not kv.grad.any()


def test_a_dense_row_without_text_spoils_no_gradient() -> None:
    real = torch.tensor([[True, True], [False, False]])
    batch = Batch.dense(torch.zeros(2, 2, dtype=torch.int64), real)
    q, kv = torch.randn(4, HEADS, 8, requires_grad=True), torch.randn(4, 2, HEADS, 8, requires_grad=True)
    (attend(q, kv, batch) * real.view(4, 1, 1)).sum().backward()
    for side in (q, kv):
        assert side.grad is not None
        assert torch.isfinite(side.grad).all()


@pytest.mark.parametrize("length", [5, 32, 56, 128, 130])
def test_weights_in_bf16_are_the_rounded_probabilities(length: int) -> None:
    """Whichever softmax takes a row of this length: masked keys are exactly 0, and rows sum to 1."""
    torch.manual_seed(0)
    q, k = (torch.randn(6, length, 16).bfloat16() for _ in range(2))
    hidden = torch.zeros(2, 1, 1, length)
    hidden[1, ..., -2:] = -torch.inf
    exact = (q.double() @ k.double().transpose(1, 2) / 4).view(2, 3, length, length) + hidden.double()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = attention.weights(q, k, hidden)
    assert found.dtype == torch.bfloat16
    expected = exact.softmax(-1).view(6, length, length)
    torch.testing.assert_close(found.double(), expected, atol=2**-9, rtol=2**-5)
    assert not found[3:, :, -2:].any()


def test_sure_heads_have_no_numbers_that_processors_are_slow_with() -> None:
    """Of scores as far apart as a trained network's, none is left below a normal number, and no sum feels it."""
    scores = torch.linspace(0, -110, 64).repeat(3, 5, 1)
    plain, found = scores.softmax(-1), attention.shares(scores)
    smallest = torch.finfo(torch.float32).tiny
    assert ((plain > 0) & (plain < smallest)).any()
    assert not ((found > 0) & (found < attention.DUST)).any()
    assert (found - plain).abs().max() < attention.DUST
    assert torch.equal(found.sum(-1), plain.sum(-1))
