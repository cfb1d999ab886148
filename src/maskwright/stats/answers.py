"""Exact match and F1 of answers in words, and the threshold of having none, with SQuAD's semantics (Rajpurkar et al.
2016, 2018), those of the program evaluate-v2.0.

SQuAD 1.1 is judged so too. Its own program differs where an answer is nothing but articles and punctuation: there two
such answers share no word, and such a true answer counts beside others.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np

from maskwright.stats.measures import Floats, Measure, ratio, share

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_SIGNS = str.maketrans("", "", string.punctuation)


def normal(text: str) -> str:
    """Lower case, without punctuation, articles and extra white space, in this order."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_SIGNS)).split())


def exact(said: str, golds: Sequence[str]) -> float:
    """1 where the answer is one of the true ones, normalised; no true one stands for the empty answer."""
    return max(float(normal(said) == normal(gold)) for gold in _golds(golds))


def overlap(said: str, golds: Sequence[str]) -> float:
    """F1 of the words of the answer and of the true one that it is nearest to; of an empty side 1 where both are."""
    return max(_f1(normal(said).split(), normal(gold).split()) for gold in _golds(golds))


def _golds(golds: Sequence[str]) -> Sequence[str]:
    """The true answers that are more than articles and punctuation; where there are none the empty one."""
    return [gold for gold in golds if normal(gold)] or [""]


def _f1(one: list[str], two: list[str]) -> float:
    if not one or not two:
        return float(one == two)
    same = sum((Counter(one) & Counter(two)).values())
    return 2 * same / (len(one) + len(two))


def threshold(f1: Sequence[float], answerable: Sequence[bool], doubts: Sequence[float]) -> float:
    """The doubt up to which an answer is to be given, so that the mean F1 is highest on these questions; the smallest
    of equals, and below all doubts where it is best to give none to any. f1: of each question's best answer, whether
    the question has one or not; doubts: how much likelier no answer is, in nats, infinite where there is none to give.

    (find_best_thresh of the official program. Its doubts are probabilities, so that its 0 is below all of them. Of
    questions that it doubts alike it would answer some; here they are answered together, as a threshold does.)
    """
    places = np.asarray(doubts, np.float64)
    order = np.argsort(places, kind="stable")[: int(np.isfinite(places).sum())]
    if not len(order):
        return 0.0
    places = places[order]
    gains = (np.asarray(f1, np.float64) - ~np.asarray(answerable, bool))[order]  # from what giving none has
    last = np.append(places[1:] > places[:-1], True)  # of those that are doubted alike
    sums = np.where(last, np.cumsum(gains), -np.inf)
    best = int(sums.argmax())
    return float(places[best] if sums[best] > 0 else np.nextafter(places[0], -np.inf))


def answers(golds: Sequence[Sequence[str]], said: Sequence[str]) -> dict[str, Measure]:
    """f1 and exact_match over all questions; where some have no answer also f1_answerable, of those that have one, and
    no_answer, the share of the others for which none was given."""
    f1 = np.array([overlap(one, true) for one, true in zip(said, golds, strict=True)])
    right = np.array([exact(one, true) for one, true in zip(said, golds, strict=True)])
    has = np.array([bool(true) for true in golds])
    found = {"f1": share(f1), "exact_match": share(right)}
    if has.all() or not len(has):
        return found
    return {**found, "f1_answerable": _among(f1, has), "no_answer": _among(right, ~has)}


def _among(values: Floats, some: np.ndarray) -> Measure:
    return ratio(values * some, 1.0 * some)
