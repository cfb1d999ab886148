"""The baselines: what they predict, how they choose, and what they refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.errors import UserError
from maskwright.evaluation.baselines import STRENGTHS, baselines

TEXTS = [f"{word} {filler}" for word in ("sun", "rain", "snow") for filler in ("today", "again", "at noon", "all day")]
LABELS = [label for label in ("warm", "wet", "cold") for _ in range(4)]


def test_words_are_learnt_and_judged() -> None:
    majority, tfidf = baselines(TEXTS, LABELS, ["sun tomorrow", "rain tomorrow", "snow tomorrow"])
    assert tfidf.predictions == ["warm", "wet", "cold"]
    assert tfidf.metrics(["warm", "wet", "wet"]) == pytest.approx({"accuracy": 2 / 3, "f1_macro": (1 + 2 / 3 + 0) / 3})
    assert majority.predictions == ["cold"] * 3  # all are as common: the first by name
    assert majority.metrics(["cold", "wet", "warm"])["accuracy"] == pytest.approx(1 / 3)


@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=20).filter(lambda labels: len(set(labels)) > 1))
def test_the_majority_is_the_commonest_class(labels: list[str]) -> None:
    (said,) = set(baselines([f"word{label}" for label in labels], labels, ["x", "y"])[0].predictions)
    assert labels.count(said) == max(map(labels.count, labels))


def test_the_order_of_words_counts() -> None:
    """Bigrams: the same words in another order are told apart."""
    texts, labels = ["dog bites man", "man bites dog"] * 5, ["news", "no news"][::-1] * 5
    tfidf = baselines(texts, labels, texts[:2])[1]
    assert tfidf.predictions == labels[:2]


def test_signs_alone_are_enough() -> None:
    tfidf = baselines(["!", "?"] * 5, ["shout", "ask"] * 5, ["?", "!"])[1]
    assert tfidf.predictions == ["ask", "shout"]


def test_both_texts_of_a_pair_are_read() -> None:
    pairs = [("same", word) for word in ("yes", "no")] * 5
    tfidf = baselines(pairs, ["y", "n"] * 5, [("same", "no"), ("same", "yes")])[1]
    assert tfidf.predictions == ["n", "y"]


def test_the_eval_rows_choose_the_strength() -> None:
    """On noisy labels a strong pull towards few words wins on held-out rows that follow the one true word."""
    texts = [*(f"good filler{i}" for i in range(30)), *(f"bad filler{i}" for i in range(30))]
    labels = ["+"] * 30 + ["-"] * 30
    first = baselines(texts, labels, ["good"], eval_texts=["good", "bad"], eval_labels=["+", "-"])[1]
    assert first.settings["C"] == STRENGTHS[0], "of equals, the strongest"
    # Ten of eleven rows with "good" say "+"; the one that says "-" has a word of its own, which eval rows ask for.
    texts = ["good"] * 10 + ["good odd", "bad"]
    labels = ["+"] * 10 + ["-", "-"]
    later = baselines(texts, labels, ["good"], eval_texts=["good odd"] * 3, eval_labels=["-"] * 3)[1]
    assert later.settings["C"] > STRENGTHS[0]
    assert baselines(texts, labels, ["good"])[1].settings["C"] == STRENGTHS[0], "without eval rows nothing is chosen"


def test_no_texts_no_predictions() -> None:
    assert [b.predictions for b in baselines(TEXTS, LABELS, [])] == [[], []]


def test_what_cannot_be_learnt_is_said() -> None:
    with pytest.raises(UserError, match=r"at least two classes; the labels of the training rows are all 'a'"):
        baselines(["x", "y"], ["a", "a"], ["z"])
    with pytest.raises(UserError, match=r"the labels of the training rows are none"):
        baselines([], [], ["z"])
    with pytest.raises(UserError, match=r"There are 2 training texts and 1 labels"):
        baselines(["x", "y"], ["a"], ["z"])
    with pytest.raises(UserError, match=r"training texts are all empty; check which column holds the text"):
        baselines([" ", ("", "\n")], ["a", "b"], ["z"])
