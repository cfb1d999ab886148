"""Tags of one text as a chain in which not every tag may follow every other.

Shapes: W words of a text, C tags. Of the chains that are allowed, each is as likely as the product of its tags'
probabilities, over the sum of these products: what a network says of words one by one, given that the tags fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from maskwright.data.tags import OUTSIDE, Scheme, Words, may_follow, parted

NEVER = -1e30  #: the score of what is not allowed
LEAST = 1e-300  #: a probability below it is taken for it: no chain is impossible because of rounding


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

    def best(self, scores: np.ndarray) -> np.ndarray:
        """(W,) the tags of the allowed chain with the highest sum of `scores` (W, C) (Viterbi 1967)."""
        path: np.ndarray = scores.argmax(-1)
        if self.allows(path):
            return path
        steps = np.where(self.follow, 0.0, NEVER)
        whole = scores.astype(np.float64)
        reached = whole[0] + np.where(self.begin, 0.0, NEVER)
        came: list[np.ndarray] = []
        for word in whole[1:]:
            ways = reached[:, None] + steps
            came.append(ways.argmax(0))
            reached = ways.max(0) + word
        tag = int((reached + np.where(self.end, 0.0, NEVER)).argmax())
        out = [tag]
        for back in reversed(came):
            tag = int(back[tag])
            out.append(tag)
        return np.array(out[::-1])

    def chances(self, p: np.ndarray, path: np.ndarray, found: Sequence[Words]) -> list[float]:
        """How likely each span of `path` (W,) is, over all allowed chains: that it stands exactly there. p: (W, C)
        probabilities of each word's tags. (Forward and backward sums, Rabiner 1989.)"""
        if not found:
            return []
        p = np.maximum(p.astype(np.float64), LEAST)
        ahead, scale = self._forward(p)
        back = self._backward(p, scale, ahead)
        return [self._chance(p, path, span, ahead, back, scale) for span in found]

    def _forward(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(W, C) chances of each tag given the words up to it, and (W,) what was divided by."""
        ahead, scale = np.empty_like(p), np.empty(len(p))
        before = self.begin * p[0]
        for i in range(len(p)):
            before = before if i == 0 else (before @ self.follow) * p[i]
            scale[i] = max(float(before.sum()), LEAST)
            before = ahead[i] = before / scale[i]
        return ahead, scale

    def _backward(self, p: np.ndarray, scale: np.ndarray, ahead: np.ndarray) -> np.ndarray:
        back = np.empty_like(p)
        back[-1] = self.end / max(float((ahead[-1] * self.end).sum()), LEAST)
        for i in range(len(p) - 2, -1, -1):
            back[i] = self.follow @ (p[i + 1] * back[i + 1]) / scale[i + 1]
        return back

    def _chance(
        self, p: np.ndarray, path: np.ndarray, span: Words, ahead: np.ndarray, back: np.ndarray, scale: np.ndarray
    ) -> float:
        """Over all tags that the span may begin with: in IOB1 it depends on what stands before it."""
        first, last = span.first, span.last - 1
        if first:
            chances = (ahead[first - 1] @ (self.follow & ~self.on)) * p[first] / scale[first]
        else:
            chances = self.begin * p[0] / scale[0]
        chances = np.where(self.labels == self.labels[path[first]], chances, 0.0)
        for i in range(first + 1, last + 1):
            step = (chances * (self.follow & self.on)[:, path[i]]).sum() * p[i, path[i]] / scale[i]
            chances = np.zeros_like(chances)
            chances[path[i]] = step
        if last + 1 < len(p):
            closes = (self.follow & ~self.on) @ (p[last + 1] * back[last + 1]) / scale[last + 1]
        else:
            closes = back[last]
        return min(1.0, float((chances * closes).sum()))


def _goes_on(one: str, other: str) -> bool:
    (mark, label), (then, next_label) = parted(one), parted(other)
    return mark not in (OUTSIDE, "E", "S", "L", "U") and then in ("I", "E", "L") and label == next_label
