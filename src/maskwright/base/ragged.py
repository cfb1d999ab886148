"""One entry an example, each of its own size: an array of objects, which is indexed, joined and counted like any other.

Shapes: B examples, R rows of all of them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

COUNTS = ".counts"  #: behind the name of an array that is stored with the sizes of its entries


def objects(entries: Sequence[Any]) -> np.ndarray:
    """(B,) of what is given, whatever it is; numpy would make a matrix of arrays that happen to have one size."""
    out = np.empty(len(entries), object)
    for i, entry in enumerate(entries):
        out[i] = entry
    return out


def blocks(values: np.ndarray, counts: Iterable[int]) -> np.ndarray:
    """(R, ...) cut into (B,) arrays of `counts` rows each."""
    ends = np.cumsum(np.fromiter(counts, np.int64))
    return objects(np.split(values, ends[:-1]) if len(ends) else [])


def flat(entries: np.ndarray) -> np.ndarray:
    """The rows of all examples, (R, ...); an array that has one row an example is that already."""
    if entries.dtype != object:
        return entries
    return np.concatenate(list(entries)) if len(entries) else np.zeros(0)


def packed(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays as a file of tensors can hold them: ragged ones as their rows and their counts."""
    out = {}
    for name, array in arrays.items():
        out[name] = np.ascontiguousarray(flat(array))
        if array.dtype == object:
            out[name + COUNTS] = np.array([len(entry) for entry in array], np.int64)
    return out


def unpacked(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What was given to `packed`."""
    plain = {name: array for name, array in arrays.items() if not name.endswith(COUNTS)}
    return {
        name: blocks(array, arrays[name + COUNTS]) if name + COUNTS in arrays else array
        for name, array in plain.items()
    }
