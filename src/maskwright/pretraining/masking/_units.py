"""Maskings that cut a text into units and choose whole units."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from maskwright.pretraining.masking._masking import Draw, Masking, Pieces, Vocabulary

_ORDER, _LAST = 8, 9  # streams of random numbers


class UnitMasking(Masking):
    """Takes units in a random order while they fit into the budget. The one that does not fit is taken with the chance
    (what is left) / (its size), so that the chosen pieces are in expectation exactly the budget."""

    @abstractmethod
    def units(self, pieces: Pieces, vocabulary: Vocabulary, draw: Draw) -> np.ndarray:
        """(N,) int64 the unit of each piece; units are runs of pieces of one sequence and rise from 0 through the
        batch. -1: never chosen."""

    def choose(self, pieces: Pieces, vocabulary: Vocabulary, budget: np.ndarray, draw: Draw) -> np.ndarray:
        units = self.units(pieces, vocabulary, draw)
        taken = take(pieces, units, budget, draw)
        return np.where((units >= 0) & taken[units], units, -1) if len(taken) else np.full(len(units), -1)


def take(pieces: Pieces, units: np.ndarray, budget: np.ndarray, draw: Draw) -> np.ndarray:
    """(U,) bool: whether each unit is taken. units (N,) as `UnitMasking.units` gives them; budget (B,) float64."""
    inside = np.flatnonzero(units >= 0)
    sizes = np.bincount(units[inside])
    first = inside[np.searchsorted(units[inside], np.arange(len(sizes)))]
    rows = pieces.owner[first]
    order = np.lexsort((draw.of_pieces(pieces, _ORDER)[first], rows))
    sizes_there, rows_there = sizes[order], rows[order]
    ends = np.cumsum(sizes_there)
    before_row = np.concatenate([[0], ends])[np.searchsorted(rows_there, np.arange(len(pieces)))]
    left = budget[rows_there] - (ends - sizes_there - before_row[rows_there])  # of the budget, when a unit's turn comes
    chance = np.clip(left / sizes_there, 0.0, 1.0)
    taken = np.zeros(len(sizes), bool)
    taken[order] = draw.of_pieces(pieces, _LAST)[first[order]] < chance
    return taken
