"""The best chain of tags, and how likely a span is, against all chains counted one by one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.data.tags import SCHEMES, names, spans, tagged
from maskwright.tasks._chain import Chain, Learnt, Said


def softmax(scores: np.ndarray) -> np.ndarray:
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


@given(st.sampled_from(SCHEMES), st.integers(1, 4), st.integers(0, 9999), st.booleans())
def test_against_all_chains(scheme: str, words: int, seed: int, moves: bool) -> None:
    """With moves that were learnt, and without."""
    tags = names(["p", "l"] if scheme in ("IOB1", "IOB2") else ["p"], scheme)
    chain = Chain.of(tags, scheme)
    random, count = np.random.default_rng(seed), len(tags)
    scores = random.normal(size=(words, count)) * 3
    learnt = None
    if moves:
        learnt = Learnt(random.normal(size=(count, count)), random.normal(size=count), random.normal(size=count))

    def of(path: np.ndarray) -> float:
        found = float(scores[np.arange(words), path].sum())
        if learnt is None:
            return found
        return found + float(learnt.follow[path[:-1], path[1:]].sum() + learnt.begin[path[0]] + learnt.end[path[-1]])

    every = [np.array(path) for path in product(range(len(tags)), repeat=words)]
    allowed = [path for path in every if spans([tags[i] for i in path], scheme) == spans([tags[i] for i in path])]
    allowed = [path for path in allowed if _orderly([tags[i] for i in path], scheme)]
    assert {tuple(path) for path in allowed} == {tuple(path) for path in every if chain.allows(path)}
    sums = np.array([of(path) for path in allowed])
    best = chain.best(scores, learnt)
    assert of(best) == pytest.approx(sums.max())
    found = spans([tags[i] for i in best])
    weights = np.exp(sums - sums.max())
    for span, chance in zip(found, chain.chances(softmax(scores), best, found, learnt), strict=True):
        there = [span in spans([tags[i] for i in path]) for path in allowed]
        assert chance == pytest.approx(float(weights[there].sum() / weights.sum()), rel=1e-9)
    shares = chain.shares(softmax(scores), learnt)
    by_hand = np.zeros_like(scores)
    for path, weight in zip(allowed, weights / weights.sum(), strict=True):
        by_hand[np.arange(words), path] += weight
    np.testing.assert_allclose(shares, by_hand, atol=1e-9)


def test_what_is_kept_of_a_chain() -> None:
    """The moves stand behind the words' scores; systems that learn none have none."""
    random = np.random.default_rng(0)
    scores, moves = random.normal(size=(4, 3)), random.normal(size=(5, 3))
    said = Said.of(np.concatenate([scores, moves]), 4)
    assert said.learnt is not None
    np.testing.assert_array_equal(said.scores, scores)
    for one, other in zip(said.learnt, (moves[:3], moves[3], moves[4]), strict=True):
        np.testing.assert_array_equal(one, other)
    assert Said.of(scores, 4).learnt is None
    assert Said.of(moves, 0).scores.shape == (0, 3)


def _orderly(path: list[str], scheme: str) -> bool:
    """Whether the spans of these tags, written anew, give the same tags: nothing in them breaks the scheme."""
    return tagged(spans(path), len(path), scheme) == path


def test_what_fits_is_left_as_it_is() -> None:
    chain = Chain.of(names(["p"], "IOB2"), "IOB2")
    scores = np.eye(3)[[0, 1, 2, 0]] * 9
    assert chain.best(scores).tolist() == [0, 1, 2, 0]
    assert chain.chances(softmax(scores), chain.best(scores), []) == []


def test_certain_tags_that_do_not_fit_are_still_decoded() -> None:
    chain = Chain.of(names(["p"], "IOB2"), "IOB2")
    p = np.zeros((2, 3))
    p[:, 2] = 1
    path = chain.best(np.log(p + 1e-12))
    assert path.tolist() == [1, 2]
    (chance,) = chain.chances(p, path, spans(["B-p", "I-p"]))
    assert 0 <= chance <= 1
