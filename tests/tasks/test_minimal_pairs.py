"""Accuracy on minimal pairs by paradigm and category, on answers made by hand and on a network's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwright.base.errors import UserError
from maskwright.data.pairs import Pair
from maskwright.stats.intervals import mean_of_shares, wilson
from maskwright.tasks import Judged, Likelihood, MaskedLM
from maskwright.tasks._minimal_pairs import judge


class Told:
    """Stands for a model: a text's score is its last word, its pieces are its characters without case."""

    def stream(self, texts: Iterable[tuple[str, str]], method: str) -> Iterator[Likelihood]:
        assert method == "plain"
        for _, text in texts:
            ids = np.frombuffer(text.lower().encode(), np.uint8)
            unknown = text.count("?")
            yield Likelihood(
                log_prob=float(text.split()[-1]), pieces=1, words=1, unknown=unknown, text=text, ids=ids, values=ids
            )


def pair(good: str, bad: str, paradigm: str, field: str | None = None, term: str | None = None) -> Pair:
    return Pair(good, bad, paradigm, "here", field, term)


PAIRS = [
    *[pair("a -1", "b -2", "one", "syntax", "islands")] * 3,
    pair("a -3", "b -2", "one", "syntax", "islands"),
    *[pair("a -1", "b -2", "two", "syntax", "npi")] * 9,
    pair("a? -2", "b? -2", "two", "syntax", "npi"),  # a tie
    *[pair("a -1", "A -1", "three", "semantics", "npi")] * 2,  # the same pieces
]


@pytest.fixture
def judged() -> Judged:
    return judge(Told(), PAIRS, "plain")  # type: ignore[arg-type]


def test_ties_count_half_and_are_counted(judged: Judged) -> None:
    told = {name: (each.pairs, each.ties, each.accuracy.value) for name, each in judged.paradigms.items()}
    assert told == {"one": (4, 0, 0.75), "two": (10, 1, 0.95), "three": (2, 2, 0.5)}
    assert judged.unknown == 2


def test_a_category_is_the_mean_of_its_paradigms(judged: Judged) -> None:
    assert judged.overall.accuracy.value == pytest.approx((0.75 + 0.95 + 0.5) / 3)
    assert (judged.overall.pairs, judged.overall.ties) == (16, 3)
    assert {name: each.accuracy.value for name, each in judged.fields.items()} == pytest.approx(
        {"semantics": 0.5, "syntax": 0.85}
    )
    assert {name: each.pairs for name, each in judged.terms.items()} == {"islands": 4, "npi": 12}


def test_intervals(judged: Judged) -> None:
    one = judged.paradigms["one"].accuracy
    assert (one.low, one.high) == pytest.approx((wilson(3, 4).low, wilson(3, 4).high))
    wins = [np.array([1.0, 1, 1, 0]), np.array([1.0] * 9 + [0.5])]
    assert judged.fields["syntax"].accuracy == mean_of_shares(wins)
    three = mean_of_shares([*wins, np.array([0.5, 0.5])])
    assert (judged.overall.accuracy.low, judged.overall.accuracy.high) == pytest.approx((three.low, three.high))


def test_intervals_hold_the_true_accuracy_as_often_as_they_say() -> None:
    """Two paradigms of accuracies that are known, drawn 300 times."""
    source = np.random.default_rng(0)
    truths = {"one": 0.9, "two": 0.6}
    held = {"one": 0, "two": 0, "all": 0}
    for _ in range(300):
        pairs = [
            pair("a -1", "b -2", name) if win else pair("a -2", "b -1", name)
            for name, truth in truths.items()
            for win in source.random(60) < truth
        ]
        found = judge(Told(), pairs, "plain")  # type: ignore[arg-type]
        for name, truth in truths.items():
            held[name] += truth in found.paradigms[name].accuracy
        held["all"] += 0.75 in found.overall.accuracy
    assert all(0.92 * 300 <= count <= 0.985 * 300 for count in held.values()), held


def test_as_json(judged: Judged) -> None:
    told = judged.plain()
    assert told["overall"]["pairs"] == 16
    assert told["paradigms"]["one"]["value"] == 0.75
    assert set(told["fields"]) == {"semantics", "syntax"}
    without = judge(Told(), [pair("a -1", "b -2", "one")], "plain").plain()  # type: ignore[arg-type]
    assert without["fields"] == without["terms"] == {}


def test_no_pairs() -> None:
    with pytest.raises(UserError, match="There are no pairs to judge"):
        judge(Told(), [], "plain")  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["plain", "within-word"])
def test_a_network_prefers_what_it_scores_higher(masked_bert: Path, method: Any) -> None:
    model = MaskedLM.load(masked_bert)
    texts = ["the film was charmingly dull", "a boring storybook", "the lovely plays", "awful songs, brilliant film"]
    scores = {found.text: found.log_prob for found in model.score(texts, method)}
    pairs = [pair(a, b, f"{texts.index(a)}") for a in texts for b in texts if a != b]
    judged = model.judge(pairs, method)
    for name, each in judged.paradigms.items():
        lower = sum(score < scores[texts[int(name)]] for score in scores.values())
        assert each.accuracy.value == pytest.approx(lower / 3)
    assert judged.overall.accuracy.value == pytest.approx(0.5)


def test_what_cannot_be_scored_names_the_pair(masked_bert: Path) -> None:
    long = Pair("a film", "a film " * 40, "one", "pairs.csv line 3")
    with pytest.raises(UserError, match=r"pairs\.csv line 3: the bad sentence has 82 pieces"):
        MaskedLM.load(masked_bert).judge([long])
