"""Random numbers by place: uniform, independent between places and streams, and the same however they are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from maskwright.base import draws

N = 200_000
LEAST = 1e-4  #: the numbers are fixed, so that a test passes always or never


def flat(counts: np.ndarray) -> float:
    """The chance that equally likely cells are filled at least so unevenly."""
    return float(stats.chisquare(counts.ravel()).pvalue)


@pytest.mark.parametrize("axis", range(4))
def test_uniform_along_each_coordinate(axis: int) -> None:
    places: list[draws.Place] = [3, 1, 4, 1]
    places[axis] = np.arange(N)
    found = draws.uniform(*places)
    assert found.min() >= 0
    assert found.max() < 1
    assert flat(np.histogram(found, 100, (0, 1))[0]) > LEAST
    assert stats.kstest(found, "uniform").pvalue > LEAST


def test_each_bit_is_fair() -> None:
    found = draws.bits(0, np.arange(N))
    ones = np.array([int((found >> np.uint64(k) & np.uint64(1)).sum()) for k in range(64)])
    assert stats.chi2.sf((((ones - N / 2) ** 2) / (N / 4)).sum(), 64) > LEAST


@pytest.mark.parametrize("lag", [1, 2, 7, 128])
def test_neighbours_are_independent(lag: int) -> None:
    found = draws.uniform(0, 0, np.arange(N + lag))
    both = np.histogram2d(found[:-lag], found[lag:], 16, [(0, 1), (0, 1)])[0]
    assert flat(both) > LEAST


@pytest.mark.parametrize("axis", range(3))
def test_streams_seeds_and_epochs_are_independent(axis: int) -> None:
    """The numbers of two seeds, epochs or streams at the same places; also where two coordinates are swapped."""
    one, other = [5, 2, 8], [5, 2, 8]
    other[axis] += 1
    places = np.arange(N)
    for second in (other, one[::-1]):
        both = np.histogram2d(draws.uniform(*one, places), draws.uniform(*second, places), 16, [(0, 1), (0, 1)])[0]
        assert flat(both) > LEAST


def test_all_places_of_a_grid_differ() -> None:
    grid = draws.bits(*np.meshgrid(np.arange(40), np.arange(50), np.arange(60)))
    assert len(np.unique(grid)) == grid.size


def test_a_number_follows_from_its_place_alone() -> None:
    rows, places = np.arange(30)[:, None], np.arange(40)
    grid = draws.uniform(1, rows, places)
    assert grid.shape == (30, 40)
    assert grid[7, 9] == draws.uniform(1, 7, 9) == draws.uniform(1, np.array([7]), np.array(9))[0]
    assert (grid[5:8] == draws.uniform(1, rows[5:8], places)).all()
    assert draws.uniform(2**63 + 5, 2**40) == draws.uniform(np.uint64(2**63 + 5), np.int64(2**40))


@pytest.mark.parametrize("limit", [1, 3, 10, 1000])
def test_below(limit: int) -> None:
    found = draws.below(limit, 0, np.arange(N))
    assert found.dtype == np.int64
    assert set(found.tolist()) == set(range(limit))
    assert limit == 1 or flat(np.bincount(found)) > LEAST
    assert (draws.below(np.array([1, 5]), 0, 3) < [1, 5]).all()
