"""Tags of one text as a chain in which not every tag may follow every other.

Shapes: W words of a text, C tags. Of the chains that are allowed, each is as likely as the product of its tags'
probabilities and of its moves, over the sum of these products. Where moves were not learnt they are 1: what a network
says of words one by one, given that the tags fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np

from maskwright.data.tags import OUTSIDE, Scheme, Words, may_follow, parted

NEVER = -1e30  #: the score of what is not allowed
LEAST = 1e-300  #: a probability below it is taken for it: no chain is impossible because of rounding


class Learnt(NamedTuple):
    """Scores of moves (nn.transitions.Moves): between tags (C, C), to the first one and from the last one (C,)."""

    follow: np.ndarray
    begin: np.ndarray
    end: np.ndarray

    def over(self, temperature: float) -> Learnt:
        return Learnt(*(part / temperature for part in self))


class Said(NamedTuple):
    """Of one text the words' scores (W, C), and the moves where such were learnt."""

    scores: np.ndarray
    learnt: Learnt | None = None

    @classmethod
    def of(cls, one: np.ndarray, words: int) -> Said:
        """From the rows of a text (W + C + 2, C), as `nn.transitions.Transitions` puts them behind each other; systems
        that learn no moves, such as baselines, have none behind their scores."""
        if len(one) == words:
            return cls(one)
        follow, (begin, end) = one[words:-2], one[-2:]
        return cls(one[:words], Learnt(follow, begin, end))


@dataclass(frozen=True, eq=False)
class Chain:
    """C tags: which may begin a text (C,), follow each other (C, C; row before column), and end one (C,); and which
    goes on with the span of the one before it (C, C)."""

    tags: tuple[str, ...]
    begin: np.ndarray
    follow: np.ndarray
    end: np.ndarray
    on: np.ndarray
    labels: np.ndarray  #: (C,) of each tag

    @classmethod
    def of(cls, tags: Sequence[str], scheme: Scheme) -> Self:
        follow = np.array([[may_follow(one, other, scheme) for other in tags] for one in tags])
        begin = np.array([may_follow(OUTSIDE, tag, scheme) for tag in tags])
        end = np.array([may_follow(tag, OUTSIDE, scheme) for tag in tags])
        on = np.array([[_goes_on(one, other) for other in tags] for one in tags])
        return cls(tuple(tags), begin, follow, end, on, np.array([parted(tag)[1] for tag in tags]))

    def allows(self, path: np.ndarray) -> bool:
        """Whether these tags (W,) fit each other."""
        if not len(path):
            return True
        inside = self.follow[path[:-1], path[1:]].all()
        return bool(inside and self.begin[path[0]] and self.end[path[-1]])

    @classmethod
    def free(cls, tags: Sequence[str]) -> Self:
        """Any tag may follow any other."""
        every, count = np.ones((len(tags), len(tags)), bool), len(tags)
        return cls(tuple(tags), np.ones(count, bool), every, np.ones(count, bool), ~every, np.array(list(tags)))

    def best(self, scores: np.ndarray, learnt: Learnt | None = None) -> np.ndarray:
        """(W,) the tags of the allowed chain with the highest sum of `scores` (W, C), and of its moves (Viterbi
        1967)."""
        path: np.ndarray = scores.argmax(-1)
        if learnt is None and self.allows(path):
            return path
        count = len(self.tags)
        learnt = learnt or Learnt(np.zeros((count, count)), np.zeros(count), np.zeros(count))
        steps = np.where(self.follow, learnt.follow, NEVER)
        whole = scores.astype(np.float64)
        reached = whole[0] + np.where(self.begin, learnt.begin, NEVER)
        came: list[np.ndarray] = []
        for word in whole[1:]:
            ways = reached[:, None] + steps
            came.append(ways.argmax(0))
            reached = ways.max(0) + word
        tag = int((reached + np.where(self.end, learnt.end, NEVER)).argmax())
        out = [tag]
        for back in reversed(came):
            tag = int(back[tag])
            out.append(tag)
        return np.array(out[::-1])

    def chances(
        self, p: np.ndarray, path: np.ndarray, found: Sequence[Words], learnt: Learnt | None = None
    ) -> list[float]:
        """How likely each span of `path` (W,) is, over all allowed chains: that it stands exactly there. p: (W, C)
        probabilities of each word's tags."""
        if not found:
            return []
        sums = _Sums(self, np.maximum(p.astype(np.float64), LEAST), learnt)
        return [sums.chance(path, span) for span in found]

    def shares(self, p: np.ndarray, learnt: Learnt | None = None) -> np.ndarray:
        """(W, C) how likely each tag of each word is, over all allowed chains."""
        sums = _Sums(self, np.maximum(p.astype(np.float64), LEAST), learnt)
        return sums.ahead * sums.back


class _Sums:
    """Forward and backward sums over the allowed chains of one text (Rabiner 1989)."""

    def __init__(self, chain: Chain, p: np.ndarray, learnt: Learnt | None) -> None:
        """p: (W, C) above 0."""
        self.chain, self.p = chain, p
        begin, follow, end = (np.ones(1),) * 3 if learnt is None else _weights(learnt)
        self.begin, self.follow, self.end = chain.begin * begin, chain.follow * follow, chain.end * end
        self.ahead, self.scale = self._forward()
        self.back = self._backward()

    def _forward(self) -> tuple[np.ndarray, np.ndarray]:
        """(W, C) chances of each tag given the words up to it, and (W,) what was divided by."""
        ahead, scale = np.empty_like(self.p), np.empty(len(self.p))
        before = self.begin * self.p[0]
        for i in range(len(self.p)):
            before = before if i == 0 else (before @ self.follow) * self.p[i]
            scale[i] = max(float(before.sum()), LEAST)
            before = ahead[i] = before / scale[i]
        return ahead, scale

    def _backward(self) -> np.ndarray:
        back = np.empty_like(self.p)
        back[-1] = self.end / max(float((self.ahead[-1] * self.end).sum()), LEAST)
        for i in range(len(self.p) - 2, -1, -1):
            back[i] = self.follow @ (self.p[i + 1] * back[i + 1]) / self.scale[i + 1]
        return back

    def chance(self, path: np.ndarray, span: Words) -> float:
        """Over all tags that the span may begin with: in IOB1 it depends on what stands before it."""
        first, last, labels = span.first, span.last - 1, self.chain.labels
        on, off = self.follow * self.chain.on, self.follow * ~self.chain.on
        if first:
            chances = (self.ahead[first - 1] @ off) * self.p[first] / self.scale[first]
        else:
            chances = self.begin * self.p[0] / self.scale[0]
        chances = np.where(labels == labels[path[first]], chances, 0.0)
        for i in range(first + 1, last + 1):
            step = (chances * on[:, path[i]]).sum() * self.p[i, path[i]] / self.scale[i]
            chances = np.zeros_like(chances)
            chances[path[i]] = step
        if last + 1 < len(self.p):
            closes = off @ (self.p[last + 1] * self.back[last + 1]) / self.scale[last + 1]
        else:
            closes = self.back[last]
        return min(1.0, float((chances * closes).sum()))


def _weights(learnt: Learnt) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """begin, follow and end as factors; each is divided by its largest, which no chance depends on."""
    return tuple(np.exp(part - part.max(initial=NEVER)) for part in (learnt.begin, learnt.follow, learnt.end))  # type: ignore[return-value]


def _goes_on(one: str, other: str) -> bool:
    (mark, label), (then, next_label) = parted(one), parted(other)
    return mark not in (OUTSIDE, "E", "S", "L", "U") and then in ("I", "E", "L") and label == next_label


@lru_cache(maxsize=8)
def unbound(names: tuple[str, ...]) -> Chain:
    """`Chain.free`, made once."""
    return Chain.free(names)


@lru_cache(maxsize=8)
def fitting(names: tuple[str, ...], scheme: Scheme) -> Chain:
    """`Chain.of`, made once."""
    return Chain.of(names, scheme)
