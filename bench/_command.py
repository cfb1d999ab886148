"""The command line of a measurement: what may be named, and how it ends where it cannot start or a side fails."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from bench._child import ArmFailed
from bench._measure import Stop


def parser(measurement: str, about: str | None, names: Iterable[str]) -> argparse.ArgumentParser:
    """`[--seeds N] [NAME ...]`, all names where none is given. about: a docstring, whose first line is told."""
    made = argparse.ArgumentParser(prog=f"python -m bench.{measurement}", description=(about or "").partition("\n")[0])
    made.add_argument("names", nargs="*", choices=[*names, []], default=[])
    made.add_argument("--seeds", type=int, default=3)
    return made


@contextmanager
def leaving() -> Iterator[None]:
    """Leaves with 2 where a measurement cannot start, and with 1 where a side failed; each is said in a sentence."""
    try:
        yield
    except Stop as reason:
        print(f"error: {reason}", file=sys.stderr)
        raise SystemExit(2) from None
    except ArmFailed as reason:
        print(f"error: a side failed: {reason}", file=sys.stderr)
        raise SystemExit(1) from None
