"""A person's mistake, said so that the person can mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """What was given, what is allowed, what to do. The command line prints it in one paragraph and exits with 2."""


def nearest(given: str, allowed: Iterable[str]) -> str | None:
    """The allowed name that is closest in spelling to `given`, or None when nothing is close."""
    by_lower: dict[str, str] = {}
    for name in allowed:
        by_lower.setdefault(name.lower(), name)
    found = difflib.get_close_matches(given.lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[found[0]] if found else None


def unknown(kind: str, given: str, allowed: Iterable[str], meant: str | None = None) -> str:
    """One sentence for a name that does not exist: the nearest one first (or the one `meant`), then all of them."""
    names = sorted(allowed)
    close = meant or nearest(given, names)
    hint = f" Did you mean {close!r}?" if close else ""
    listed = ", ".join(names) if names else "none"
    return f"There is no {kind} {given!r}.{hint} Allowed: {listed}."
