"""Packing never changes a result: alone, among others, in any order, as a padded rectangle, or computed in part."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from maskwright.nn import Batch, Chosen, Encoder, block
from maskwright.nn.activations import ACTIVATIONS
from maskwright.nn.attention import LONG
from maskwright.nn.block import FeedForward

Pack = Callable[..., Batch]
TOLERANCE = 1e-5
LENGTHS = st.lists(st.one_of(st.just(1), st.integers(1, 12), st.integers(20, 130)), min_size=1, max_size=7)


def sequences(batch: Batch) -> list[Batch]:
    """Each sequence as a batch of its own."""
    cut = zip(*(t.split(batch.lengths) for t in (batch.ids, batch.segments)), strict=True)
    return [Batch.packed(ids, [len(ids)], segments) for ids, segments in cut]


def packed(parts: Sequence[Batch]) -> Batch:
    ids, segments = (torch.cat([getattr(p, name) for p in parts]) for name in ("ids", "segments"))
    return Batch.packed(ids, [n for p in parts for n in p.lengths], segments)


def weights(states: Tensor, seed: int = 1) -> Tensor:
    """Fixed random weights, so that a loss reads every number of the states, each differently."""
    return torch.randn(states.shape, generator=torch.Generator().manual_seed(seed))


def gradients(encoder: Encoder, loss: Tensor) -> list[Tensor]:
    found = torch.autograd.grad(loss, list(encoder.parameters()), allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(encoder.parameters(), found, strict=True)]


def assert_near(mine: Sequence[Tensor], reference: Sequence[Tensor]) -> None:
    """Within TOLERANCE of the largest number of each tensor, or of 1 where all are smaller."""
    for a, b in zip(mine, reference, strict=True):
        assert a.shape == b.shape
        scale = max(1.0, b.abs().max().item()) if b.numel() else 1.0
        torch.testing.assert_close(a, b, atol=TOLERANCE * scale, rtol=0)


@given(lengths=LENGTHS, seed=st.integers(0, 999), data=st.data())
@example(lengths=[1], seed=0, data=None)
@example(lengths=[LONG + 40, 1, LONG - 1, 2, LONG], seed=1, data=None)
@example(lengths=[512, 500, 511, 1, 1, 1], seed=2, data=None)
@example(lengths=[25, 19, 30, 29, 28, 27, 26, 24, 23, 22, 21, 20, 9], seed=3, data=None)  # blank rows and sequences
def test_company_and_order_change_nothing(
    encoder: Encoder, pack: Pack, lengths: list[int], seed: int, data: st.DataObject | None
) -> None:
    alone = sequences(pack(lengths, seed))
    order = list(reversed(range(len(alone)))) if data is None else data.draw(st.permutations(range(len(alone))))
    together = packed([alone[i] for i in order])
    reference = [encoder(one) for one in alone]
    read = [weights(states, i) / together.ids.numel() for i, states in enumerate(reference)]

    states = encoder(together)
    pieces = states.split(together.lengths)
    assert_near(pieces, [reference[i] for i in order])
    with torch.no_grad():
        assert_near(encoder(together).split(together.lengths), [reference[i] for i in order])

    loss = sum((pieces[at] * read[i]).sum() for at, i in enumerate(order))
    total = sum((states * w).sum() for states, w in zip(reference, read, strict=True))
    assert_near(gradients(encoder, loss), gradients(encoder, total))


@given(lengths=LENGTHS, seed=st.integers(0, 999))
@example(lengths=[LONG + 3, 5, LONG], seed=0)
def test_dense_equals_packed(encoder: Encoder, pack: Pack, lengths: list[int], seed: int) -> None:
    batch = pack(lengths, seed)
    dense = batch.to_dense(padding=3)
    assert dense.real is not None
    assert dense.ids.shape == (len(lengths) * max(lengths),)
    assert torch.equal(dense.ids[dense.real], batch.ids)

    mine, theirs = encoder(batch), encoder(dense)[dense.real]
    assert_near([mine], [theirs])
    read = weights(mine) / len(mine)
    assert_near(gradients(encoder, (mine * read).sum()), gradients(encoder, (theirs * read).sum()))
    with torch.no_grad():
        assert_near(encoder.states(batch), [s[dense.real] for s in encoder.states(dense)])
        assert_near([encoder(dense, dense.first)], [encoder(batch, batch.first)])


@st.composite
def picks(draw: st.DrawFn) -> tuple[list[int], list[list[bool]]]:
    """Lengths, and for each token whether it is chosen; whole sequences, and all of them, may have none."""
    lengths = draw(LENGTHS)
    kinds = [draw(st.sampled_from(["none", "all", "some"])) for _ in lengths]
    some = {"none": st.just(False), "all": st.just(True), "some": st.booleans()}
    return lengths, [draw(st.lists(some[k], min_size=n, max_size=n)) for n, k in zip(lengths, kinds, strict=True)]


@pytest.mark.usefixtures("poisoned")
@given(picked=picks(), seed=st.integers(0, 999), as_dense=st.booleans())
@example(
    picked=([1, 9, 30, 31, 2], [[False], [False] * 9, [True] * 30, [False] * 31, [True, False]]), seed=0, as_dense=False
)
@example(picked=([4, 40], [[False] * 4, [False] * 40]), seed=0, as_dense=False)
def test_chosen_tokens_are_rows_of_the_whole(
    encoder: Encoder, pack: Pack, picked: tuple[list[int], list[list[bool]]], seed: int, as_dense: bool
) -> None:
    lengths, flags = picked
    batch = pack(lengths, seed)
    chosen = Chosen(torch.tensor([f for row in flags for f in row]).nonzero().squeeze(1), tuple(map(sum, flags)))
    if as_dense:
        batch = batch.to_dense()
        assert batch.real is not None
        chosen = Chosen(batch.real.nonzero().squeeze(1)[chosen.tokens], chosen.counts)
    assert_chosen(encoder, batch, chosen)


@pytest.mark.usefixtures("poisoned")
@given(lengths=LENGTHS, seed=st.integers(0, 999))
@example(lengths=[LONG + 9, 3, 3, LONG], seed=0)
def test_first_tokens_are_rows_of_the_whole(encoder: Encoder, pack: Pack, lengths: list[int], seed: int) -> None:
    batch = pack(lengths, seed)
    assert torch.equal(batch.positions[batch.first.tokens], torch.zeros(len(lengths), dtype=torch.int64))
    assert_chosen(encoder, batch, batch.first)


def assert_chosen(encoder: Encoder, batch: Batch, chosen: Chosen) -> None:
    part, whole = encoder(batch, chosen), encoder(batch)[chosen.tokens]
    assert_near([part], [whole])
    with torch.no_grad():
        assert_near([encoder(batch, chosen)], [whole])
    read = weights(part) / max(len(part), 1)
    assert_near(gradients(encoder, (part * read).sum()), gradients(encoder, (whole * read).sum()))


def test_all_states_end_in_the_last(encoder: Encoder, pack: Pack) -> None:
    batch = pack([5, 17, 1])
    states = encoder.states(batch)
    assert len(states) == len(encoder.blocks) + 1
    assert torch.equal(states[-1], encoder(batch))
    assert torch.equal(states[0], encoder.embeddings(batch))


def test_an_encoder_without_blocks_is_its_embeddings(encoder: Encoder, pack: Pack) -> None:
    batch = pack([4, 2])
    bare = Encoder(encoder.embeddings, [], encoder.width)
    assert torch.equal(bare(batch, batch.first), encoder.embeddings(batch)[[0, 4]])


def test_a_batch_knows_its_tokens() -> None:
    batch = Batch.packed(torch.tensor([5, 6, 7, 8, 9, 5]), [3, 1, 2])
    assert len(batch) == 3
    assert batch.offsets.tolist() == [0, 3, 4, 6]
    assert batch.positions.tolist() == [0, 1, 2, 0, 0, 1]
    assert batch.sequence.tolist() == [0, 0, 0, 1, 2, 2]
    assert batch.segments.tolist() == [0] * 6
    assert batch.to("cpu").lengths == (3, 1, 2)
    dense = batch.to_dense(padding=4)
    assert dense.ids.tolist() == [5, 6, 7, 8, 4, 4, 9, 5, 4]
    assert dense.positions.tolist() == [0, 1, 2] * 3
    with pytest.raises(AssertionError, match="6 ids, but the lengths sum to 5"):
        Batch.packed(batch.ids, [3, 2])


def test_inner_activations_in_pieces_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    feedforward, x = FeedForward(8, 24, ACTIVATIONS["gelu"]), torch.randn(11, 8)
    whole = feedforward(x)
    monkeypatch.setattr(block, "LARGE", 11 * 24 - 1)
    monkeypatch.setattr(block, "SOME", 4)
    sizes: list[int] = []
    feedforward.into.register_forward_hook(lambda module, given, out: sizes.append(len(given[0])))
    with torch.no_grad():
        torch.testing.assert_close(feedforward(x), whole)
    assert sizes == [4, 4, 3]


def test_blocks_of_many_tokens_get_a_round_number_of_rows(encoder: Encoder, pack: Pack) -> None:
    sizes: list[int] = []
    hook = encoder.blocks[0].register_forward_hook(lambda module, given, out: sizes.append(len(given[0])))
    for lengths in ([200, 200, 112], [200, 201, 112], [200, 199, 112]):
        assert len(encoder(pack(lengths))) == sum(lengths)
    hook.remove()
    assert sizes == [512, 544, 511]
