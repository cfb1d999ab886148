"""What labels say before anything is trained: how many rows each class has, or how scores are spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from maskwright.base.words import counted
from maskwright.data._finding import Finding, Side, percent

FEW = 10  #: training rows: a class with fewer is hardly learnt
MOST = 0.95  #: of the rows: a class with a larger share makes accuracy say little
FENCE = 3.0  #: interquartile ranges beyond the quartiles: Tukey (1977) calls what lies there far out
_SAID = 5  # classes that a sentence names

Kind = Literal["classes", "scores", "marks"]


def kind(side: Side) -> Kind | None:
    """What the targets of a side are: (B,) classes, (B,) scores, (B, C) marks for rows with several classes, or none
    of these, such as one for each word."""
    targets = side.targets
    if not isinstance(targets, np.ndarray) or targets.dtype.kind not in "biuf" or targets.ndim not in (1, 2):
        return None
    if not len(targets) or len(targets) != len(side) or not np.isfinite(targets).all():
        return None
    if targets.ndim == 2:
        return "marks"
    if targets.dtype.kind == "f":
        return "scores"
    return "classes" if targets.min() >= 0 else None


def said(side: Side, row: int, names: Sequence[str]) -> str:
    """The label of a row in words."""
    targets = np.asarray(side.targets)
    if targets.ndim == 2:
        return ", ".join(repr(_name(int(c), names)) for c in np.flatnonzero(targets[row])) or "no label"
    return f"{targets[row]:g}" if targets.dtype.kind == "f" else repr(_name(int(targets[row]), names))


def labels(sides: Sequence[Side], names: Sequence[str] = ()) -> list[Finding]:
    """Class balance, rare and absent classes; or the range of scores, and those far from the others."""
    known = [side for side in sides if kind(side)]
    scored = [side for side in known if kind(side) == "scores"]
    classed = [side for side in known if kind(side) != "scores"]
    return _scores(scored) + _classes(classed, names)


def _classes(sides: Sequence[Side], names: Sequence[str]) -> list[Finding]:
    if not sides:
        return []
    size = max(len(names), *(_size(np.asarray(side.targets)) for side in sides))
    counts = {side.name: _counts(np.asarray(side.targets), size) for side in sides}
    out = []
    for side in sides:
        out += _balance(side, counts[side.name], names)
    train = next((side for side in sides if side.is_for_training), None)
    if train is None:
        return out
    learnt = counts[train.name]
    rare = np.flatnonzero(learnt < FEW)
    if len(rare):
        verb = "has" if len(rare) == 1 else "have"
        sentence = (
            f"{counted(len(rare), 'class')} {verb} fewer than {FEW} training rows: {_listed(rare, learnt, names)}."
        )
        values = {"classes": {_name(int(c), names): int(learnt[c]) for c in rare}, "fewer_than": FEW}
        out.append(Finding("rare classes", "warning", sentence, len(rare), values=values))
    for side in sides:
        absent = np.flatnonzero((learnt > 0) & (counts[side.name] == 0))
        if len(absent):
            verb = "has" if len(absent) == 1 else "have"
            sentence = (
                f"{counted(len(absent), 'class')} {verb} training rows but no {side.name} row, so figures do not tell "
                f"how well they are learnt: {_listed(absent, learnt, names)}."
            )
            values = {"split": side.name, "classes": [_name(int(c), names) for c in absent]}
            out.append(Finding("absent classes", "warning", sentence, len(absent), values=values))
    return out


def _balance(side: Side, counts: np.ndarray, names: Sequence[str]) -> list[Finding]:
    """The counts of a split, and a warning when nearly all rows are of one class."""
    rows, most = len(side), int(counts.argmax())
    several = kind(side) == "marks"
    values: dict[str, Any] = {
        "split": side.name,
        "rows": rows,
        "classes": {_name(c, names): int(n) for c, n in enumerate(counts)},
    }
    if len(counts) <= _SAID:
        spread = ", ".join(f"{_name(c, names)!r} {percent(int(n), rows)}" for c, n in enumerate(counts))
    else:
        least = int(counts.argmin())
        spread = (
            f"{len(counts)} classes, from {int(counts[least]):,} ({_name(least, names)!r}) to {int(counts[most]):,} "
            f"({_name(most, names)!r})"
        )
    if several:
        values["without_label"] = bare = int((np.asarray(side.targets) == 0).all(axis=1).sum())
        spread += f"; {counted(bare, 'row')} without any label"
    out = [Finding("classes", "fact", f"{counted(rows, f'{side.name} row')}: {spread}.", rows, values=values)]
    if not several and len(counts) > 1 and counts[most] > MOST * rows:
        sentence = (
            f"{percent(int(counts[most]), rows)} of the {side.name} rows are {_name(most, names)!r}: always to answer "
            "that is as accurate, so look at f1_macro."
        )
        values = {"split": side.name, "class": _name(most, names), "rows": rows}
        out.append(Finding("one class", "warning", sentence, int(counts[most]), values=values))
    return out


def _scores(sides: Sequence[Side]) -> list[Finding]:
    out = []
    train = next((side for side in sides if side.is_for_training), None)
    for side in sides:
        scores = np.asarray(side.targets, dtype=np.float64)
        low, first, middle, third, high = np.quantile(scores, [0, 0.25, 0.5, 0.75, 1]).tolist()
        values = {
            "split": side.name, "rows": len(side), "least": low, "first_quartile": first, "median": middle,
            "third_quartile": third, "greatest": high, "mean": float(scores.mean()), "deviation": float(scores.std()),
        }  # fmt: skip
        if low == high:
            problem = "there is nothing to learn" if side is train else "no correlation is defined there"
            sentence = f"All {counted(len(side), f'{side.name} row')} have the score {low:g}: {problem}."
            out.append(Finding("one score", "error", sentence, len(side), values=values))
            continue
        sentence = f"{counted(len(side), f'{side.name} score')} from {low:g} to {high:g}, half of them from {first:g} "
        sentence += f"to {third:g} (median {middle:g})."
        out.append(Finding("scores", "fact", sentence, len(side), values=values))
        fence = FENCE * (third - first)
        far = np.flatnonzero((scores < first - fence) | (scores > third + fence))
        if fence > 0 and len(far):
            far = far[np.argsort(-np.abs(scores[far] - middle), kind="stable")]
            where = tuple(f"{side.where(int(row))}: {scores[row]:g}" for row in far[:_SAID])
            verb = "lies" if len(far) == 1 else "lie"
            sentence = (
                f"{counted(len(far), f'{side.name} score')} {verb} far out, more than {FENCE:g} interquartile ranges "
                "beyond the quartiles."
            )
            out.append(Finding("far scores", "warning", sentence, len(far), where, side.listed(far)))
    return out + [found for side in sides if train and side is not train for found in _beyond(side, train)]


def _beyond(side: Side, train: Side) -> list[Finding]:
    """Scores that no training row comes near to: a regression hardly answers them."""
    scores, learnt = np.asarray(side.targets, dtype=np.float64), np.asarray(train.targets, dtype=np.float64)
    low, high = float(learnt.min()), float(learnt.max())
    rows = np.flatnonzero((scores < low) | (scores > high))
    if not len(rows):
        return []
    verb = "lies" if len(rows) == 1 else "lie"
    sentence = (
        f"{counted(len(rows), f'{side.name} score')} {verb} outside of the training scores, which go from {low:g} to "
        f"{high:g}."
    )
    where = tuple(f"{side.where(int(row))}: {scores[row]:g}" for row in rows[:_SAID])
    return [Finding("scores beyond", "warning", sentence, len(rows), where, side.listed(rows))]


def _size(targets: np.ndarray) -> int:
    return targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1


def _counts(targets: np.ndarray, size: int) -> np.ndarray:
    """(C,) rows of each class."""
    return (targets != 0).sum(axis=0) if targets.ndim == 2 else np.bincount(targets, minlength=size)


def _name(index: int, names: Sequence[str]) -> str:
    return names[index] if index < len(names) else str(index)


def _listed(classes: np.ndarray, counts: np.ndarray, names: Sequence[str]) -> str:
    told = ", ".join(f"{_name(int(c), names)!r} ({int(counts[c]):,})" for c in classes[:_SAID])
    return told if len(classes) <= _SAID else f"{told} and {len(classes) - _SAID} more"
