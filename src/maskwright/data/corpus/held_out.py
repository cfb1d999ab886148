"""Which documents are kept for judging: by a hash of their names, so that others that are added later move none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from maskwright.base.errors import UserError, nearest
from maskwright.data.corpus.blocks import hash64

HINTED = 10_000  #: documents among whose names one is looked for that is like a name nobody has


class EmptySide(UserError):
    """A share or a count of the documents that would leave one of the sides without any."""


def draw(places: np.ndarray, held_out: float) -> np.ndarray:
    """(K,) bool: the documents that are held out, by a share of all or a count.

    places (K,) uint64: a hash of each document's name and the seed; parts of one document have one place and go
    together. Of a share, those whose place is below that share of 2^64, so that a document's side does not depend on
    the others; where there is none, the one with the lowest place. Of a count, the lowest places.
    Raises EmptySide where one of the sides would be empty.
    """
    if not held_out:
        return np.zeros(len(places), bool)
    order = np.unique(places)
    if len(order) < 2:
        raise EmptySide(
            f"held_out = {held_out:g}, but there is one document only, and it cannot be on both sides. Give more, "
            "say what a document is (--documents blank-lines, or lines), or hold nothing out."
        )
    below = int(np.searchsorted(order, np.uint64(held_out * 2.0**64))) if held_out < 1 else int(held_out)
    chosen = max(below, 1)
    if chosen >= len(order):
        raise EmptySide(
            f"held_out = {held_out:g} takes all of the {len(order):,} documents, and nothing is left to train on. "
            "Hold out fewer."
        )
    return places <= order[chosen - 1]


def places(origins: Iterable[str], seed: int) -> np.ndarray:
    """(K,) uint64: where each document stands in an order that its name and the seed draw."""
    return np.fromiter((hash64(f"{seed}:{origin}") for origin in origins), np.uint64)


def named(documents: Iterable[tuple[str, str]], names: Sequence[str]) -> np.ndarray:
    """(K,) bool: the documents that `names` name. documents: the name of each, and of its file.

    A name is that of a document or a file, with or without its folders and suffixes. Raises UserError for a name that
    no document has, and where all documents are named.
    """
    wanted, met, known = set(names), set[str](), set[str]()
    taken = bytearray()
    for pair in documents:
        own = {spelling for name in pair for spelling in spellings(name)}
        met |= own & wanted
        if len(taken) < HINTED:
            known |= own
        taken.append(not wanted.isdisjoint(own))
    if absent := [name for name in names if name not in met]:
        close = nearest(absent[0], known)
        hint = f" Did you mean {close!r}?" if close else ""
        raise UserError(
            f"held_out_names: no document that stays in the corpus is called {absent[0]!r}.{hint} Names are those of "
            "files below the input folder, or, of rows, FILE#NUMBER."
        )
    out = np.frombuffer(taken, bool)
    if out.all():
        raise UserError("held_out_names takes all documents, and nothing is left to train on. Name fewer.")
    return out


def spellings(name: str) -> list[str]:
    """How a person may call a document: `a/b.txt.gz`, `b.txt.gz`, `b`."""
    base = name.rpartition("/")[2]
    return [name, base, base.partition(".")[0] or base]
