from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.errors import UserError
from maskwright.data.batching import by_count, by_tokens, order


@given(st.integers(0, 300), st.integers(0, 2**40), st.integers(0, 2**31))
def test_an_order_is_a_permutation(count, seed, epoch):
    rows = order(count, seed, epoch)
    assert rows.dtype == np.int64
    assert sorted(rows.tolist()) == list(range(count))
    assert (rows == order(count, seed, epoch)).all()


def test_seed_and_epoch_both_matter_and_nothing_else():
    assert (order(50, 0, 0) != order(50, 1, 0)).any()
    assert (order(50, 0, 0) != order(50, 0, 1)).any()
    assert (order(50, 1, 0) != order(50, 0, 1)).any()
    np.random.seed(7)
    assert order(8, 0, 0).tolist() == [3, 2, 1, 6, 0, 7, 4, 5]  # on every platform and with every release of numpy


@given(st.lists(st.integers(1, 60), max_size=80), st.integers(1, 100), st.integers(0, 9))
def test_batches_by_tokens_hold_every_row_once_in_order_and_are_full(lengths, budget, seed):
    lengths = np.array(lengths, dtype=np.int64)
    rows = order(len(lengths), seed, 0)
    batches = by_tokens(rows, lengths, budget)
    assert [r for b in batches for r in b] == rows.tolist()
    assert all(lengths[b].sum() <= budget or len(b) == 1 for b in batches)
    for batch, following in pairwise(batches):
        assert lengths[batch].sum() + lengths[following[0]] > budget


@given(st.integers(0, 100), st.integers(1, 30))
def test_batches_by_count_hold_every_row_once_in_order(count, size):
    batches = by_count(np.arange(count), size)
    assert [r for b in batches for r in b] == list(range(count))
    assert all(len(b) == size for b in batches[:-1])
    assert all(0 < len(b) <= size for b in batches[-1:])


def test_sizes_that_make_no_batch():
    with pytest.raises(UserError, match="A batch of 0 rows cannot be made"):
        by_count(np.arange(3), 0)
    with pytest.raises(UserError, match="A batch of 0 tokens cannot be made"):
        by_tokens(np.arange(3), np.ones(3), 0)
    with pytest.raises(UserError, match="seed = -1: give a whole number"):
        order(3, -1, 0)
