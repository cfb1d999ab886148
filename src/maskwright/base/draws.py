"""Random numbers by their place: the number for a place does not depend on what was drawn before.

A mask drawn so is the same whatever batch, process or attempt it is drawn in. So a resumed run needs no state of it, a
step in pieces masks what the step in one masks, and two processes need not speak to each other.

The numbers are SplitMix64's output function (Steele, Lea and Flood 2014, figure 12) of a running mix of the key and the
coordinates of the place.
"""

from __future__ import annotations

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ONE, _TWO = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)

Place = int | np.ndarray  #: one coordinate of places: a whole number, or an array of them


def bits(*places: Place) -> np.ndarray:
    """uint64 of the shape that the coordinates have together; each bit is 0 or 1 with equal chance."""
    found = np.zeros((), np.uint64)
    with np.errstate(over="ignore"):  # products are meant modulo 2^64
        for place in places:
            found = _mix(found + _GOLDEN ^ _mix(np.asarray(place).astype(np.uint64) + _GOLDEN))
    return found


def uniform(*places: Place) -> np.ndarray:
    """float64 in [0, 1), of the shape that the coordinates have together."""
    out: np.ndarray = (bits(*places) >> np.uint64(11)) * 2.0**-53
    return out


def below(limit: Place, *places: Place) -> np.ndarray:
    """int64 in [0, limit), each as likely as the others to within limit / 2^53."""
    return (uniform(*places) * limit).astype(np.int64)


def _mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> _SHIFTS[0])) * _ONE
    x = (x ^ (x >> _SHIFTS[1])) * _TWO
    return x ^ (x >> _SHIFTS[2])
