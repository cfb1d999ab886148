"""How the rows of a step are dealt to processes: a function of the rows and of how many processes there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskwright.training.objective import Feed


@dataclass(frozen=True)
class Piece:
    """Rows that go through the network at once. counts: False where they are another process's, and are computed only
    because all processes must compute equally often; their loss is multiplied by 0, and nothing of them is counted."""

    rows: np.ndarray
    counts: bool = True


def deal(feed: Feed, rows: np.ndarray, rank: int = 0, size: int = 1) -> list[Piece]:
    """The pieces of process `rank` of `size`, as many as every other process has.

    One process has the feed's own pieces. For several, the rows are taken in the order of the feed's pieces, which is
    by length where the feed sorts, and dealt from the last to the first: 0, 1, .., size - 1, size - 1, .., 1, 0, 0, ..
    So each gets the same number of rows but one, and of tokens the same but for a longest row. Each process's share is
    cut by the feed anew. Who has fewer pieces than another cuts the largest of them in two, and with no row left to
    cut repeats one that does not count.
    """
    if size == 1:
        return [Piece(some) for some in feed.pieces(rows)]
    ordered = np.concatenate(feed.pieces(rows))
    owner = _owners(len(ordered), size)
    shares = [ordered[owner == one] for one in range(size)]
    cut = [feed.pieces(share) if len(share) else [] for share in shares]
    return _filled(cut[rank], max(map(len, cut)), ordered[:1])


def _owners(count: int, size: int) -> np.ndarray:
    """(count,) the process of each row."""
    turn, place = np.divmod(np.arange(count)[::-1], size)
    return np.where(turn % 2 == 0, place, size - 1 - place)


def _filled(pieces: list[np.ndarray], wanted: int, blank: np.ndarray) -> list[Piece]:
    found = list(pieces)
    while len(found) < wanted and any(len(some) > 1 for some in found):
        largest = max(range(len(found)), key=lambda i: len(found[i]))
        found[largest : largest + 1] = np.array_split(found[largest], 2)
    return [Piece(some) for some in found] + [Piece(blank, counts=False)] * (wanted - len(found))
