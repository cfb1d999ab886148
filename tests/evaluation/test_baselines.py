"""The baselines: what they predict, how they choose, and what they refuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.choice import names, resolve
from maskwright.base.errors import UserError
from maskwright.data.labels import Labels
from maskwright.evaluation.baselines import KINDS, STRENGTHS, Baseline, baselines
from maskwright.tasks import Examples, Task
from maskwright.tasks.classification import Classification
from maskwright.tasks.multi_label import MultiLabel
from maskwright.tasks.regression import Regression

Text = str | tuple[str, str]

TEXTS = [f"{word} {filler}" for word in ("sun", "rain", "snow") for filler in ("today", "again", "at noon", "all day")]
LABELS = [label for label in ("warm", "wet", "cold") for _ in range(4)]


def examples(texts: Sequence[Text], targets: Any = None) -> Examples:
    pairs = [text[1] for text in texts if not isinstance(text, str)]
    first = [text if isinstance(text, str) else text[0] for text in texts]
    return Examples(first, pairs or None, None if targets is None else np.array(targets))


def classes(
    train: Sequence[Text], labels: Sequence[str], texts: Sequence[Text], held: tuple[list[str], list[str]] | None = None
) -> tuple[list[str], list[str], Baseline]:
    """What both baselines of a classification say of `texts`, and the second of them."""
    known = Labels.discover(labels, str)
    rows = examples(train, known.encode(labels, str))
    tuned = None if held is None else examples(held[0], known.encode(held[1], str))
    majority, tfidf = baselines(Classification(), known, rows, examples(texts), tuned)
    said = [[known[int(i)] for i in system.scores.argmax(-1)] for system in (majority, tfidf)]
    return said[0], said[1], tfidf


def labelled(texts: list[str], marks: Any, asked: list[str], held: Any = None, task: MultiLabel | None = None) -> Any:
    """Both baselines of a multi-label task."""
    known = Labels(tuple("abc"[: len(marks[0])]))
    rows = examples(texts, np.array(marks, np.float32))
    tuned = None if held is None else examples(held[0], np.array(held[1], np.float32))
    return baselines(task or MultiLabel(), known, rows, examples(asked), tuned)


def test_every_task_says_its_kind_of_answer() -> None:
    assert {resolve(Task, {"name": name}).answers for name in names(Task)} == {*KINDS, "tags", "span", "choice"}


def test_words_are_learnt_and_judged() -> None:
    majority, tfidf, _ = classes(TEXTS, LABELS, ["sun tomorrow", "rain tomorrow", "snow tomorrow"])
    assert tfidf == ["warm", "wet", "cold"]
    assert majority == ["cold"] * 3  # all are as common: the first by name


@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=20).filter(lambda labels: len(set(labels)) > 1))
def test_the_majority_is_the_commonest_class(labels: list[str]) -> None:
    (said,) = set(classes([f"word{label}" for label in labels], labels, ["x", "y"])[0])
    assert labels.count(said) == max(map(labels.count, labels))


def test_the_order_of_words_counts() -> None:
    """Bigrams: the same words in another order are told apart."""
    texts, labels = ["dog bites man", "man bites dog"] * 5, ["news", "no news"][::-1] * 5
    assert classes(texts, labels, texts[:2])[1] == labels[:2]


def test_signs_alone_are_enough() -> None:
    assert classes(["!", "?"] * 5, ["shout", "ask"] * 5, ["?", "!"])[1] == ["ask", "shout"]


def test_both_texts_of_a_pair_are_read() -> None:
    pairs = [("same", word) for word in ("yes", "no")] * 5
    assert classes(pairs, ["y", "n"] * 5, [("same", "no"), ("same", "yes")])[1] == ["n", "y"]


def test_the_eval_rows_choose_the_strength() -> None:
    """On noisy labels a strong pull towards few words wins on held-out rows that follow the one true word."""
    texts = [*(f"good filler{i}" for i in range(30)), *(f"bad filler{i}" for i in range(30))]
    labels = ["+"] * 30 + ["-"] * 30
    first = classes(texts, labels, ["good"], (["good", "bad"], ["+", "-"]))[2]
    assert first.settings["C"] == STRENGTHS[0], "of equals, the strongest"
    # Ten of eleven rows with "good" say "+"; the one that says "-" has a word of its own, which eval rows ask for.
    texts = ["good"] * 10 + ["good odd", "bad"]
    labels = ["+"] * 10 + ["-", "-"]
    later = classes(texts, labels, ["good"], (["good odd"] * 3, ["-"] * 3))[2]
    assert later.settings["C"] > STRENGTHS[0]
    assert classes(texts, labels, ["good"])[2].settings["C"] == STRENGTHS[0], "without eval rows nothing is chosen"


def test_the_commonest_labels_are_those_of_half_the_rows_or_else_the_one() -> None:
    texts = ["one", "two", "three", "four"]

    def said(marks: Any) -> list[int]:
        common = labelled(texts, marks, ["x", "y"])[0]
        assert common.name == "commonest labels"
        assert common.scores.shape == (2, 3)
        (row,) = {tuple(row) for row in MultiLabel().probabilities(common.scores) >= 0.5}
        return [i for i, yes in enumerate(row) if yes]

    assert said([[1, 1, 0], [1, 1, 0], [1, 0, 1], [0, 0, 0]]) == [0, 1]
    assert said([[0, 0, 1], [0, 0, 0], [0, 0, 0], [1, 0, 0]]) == [0], "of equals the first"
    assert said([[0, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]]) == [2]


def test_each_label_has_its_own_words_and_its_own_threshold() -> None:
    texts = [f"{a} {b}" for a in ("sun", "shade") for b in ("wind", "calm")] * 6
    marks = [["sun" in text, "wind" in text, "storm" in text] for text in texts]  # the third is in no row
    _, tfidf = labelled(texts, marks, ["sun", "wind", "sun wind", "none"])
    probabilities = MultiLabel().probabilities(tfidf.scores)
    assert (probabilities > 0.5).tolist()[:3] == [[True, False, False], [False, True, False], [True, True, False]]
    assert (probabilities[:, 2] < 1e-6).all()
    assert tfidf.calibration is None
    tuned = labelled(texts, marks, ["sun"], (texts[:8], marks[:8]))[1]
    assert tuned.calibration.thresholds == MultiLabel().calibrate(
        labelled(texts, marks, texts[:8])[1].scores, np.array(marks[:8]), "eval"
    ).thresholds  # fmt: skip
    assert labelled(texts, marks, ["sun"], (texts[:8], marks[:8]), MultiLabel(threshold=0.3))[1].calibration.rows == 8


def test_numbers_follow_words_beside_their_mean() -> None:
    texts = [f"{thing} {more}" for thing in ("bike", "boat") for more in ("old", "new", "blue", "red", "big")] * 4
    prices = [1000.0 if "bike" in text else 3000.0 for text in texts]
    mean, ridge = baselines(Regression(), None, examples(texts, prices), examples(["a bike", "a boat"]))
    assert mean.scores.tolist() == [[2000.0], [2000.0]]
    assert mean.settings == {"answer": 2000.0}
    assert ridge.scores[:, 0] == pytest.approx([1000, 3000], abs=400)
    assert (mean.name, ridge.name) == ("mean of the training rows", "TF-IDF + ridge regression")


def test_many_texts_without_a_common_word_are_counted_all_the_same() -> None:
    texts = [f"w{i}" for i in range(1000)]
    ridge = baselines(Regression(), None, examples(texts, np.arange(1000.0)), examples(["w7"]))[1]
    assert ridge.settings["min_df"] == 1


def test_no_texts_no_predictions() -> None:
    assert classes(TEXTS, LABELS, [])[:2] == ([], [])
    assert [b.scores.shape for b in labelled(TEXTS[:2], [[1, 0], [0, 1]], [])] == [(0, 2), (0, 2)]


def test_what_cannot_be_learnt_is_said() -> None:
    with pytest.raises(UserError, match=r"training texts are all empty; check which column holds the text"):
        classes([(" ", ""), ("", "\n")], ["a", "b"], [("z", "z")])
