"""Exact match and F1 as SQuAD's program has them, on the cases that are easy to get wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.stats.answers import answers, exact, normal, overlap, threshold
from maskwright.stats.measures import values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("The Eiffel Tower!", "eiffel tower"),
        ("a  an the", ""),
        ("1,500", "1500"),
        ("U.S.A.", "usa"),
        ("well-known", "wellknown"),
        ("Another theme", "another theme"),
        ("dogs' an\tape", "dogs ape"),
        ("«quoted»", "«quoted»"),
    ],
)
def test_what_is_left_of_a_text(text: str, said: str) -> None:
    assert normal(text) == said


@pytest.mark.parametrize(
    ("said", "golds", "em", "f1"),
    [
        ("the cat", ["Cat."], 1, 1),
        ("black cat", ["cat", "a black cat sat"], 0, 4 / 5),
        ("", [], 1, 1),
        ("cat", [], 0, 0),
        ("", ["cat"], 0, 0),
        ("the", ["the"], 1, 1),
        ("cat cat", ["cat"], 0, 2 / 3),
        ("cat dog", ["dog cat"], 0, 1),
    ],
)
def test_hard_cases(said: str, golds: list[str], em: float, f1: float) -> None:
    assert exact(said, golds) == em
    assert overlap(said, golds) == pytest.approx(f1)


def theirs(f1: list[float], has: list[bool], doubts: list[float]) -> tuple[float, float]:
    """find_best_thresh of evaluate-v2.0, word for word in what it does: the best sum, and the threshold."""
    best = score = float(sum(not each for each in has))
    where = 0.0
    for i in sorted(range(len(f1)), key=lambda i: doubts[i]):
        score += f1[i] if has[i] else -1 if f1[i] == 0 else 0  # an empty answer to one without is right either way
        if score > best:
            best, where = score, doubts[i]
    return best, where


def realised(least: float, f1: list[float], has: list[bool], doubts: list[float]) -> float:
    """The sum of F1 where the answers of more doubt are withheld."""
    rows = zip(f1, has, doubts, strict=True)
    return sum(score if doubt <= least else float(not known) for score, known, doubt in rows)


DOUBT = st.one_of(st.floats(-5, 5), st.sampled_from([-1.0, 0.0, 2.0]))
#: F1, whether there is an answer, the doubt; where there is none F1 is that of giving none or of giving something
ROW = st.one_of(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.just(True), DOUBT),
    st.tuples(st.sampled_from([0.0, 1.0]), st.just(False), DOUBT),
)


@given(st.lists(ROW, max_size=12))
def test_no_threshold_is_better_and_no_smaller_one_as_good(rows: list[tuple[float, bool, float]]) -> None:
    f1, has, doubts = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    found = threshold(f1, has, doubts)
    best = realised(found, f1, has, doubts)
    assert best == max(realised(each, f1, has, doubts) for each in (-math.inf, *doubts))
    assert all(realised(each, f1, has, doubts) < best for each in doubts if each < found)
    assert math.isfinite(found)


@given(st.lists(ROW, max_size=12))
def test_it_gives_the_score_of_theirs(rows: list[tuple[float, bool, float]]) -> None:
    """The official program doubts in probabilities of no answer; of equal ones it may count on a cut between them."""
    f1, has, doubts = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    chances = [1 / (1 + math.exp(-doubt)) for doubt in doubts]
    best, where = theirs(f1, has, chances)
    ours, said = realised(threshold(f1, has, doubts), f1, has, doubts), realised(where, f1, has, chances)
    assert ours >= said
    if len(set(chances)) == len(chances):
        assert ours == said == best


def test_where_answering_never_pays_no_question_is_answered() -> None:
    f1, has, doubts = [0.0, 0.0], [False, False], [-2.0, -1.0]
    found = threshold(f1, has, doubts)
    assert found < -2
    assert realised(found, f1, has, doubts) == 2
    assert threshold([], [], []) == threshold([0.0], [True], [math.inf]) == 0
    assert threshold([1.0, 0.0], [True, True], [2.0, math.inf]) == 2


def test_questions_without_an_answer_are_told_apart() -> None:
    found = values(answers([["Paris"], [], [], ["in London"]], ["Paris", "", "x", "London"]), 4)
    assert found == pytest.approx(
        {"f1": (1 + 1 + 0 + 2 / 3) / 4, "exact_match": 0.5, "f1_answerable": (1 + 2 / 3) / 2, "no_answer": 0.5}
    )
    assert set(answers([["Paris"]], ["Paris"])) == {"f1", "exact_match"}


def test_a_question_that_counts_twice_counts_twice() -> None:
    measure = answers([["Paris"], ["y"]], ["Paris", "x"])["f1"]
    assert measure(np.array([[1.0, 1.0], [3.0, 1.0]])).tolist() == [0.5, 0.75]
