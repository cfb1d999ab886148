"""How often a network finds the good sentence of a minimal pair likelier (BLiMP: Warstadt et al. 2020, section 4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from maskwright.base.errors import UserError
from maskwright.data.pairs import Pair
from maskwright.stats.intervals import Interval, mean_of_shares

if TYPE_CHECKING:
    from maskwright.tasks._likelihood import Likelihood, Method
    from maskwright.tasks._masked_lm import MaskedLM


@dataclass(frozen=True)
class Accuracy:
    """Of some pairs: how many, how many ties, which count half, and the share in which the good sentence won."""

    pairs: int
    ties: int
    accuracy: Interval

    def plain(self) -> dict[str, Any]:
        return {"pairs": self.pairs, "ties": self.ties, **self.accuracy.plain()}


@dataclass(frozen=True)
class Judged:
    """Accuracies of all pairs, and by field, by linguistics term and by paradigm.

    Of a paradigm it is the share of its pairs, with Wilson's interval. Of all else it is the mean of its paradigms'
    accuracies, each counting the same however many pairs it has, with the interval that theirs give together: pairs are
    taken as drawn within their paradigm, and the paradigms as those that there are (`stats.intervals.mean_of_shares`).
    """

    overall: Accuracy
    fields: Mapping[str, Accuracy]
    terms: Mapping[str, Accuracy]
    paradigms: Mapping[str, Accuracy]
    unknown: int  #: pieces of all sentences that stand for what the vocabulary cannot write

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        groups = {"fields": self.fields, "terms": self.terms, "paradigms": self.paradigms}
        return {
            "overall": self.overall.plain(),
            **{name: {key: each.plain() for key, each in group.items()} for name, group in groups.items()},
            "unknown": self.unknown,
        }


def judge(model: MaskedLM, pairs: Iterable[Pair], method: Method) -> Judged:
    """See `MaskedLM.judge`. Two sentences of the same pieces are a tie, and so are two that score the same."""
    taken: list[Pair] = []
    answers = model.stream(_sentences(pairs, taken), method)
    each = [(_win(good, bad), good.unknown + bad.unknown) for good, bad in zip(answers, answers, strict=True)]
    if not each:
        raise UserError("There are no pairs to judge; give at least one.")
    wins, unknown = np.array([win for win, _ in each]), sum(count for _, count in each)
    paradigms = _grouped([pair.paradigm for pair in taken])
    return Judged(
        _accuracy(wins, paradigms.values()),
        _by(wins, paradigms, {pair.paradigm: pair.field for pair in taken}),
        _by(wins, paradigms, {pair.paradigm: pair.term for pair in taken}),
        {name: _accuracy(wins, [rows]) for name, rows in paradigms.items()},
        unknown,
    )


def _sentences(pairs: Iterable[Pair], taken: list[Pair]) -> Iterator[tuple[str, str]]:
    """Both sentences of each pair with their place; a pair that was taken goes into `taken`."""
    for pair in pairs:
        taken.append(pair)
        yield f"{pair.where}: the good sentence", pair.good
        yield f"{pair.where}: the bad sentence", pair.bad


def _win(good: Likelihood, bad: Likelihood) -> float:
    """1, 0, or a half for a tie. The same pieces may differ in the last digit when they stood in two batches."""
    if good.log_prob == bad.log_prob or np.array_equal(good.ids, bad.ids):
        return 0.5
    return float(good.log_prob > bad.log_prob)


def _grouped(names: Sequence[str]) -> dict[str, np.ndarray]:
    """The rows of each name, in the order of their first."""
    found: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        found.setdefault(name, []).append(row)
    return {name: np.array(rows) for name, rows in found.items()}


def _by(
    wins: np.ndarray, paradigms: Mapping[str, np.ndarray], category: Mapping[str, str | None]
) -> dict[str, Accuracy]:
    """Paradigms by their category; those without one are in none."""
    names = sorted({name for name in category.values() if name is not None})
    return {name: _accuracy(wins, [rows for p, rows in paradigms.items() if category[p] == name]) for name in names}


def _accuracy(wins: np.ndarray, parts: Iterable[np.ndarray]) -> Accuracy:
    shares = [wins[rows] for rows in parts]
    ties = sum(int((share == 0.5).sum()) for share in shares)
    return Accuracy(sum(map(len, shares)), ties, mean_of_shares(shares))
