"""Near repeats: what is found has the similarity it should, hardly any is missed, and boilerplate does not explode."""

from __future__ import annotations

import random
import time
from itertools import accumulate, combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.data import _near
from maskwright.data._finding import Finding, Side
from maskwright.data._near import NEAR, WIDTH, near, near_duplicates
from maskwright.data._same import codes
from maskwright.data.table import Table

WORDS = [f"{a}{b}{c}" for a in ("ba", "ke", "to", "li", "mun") for b in "rstv" for c in ("an", "ol", "ix", "ed", "u")]


def shingles(text: str) -> set[str]:
    return {text[i : i + WIDTH] for i in range(max(len(text) - WIDTH + 1, 1))}


def similarity(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def sentences(count: int, words: int, seed: int = 0) -> list[str]:
    source = random.Random(seed)
    return [" ".join(source.choices(WORDS, k=words)) for _ in range(count)]


def variants(text: str, count: int, seed: int) -> list[str]:
    """The text with one to four words replaced by others."""
    source = random.Random(seed)
    out = []
    for _ in range(count):
        words = text.split()
        for _ in range(source.randint(1, 4)):
            words[source.randrange(len(words))] = source.choice(WORDS)
        out.append(" ".join(words))
    return out


def found(*texts: list[str], names: tuple[str, ...] = ("train", "eval", "test")) -> list[Finding]:
    sides = [
        Side(name, Table({"text": some}, f"{name}.csv", list(range(2, len(some) + 2))), some)
        for name, some in zip(names, texts, strict=False)
    ]
    return near_duplicates(sides, *codes(sides))


def test_pairs_are_near_and_hardly_any_near_pair_is_missed() -> None:
    texts = list(dict.fromkeys(t for i, s in enumerate(sentences(25, 20)) for t in [s, *variants(s, 12, i)]))
    sets = list(map(shingles, texts))
    truth = {(i, j) for i, j in combinations(range(len(texts)), 2) if similarity(sets[i], sets[j]) >= NEAR}
    pairs = set(map(tuple, near(texts).pairs.tolist()))
    assert len(truth) > 100
    assert pairs <= truth
    assert len(pairs) >= 0.98 * len(truth)


@given(st.lists(st.text(alphabet="abcdé 世", min_size=1, max_size=30), min_size=2, max_size=8, unique=True))
def test_similarity_is_that_of_the_sets(texts: list[str]) -> None:
    pairs = np.array(list(combinations(range(len(texts)), 2)))
    expected = [similarity(shingles(texts[i]), shingles(texts[j])) for i, j in pairs.tolist()]
    assert _near._similarity(texts, pairs).tolist() == pytest.approx(expected)


def test_the_same_texts_give_the_same_pairs_however_they_are_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = list(dict.fromkeys([*sentences(30, 20), *variants(sentences(30, 20)[3], 30, 1)]))
    whole = near(texts).pairs.tolist()
    monkeypatch.setattr(_near, "_BLOCK", 100)
    assert near(texts).pairs.tolist() == whole != []


def test_one_word_of_twenty_may_differ_and_the_texts_of_a_pair_may_change_places() -> None:
    (text,) = sentences(1, 20)
    words = text.split()
    assert len(near([text, " ".join([*words[:9], "zzzz", *words[10:]])]).pairs) == 1
    one, other = sentences(2, 12, seed=5)
    swapped = Side("train", Table({}, "a.csv", [2, 3]), [one, other], [other, one])
    assert [f.kind for f in near_duplicates([swapped], *codes([swapped]))] == ["near duplicates"]


@pytest.mark.parametrize("texts", [[], ["alone"], ["a", "b"], ["abcde", "abcdf"]])
def test_nothing_is_near_where_nothing_can_be(texts: list[str]) -> None:
    assert near(texts).pairs.shape == (0, 2)


def test_rows_are_named_with_their_partners_and_exact_repeats_are_not_counted() -> None:
    a, b, *rest = sentences(60, 20)
    train, held = [a, b, *rest, a, f"{b} end"], [f"{a}!", b.upper(), *sentences(10, 20, seed=9)]
    within, across = sorted(found(train, held), key=lambda finding: finding.kind)
    assert (within.kind, within.severity, within.count) == ("near duplicates", "fact", 1)
    assert within.sentence == "1 of 62 train rows (1.6 %) nearly repeats another train row."
    assert within.where == ("train.csv line 63, nearly as train.csv line 3",)
    assert (across.kind, across.severity, across.count) == ("near leak", "warning", 1)
    assert across.sentence == "1 of 12 eval rows (8.3 %) nearly repeats a train row."
    assert across.where == ("eval.csv line 2, nearly as train.csv line 2",)


def test_few_near_repeats_of_another_split_are_a_fact() -> None:
    train, held = sentences(50, 20), sentences(150, 20, seed=1)
    (across,) = found(train, [*held, f"{train[0]} end"])
    assert (across.kind, across.severity) == ("near leak", "fact")


def test_boilerplate_is_capped_and_said() -> None:
    text = " ".join(WORDS[:30])
    letters = [f"dear customer {number} {text}" for number in range(10_000)]
    start = time.process_time()
    seen = near(letters)
    seconds = time.process_time() - start
    assert seen.crowded > 9000
    assert len(seen.pairs) < 40 * len(letters)  # not their square
    assert len(np.unique(seen.pairs)) == len(letters)  # and yet each is known to be near another
    assert seconds < 30
    findings = found([*letters, *sentences(20, 20)])
    assert [f.kind for f in findings] == ["near duplicates", "near duplicates capped"]
    assert findings[0].count > 9990
    assert findings[1].count > 9000
    assert "fell in with more than 32 others that may be like them, and each was compared" in findings[1].sentence


def test_a_hundred_thousand_rows_take_well_under_a_minute() -> None:
    source = random.Random(0)
    words = ["".join(source.choices("abcdefghijklmnoprstuvwz", k=source.randint(2, 9))) for _ in range(20_000)]
    weights = list(accumulate(1 / (rank + 3) for rank in range(len(words))))  # few come often
    texts = list(dict.fromkeys(" ".join(source.choices(words, cum_weights=weights, k=20)) for _ in range(100_000)))
    start = time.process_time()
    assert len(near(texts).pairs) < 10
    assert time.process_time() - start < 30
