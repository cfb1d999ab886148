from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.errors import UserError
from maskwright.data.groups import number_groups
from maskwright.data.splits import split_groups

SHARES = (0.8, 0.1, 0.1)


def where(row: int) -> str:
    return f"train.csv line {row + 2}"


def shares(parts: int):
    weights = st.lists(st.integers(1, 9), min_size=2, max_size=parts)
    return weights.map(lambda w: tuple(x / sum(w) for x in w))


rows = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), min_size=1, max_size=150)


@given(rows=rows, fractions=shares(4), seed=st.integers(0, 2**32))
def test_groups_stay_whole_every_class_is_in_train_and_no_part_is_empty(rows, fractions, seed):
    groups, classes = np.array(rows).T
    enough = len(set(groups)) >= len(set(classes)) + len(fractions) - 1
    try:
        parts = split_groups(classes, groups, fractions, seed)
    except UserError:
        if enough:
            raise
        return
    assert len(parts) == len(fractions)
    assert all(len(part) for part in parts)
    assert all((np.diff(part) > 0).all() for part in parts)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(rows)))
    held = [set(groups[part]) for part in parts]
    assert sum(map(len, held)) == len(set(groups))
    assert set(classes[parts[0]]) == set(classes)


@given(sizes=st.lists(st.integers(1, 12), min_size=3, max_size=60), fractions=shares(3), seed=st.integers(0, 2**32))
def test_sizes_are_near_the_shares_and_no_move_brings_them_nearer(sizes, fractions, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    parts = split_groups(None, groups, fractions, seed)
    wanted = np.array(fractions) * len(groups)
    lack = wanted - [len(part) for part in parts]
    assert (-lack).max() <= max(sizes) + 1e-9
    for here, part in enumerate(parts):
        inside = set(groups[part].tolist())
        for group in inside if len(inside) > 1 else ():
            for there in range(len(parts)):
                moved = lack.copy()
                moved[here] += sizes[group]
                moved[there] -= sizes[group]
                assert (lack**2 / wanted).sum() <= (moved**2 / wanted).sum() + 1e-5


@given(count=st.integers(20, 400), fractions=shares(3), seed=st.integers(0, 1000))
def test_groups_of_one_row_are_split_within_one_row_of_the_shares(count, fractions, seed):
    parts = split_groups(None, np.arange(count), fractions, seed)
    assert np.abs([len(part) - count * f for part, f in zip(parts, fractions, strict=True)]).max() <= 1 + 1e-9


def reviews(people: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Rows by person, as in life: few write much, and each has one opinion more often than the other two."""
    source = np.random.default_rng(5)
    sizes = np.minimum(source.zipf(1.6, people), 60)
    taste = source.dirichlet([0.3, 0.1, 0.1], people)
    groups = np.repeat(np.arange(people), sizes)
    return groups, np.array([source.choice(3, p=taste[g]) for g in groups])


def test_a_long_tailed_set_is_cut_in_proportion():
    groups, classes = reviews()
    for seed in range(5):
        parts = split_groups(classes, groups, SHARES, seed)
        for part, share in zip(parts, SHARES, strict=True):
            assert abs(len(part) / len(groups) - share) < 0.005
            found = np.bincount(classes[part], minlength=3) / len(part)
            assert np.abs(found - np.bincount(classes) / len(classes)).max() < 0.01


def test_the_seed_and_nothing_else_decides():
    groups, classes = reviews()
    first, again, other = (split_groups(classes, groups, SHARES, seed) for seed in (3, 3, 4))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert set(first[1]) != set(other[1])
    renamed = split_groups(classes, groups * 7 - 3, SHARES, 3)
    assert all((a == b).all() for a, b in zip(first, renamed, strict=True))
    few = np.repeat(np.arange(6), [4, 3, 3, 2, 1, 1])
    assert [part.tolist() for part in split_groups(few % 2, few, (0.7, 0.3), 0)] == [
        [0, 1, 2, 3, 4, 5, 6, 12, 13],
        [7, 8, 9, 10, 11],
    ]  # on every platform


def test_the_largest_groups_are_not_always_in_train():
    sizes = [13, 12, 11, 10, 9, 8] * 4
    groups = np.repeat(np.arange(len(sizes)), sizes)
    held = {g for seed in range(40) for g in groups[split_groups(None, groups, (0.75, 0.25), seed)[1]]}
    assert held >= {g for g, size in enumerate(sizes) if size >= 12}


def test_classes_of_rows_with_several():
    groups, one = reviews(120)
    several = np.zeros((len(groups), 4), dtype=np.int64)
    several[np.arange(len(groups)), one] = 1
    several[::3, 2] = 1  # the fourth class never occurs, the third beside others
    parts = split_groups(several, groups, (0.8, 0.2), 0)
    assert not set(groups[parts[0]]) & set(groups[parts[1]])
    assert np.abs(several[parts[1]].mean(axis=0) - several.mean(axis=0)).max() < 0.01
    nothing = split_groups(np.zeros((len(groups), 4)), groups, (0.8, 0.2), 0)
    assert abs(len(nothing[1]) / len(groups) - 0.2) < 0.01


def test_a_class_of_one_group_is_in_train_however_large_it_is():
    groups = np.repeat([0, 1, 2, 3], [50, 10, 10, 10])
    classes = np.where(groups == 0, 1, 0)
    train, held = split_groups(classes, groups, (0.3, 0.7), 0)
    assert set(groups[train]) >= {0}
    assert set(classes[train]) == {0, 1}
    assert set(groups[held]) < {1, 2, 3}


@pytest.mark.parametrize(
    ("groups", "classes", "fractions", "told"),
    [
        ([0, 0, 0], [0, 1, 0], (0.5, 0.5), "The rows form 1 group, too few for 2 parts: no group is divided, no part"),
        ([0, 0, 1], [0, 0, 0], SHARES, "The rows form 2 groups, too few for 3 parts"),
        ([0, 1], [0, 1], (0.5, 0.5), "may be empty, and the first must hold every class."),
        ([0, 1], [0, 0], (0.5, 0.6), "must be positive and sum to 1; given: [0.5, 0.6]."),
    ],
)
def test_groups_that_cannot_be_split(groups, classes, fractions, told):
    with pytest.raises(UserError) as caught:
        split_groups(classes, np.array(groups), fractions, 0)
    assert told in str(caught.value)


def test_groups_are_numbered_as_they_appear():
    assert number_groups(["b", "a", "b", 1, "1"], where).tolist() == [0, 1, 0, 2, 2]
    assert number_groups(["x"], where).dtype == np.int64


@pytest.mark.parametrize("empty", ["", " ", None, math.nan])
def test_a_row_without_a_group(empty):
    with pytest.raises(UserError) as caught:
        number_groups(["a", "b", empty], where)
    assert str(caught.value) == (
        "train.csv line 4: the group is empty, so nothing says which rows belong with it. Fill it or remove the row."
    )
