"""Splits of rows with several labels: exact sizes, each label in train, nearer to its share than chance brings it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maskwright.base.errors import UserError
from maskwright.data.splits import split

FRACTIONS = (0.8, 0.1, 0.1)


def draw(count: int, labels: int, seed: int) -> np.ndarray:
    """(count, labels) of 0 and 1: from common labels to rare ones, some rows with none, each label in some row."""
    random = np.random.default_rng(seed)
    marks = random.random((count, labels)) < np.geomspace(0.5, 2 / count, labels)
    marks[random.permutation(count)[:labels], np.arange(labels)] = True
    return marks.astype(np.float32)


def off(marks: np.ndarray, parts: list[np.ndarray], fractions: tuple[float, ...] = FRACTIONS) -> np.ndarray:
    """How many rows each part has too many of each label, (parts, labels)."""
    return np.array([marks[p].sum(0) - f * marks.sum(0) for p, f in zip(parts, fractions, strict=True)])


@given(
    count=st.integers(12, 120),
    labels=st.integers(2, 8),
    weights=st.lists(st.integers(1, 20), min_size=2, max_size=4),
    seed=st.integers(0, 10_000),
)
def test_parts_are_exact_and_the_first_holds_every_label(count, labels, weights, seed):
    marks, fractions = draw(count, labels, seed), tuple(w / sum(weights) for w in weights)
    plain = [len(p) for p in split(None, count, fractions, seed)] if min(fractions) * count >= 1 else None
    assume(plain is not None and plain[0] >= labels)
    parts = split(marks, count, fractions, seed)
    assert [len(p) for p in parts] == plain
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))
    assert all((np.diff(p) > 0).all() for p in parts)
    assert marks[parts[0]].any(0).all()


@given(counts=st.lists(st.integers(5, 40), min_size=2, max_size=8), seed=st.integers(0, 10_000))
def test_with_one_label_a_row_each_is_nearly_within_one_of_its_share(counts, seed):
    marks = np.random.default_rng(seed).permutation(np.repeat(np.eye(len(counts)), counts, axis=0))
    assume(len(marks) >= 10)
    assert np.abs(off(marks, split(marks, len(marks), FRACTIONS, seed))).max() <= 1.5


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_nearer_to_their_share_than_by_chance(seed):
    marks = draw(1000, 12, seed)
    ours = off(marks, split(marks, 1000, FRACTIONS, seed))
    chance = off(marks, split(None, 1000, FRACTIONS, seed))
    assert np.abs(ours).max() <= 2
    assert np.abs(ours).mean() < 0.4 * np.abs(chance).mean()


def test_rows_without_labels_are_in_proportion_too():
    marks = np.zeros((200, 3))
    marks[:60, 0] = marks[30:90, 1] = marks[80:100, 2] = 1
    bare = ~marks.any(1)
    parts = split(marks, 200, FRACTIONS, 0)
    assert np.abs([bare[p].sum() - f * 100 for p, f in zip(parts, FRACTIONS, strict=True)]).max() <= 1


def test_a_label_of_one_row_is_trained_on():
    marks = np.zeros((40, 3))
    marks[:20, 0] = marks[10:39, 1] = marks[39, 2] = 1
    for seed in range(5):
        assert 39 in split(marks, 40, (0.2, 0.8), seed)[0]


def test_only_the_seed_decides():
    marks = draw(90, 5, 0)
    first, again, other = (split(marks, 90, FRACTIONS, seed) for seed in (3, 3, 4))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[1] != other[1]).any()


def test_a_first_part_too_small_for_all_labels_is_refused():
    marks = np.tile(np.eye(4), (2, 1))
    with pytest.raises(UserError) as caught:
        split(marks, 8, (0.25, 0.75), 0)
    assert str(caught.value) == (
        "The first part of the split has 2 rows, too few to hold each of the 4 labels. Give it a larger share or give "
        "files of your own."
    )
