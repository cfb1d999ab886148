"""Entity F1 against seqeval, and tags of words against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from sklearn.metrics import f1_score as sklearn_f1

from maskwright.data.tags import spans
from maskwright.stats.measures import values
from maskwright.stats.spans import averaged, by_label, entities, words

tags = st.sampled_from(["O", "B-p", "I-p", "B-l", "I-l"])
sides = st.lists(st.lists(st.tuples(tags, tags), min_size=1, max_size=6), min_size=1, max_size=5)


@given(sides)
def test_f1_precision_and_recall_are_seqevals(rows: list[list[tuple[str, str]]]) -> None:
    gold, said = ([[pair[i] for pair in row] for row in rows] for i in (0, 1))
    found = values(entities(*([set(spans(t)) for t in side] for side in (gold, said))), len(rows))
    for name, theirs in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        if found[name] == found[name]:  # an undefined precision is 0 there
            assert found[name] == pytest.approx(theirs(gold, said, zero_division=0))


@given(sides)
def test_the_mean_over_labels_is_seqevals(rows: list[list[tuple[str, str]]]) -> None:
    gold, said = ([set(spans([pair[i] for pair in row])) for row in rows] for i in (0, 1))
    measure = averaged(*by_label(gold, said, ["l", "p"]))
    mine = values({"": measure}, len(rows))[""]
    texts = [[[pair[i] for pair in row] for row in rows] for i in (0, 1)]
    if any(gold) or any(said):
        assert mine == pytest.approx(f1_score(*texts, average="macro", zero_division=0))
    else:
        assert np.isnan(mine)


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6), min_size=1))
def test_tags_of_words(rows: list[list[tuple[int, int]]]) -> None:
    y, p = ([np.array([pair[i] for pair in row]) for row in rows] for i in (0, 1))
    found = values(words(y, p, 4), len(rows))
    flat = np.concatenate(y), np.concatenate(p)
    assert found["accuracy"] == pytest.approx((flat[0] == flat[1]).mean())
    assert found["f1_macro"] == pytest.approx(sklearn_f1(*flat, average="macro", zero_division=0))
    assert found["whole_texts"] == pytest.approx(np.mean([(a == b).all() for a, b in zip(y, p, strict=True)]))


def test_a_text_that_counts_twice_counts_twice() -> None:
    gold, said = [{(0, 1, "p")}, {(0, 1, "p")}], [{(0, 1, "p")}, set[tuple[int, int, str]]()]
    f1 = entities(gold, said)["f1"]
    assert f1(np.array([[1.0, 1.0], [2.0, 0.0], [1.0, 3.0]])).tolist() == pytest.approx([2 / 3, 1.0, 2 / 5])
