from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maskwright.base.errors import UserError
from maskwright.data.batching import order
from maskwright.data.splits import split


def shares(parts: int):
    weights = st.lists(st.integers(1, 20), min_size=1, max_size=parts)
    return weights.map(lambda w: tuple(x / sum(w) for x in w))


def largest_remainders(count: int, fractions: tuple[float, ...]) -> list[int]:
    exact = [round(count * f, 9) for f in fractions]
    sizes = [int(x) for x in exact]
    for i in sorted(range(len(exact)), key=lambda i: sizes[i] - exact[i])[: count - sum(sizes)]:
        sizes[i] += 1
    return sizes


@given(counts=st.lists(st.integers(1, 40), min_size=1, max_size=12), fractions=shares(5), seed=st.integers(0, 2**32))
def test_a_split_is_an_exact_stratified_partition(counts, fractions, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    sizes = largest_remainders(len(labels), fractions)
    assume(min(sizes) > 0)
    assume(sizes[0] >= len(counts))
    parts = split(labels, len(labels), fractions, seed)
    assert [len(p) for p in parts] == sizes
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    assert all((np.diff(p) > 0).all() for p in parts)
    assert set(labels[parts[0]]) == set(labels)
    if min(counts) * fractions[0] >= 1:  # else the rule that train holds every class may take more than a share
        found = np.array([[(labels[p] == c).sum() for p in parts] for c in range(len(counts))])
        assert np.abs(found - np.outer(counts, fractions)).max() <= 1 + 1e-5


@given(count=st.integers(4, 200), fractions=shares(4), seed=st.integers(0, 1000))
def test_a_split_without_labels_is_a_partition(count, fractions, seed):
    sizes = largest_remainders(count, fractions)
    assume(min(sizes) > 0)
    parts = split(None, count, fractions, seed)
    assert [len(p) for p in parts] == sizes
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))


def test_only_the_seed_decides():
    labels = [0, 1, 2] * 30
    first, again, other = (split(labels, 90, (0.8, 0.1, 0.1), seed) for seed in (3, 3, 4))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[1] != other[1]).any()
    assert split([0, 1] * 6, 12, (0.75, 0.25), 0)[1].tolist() == [2, 7, 10]  # on every platform


def test_a_split_is_not_the_order_of_an_epoch():
    cut = split(None, 100, (0.5, 0.5), 1)[0]
    assert any((np.sort(order(100, 1, epoch)[:50]) != cut).any() for epoch in range(3))


def test_rare_classes_stand_in_train():
    labels = [0] * 94 + [1] * 2 + [2] * 2 + [3] + [4]
    parts = split(labels, 100, (0.1, 0.9), 0)
    assert {labels[i] for i in parts[0]} == {0, 1, 2, 3, 4}
    assert [len(p) for p in parts] == [10, 90]


@pytest.mark.parametrize(
    ("labels", "count", "fractions", "told"),
    [
        (None, 10, (0.8, 0.1), "must be positive and sum to 1; given: [0.8, 0.1]."),
        (None, 10, (1.2, -0.2), "must be positive and sum to 1"),
        (None, 10, (), "must be positive and sum to 1"),
        (None, 3, (0.8, 0.1, 0.1), "3 rows are too few to split into parts of [0.8, 0.1, 0.1]: one would be empty."),
        (None, 0, (0.8, 0.2), "0 rows are too few"),
        ([0, 1, 2, 3] * 2, 8, (0.25, 0.75), "has 2 rows, too few to hold each of the 4 classes."),
    ],
)
def test_splits_that_cannot_be(labels, count, fractions, told):
    with pytest.raises(UserError) as caught:
        split(labels, count, fractions, 0)
    assert told in str(caught.value)
