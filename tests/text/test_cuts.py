"""Statistics of cuts, against a count by hand."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.errors import UserError
from maskwright.text import words
from maskwright.text.cuts import cuts, pieces_of
from maskwright.text.tokenizer import Tokenizer
from maskwright.text.words import Counts, find

TEXT = ["The cat unhappiness sat, unhappiness!", "ZZ unhappiness \u2603 playing tokenization (cats)"]


def test_figures_of_a_small_text(bert: Tokenizer) -> None:
    """By hand: 7 words and signs in the first line, 8 in the second; unhappiness is un ##ha ##pp ##iness."""
    found = cuts(bert, TEXT)
    encoded = bert.encode(TEXT)
    assert found.words == 7 + 9 - 1
    assert found.pieces == len(encoded.ids) - 4
    assert found.unknown == 1
    assert found.with_unknown == 1
    assert found.pieces_per_word == pytest.approx(found.pieces / 15)
    assert [e.word for e in found.longest][:2] == ["tokenization", "unhappiness"]
    assert found.longest[1].pieces == ("un", "##ha", "##pp", "##iness")
    assert (found.frequent[0].word, found.frequent[0].count) == ("unhappiness", 3)
    cut = {"unhappiness", "tokenization", "ZZ"}
    assert {e.word for e in found.frequent} <= cut
    assert found.whole == 15 - 3 - 1 - 1 - (1 if len(pieces_of(bert, "ZZ")) > 1 else 0)


@given(st.lists(st.text(st.sampled_from("aelnopst un-.,(é北 \n"), max_size=40), min_size=1, max_size=8))
def test_every_piece_is_counted_once_and_words_by_their_pieces(uncased: Tokenizer, batch: list[str]) -> None:
    if not any(len(find(text)) for text in batch):
        return
    found = cuts(uncased, batch)
    assert found.pieces == len(uncased.encode(batch).ids) - 2 * len(batch)
    assert found.words == sum(len(find(text)) for text in batch)
    counted = Counter(text[a:b] for text in batch for a, b in find(text))
    alone = {word: pieces_of(uncased, word) for word in counted}
    whole = sum(n for w, n in counted.items() if len(alone[w]) == 1 and alone[w] != ("[UNK]",))
    assert found.whole == whole


def test_words_are_the_same_for_every_tokenizer() -> None:
    text = "Don't-stop, naïve c\u0327a 我爱 x_1 12.5€ हिन्दी"
    got = [text[a:b] for a, b in find(text)]
    assert got[:9] == ["Don", "'", "t", "-", "stop", ",", "naïve", "c\u0327a", "我"]
    assert got[9:] == ["爱", "x", "_", "1", "12", ".", "5", "€", "हिन्दी"]
    assert "".join(got) == re.sub(r"\s", "", text)


def test_blocks_and_parts_change_nothing(bert: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{text} " * (i + 1) for i, text in enumerate(TEXT * 5)]
    whole = cuts(bert, lines)
    monkeypatch.setattr(words, "BLOCK", 60)
    monkeypatch.setattr(words, "LONGEST", 50)
    assert cuts(bert, iter(lines)) == whole
    assert cuts(bert, [" ".join(lines)]) == whole


def test_counts_in_constant_memory_lose_only_what_they_say() -> None:
    source = np.random.default_rng(0)
    exact: Counter[str] = Counter()
    counts = Counts(limit=200)
    for _ in range(50):
        some = Counter(f"w{i}" for i in source.zipf(1.3, 400) if i < 10_000)
        exact.update(some)
        counts.add(some)
        assert len(counts) <= 200
    assert counts.missed > 0
    kept = counts.at_least(0)
    for word, times in exact.items():
        assert times - counts.missed <= kept.get(word, 0) <= times
    assert [w for w, _ in counts.most(3)] == [w for w, _ in exact.most_common(3)]


def test_the_least_frequent_words_are_forgotten_and_told(bert: Tokenizer) -> None:
    text = ["unhappiness " * 30 + " ".join(f"qx{i}zq" for i in range(50))]
    found = cuts(bert, text, limit=20)
    assert found.frequent[0].word == "unhappiness"
    assert found.missed >= 1
    assert found.pieces == cuts(bert, text).pieces


def test_no_word_at_all(bert: Tokenizer) -> None:
    with pytest.raises(UserError, match="There is no word in what was given"):
        cuts(bert, ["", " \n"])
