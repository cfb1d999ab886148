"""Explanations: they tell what encoding does, step by step, for every word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import models

from maskwright.base.errors import UserError
from maskwright.text.explanation import longest_match
from maskwright.text.tokenizer import Tokenizer

texts = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("aehlnoptuyTÉé我北 ,.'-#\t\u0301")), max_size=50
)


def test_a_cut_word_shows_each_step(bert: Tokenizer) -> None:
    (word,) = bert.explain("Unhappiness")
    assert (word.word, word.normalised, word.outcome, word.span) == ("Unhappiness", "unhappiness", "cut", (0, 11))
    assert word.pieces == ("un", "##ha", "##pp", "##iness")
    assert word.ids == tuple(bert.vocabulary[piece] for piece in word.pieces)
    assert [step.found for step in word.steps] == list(word.pieces)
    assert word.steps[0].missed == tuple("unhappiness"[:end] for end in range(11, 2, -1))
    assert word.steps[3].missed == ()
    assert word.why == (
        "longest first: un (not there: unhappiness, unhappines, …, unh; 9 tried), "
        "##ha (not there: ##happiness, ##happines, …, ##hap; 7 tried), "
        "##pp (not there: ##ppiness, ##ppines, …, ##ppi; 5 tried), ##iness (at once)"
    )


def test_whole_unknown_too_long_and_added(bert: Tokenizer) -> None:
    words = bert.explain("Playing 😀 [MASK] x" + "y" * 100 + " [UNK] naïve")
    assert [word.outcome for word in words] == ["whole", "unknown", "added", "too long", "added", "whole"]
    whole, unknown, added, long, literal, accent = words
    assert whole.why == "in the vocabulary as it stands"
    assert unknown.pieces == ("[UNK]",)
    assert unknown.why == "unknown: nothing (not there: 😀); where one part is missing the whole word is lost"
    assert (added.ids, added.span, added.steps) == ((103,), (10, 16), ())
    assert long.pieces == ("[UNK]",)
    assert long.why == "too long: 101 characters, and a word of more than 100 is unknown without a look-up"
    assert literal.why == "a special or added piece, taken as it stands and never cut"
    assert (accent.word, accent.normalised) == ("naïve", "naive")


def test_an_unknown_word_shows_where_it_broke() -> None:
    tokenizer = Tokenizer.from_vocabulary(["[UNK]", "[CLS]", "[SEP]", "ab", "##c"])
    (word,) = tokenizer.explain("abcx")
    assert word.pieces == ("[UNK]",)
    assert [step.found for step in word.steps] == ["ab", "##c", None]
    assert word.steps[-1].missed == ("##x",)


@given(texts)
def test_steps_are_what_encoding_did(uncased: Tokenizer, text: str) -> None:
    words = uncased.explain(text)
    encoded = uncased.encode([text], details=True)
    assert [i for word in words for i in word.ids] == encoded.ids[1:-1].tolist()
    assert len(words) == encoded.words.max() + 1
    for word in words:
        assert word.word == text[slice(*word.span)]
        if word.outcome in ("whole", "cut"):
            assert tuple(step.found for step in word.steps) == word.pieces
            assert "".join(piece.removeprefix("##") for piece in word.pieces) == word.normalised
        else:
            assert word.pieces == ("[UNK]",)
            assert word.outcome == "unknown"
        for step in word.steps:
            assert not set(step.missed) & uncased.vocabulary.keys()


def test_longest_match_alone() -> None:
    steps = longest_match("abcd", {"a": 0, "ab": 1, "##c": 2, "##d": 3, "##cd": 4}, "##")
    assert [step.found for step in steps] == ["ab", "##cd"]
    assert steps[0].missed == ("abcd", "abc")


def test_no_words_no_explanations(bert: Tokenizer) -> None:
    assert bert.explain(" \t\x00") == []


def test_other_kinds_of_vocabulary_are_refused() -> None:
    tokenizer = Tokenizer(Backend(models.WordLevel({"<unk>": 0}, unk_token="<unk>")), {"unk": "<unk>"})
    with pytest.raises(UserError, match=r"of the kind WordLevel; only the cuts of a WordPiece vocabulary"):
        tokenizer.explain("text")
