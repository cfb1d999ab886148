"""Encoding: known ids, packing, truncation, spans, and what is refused."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.errors import UserError
from maskwright.text import tokenizer as module
from maskwright.text.golden import GOLDEN_TEXTS
from maskwright.text.tokenizer import Tokenizer

texts = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("aehlnoptuyTÉé我北 ,.'-#\t\u0301")), max_size=50
)


def ids_of(tokenizer: Tokenizer, text: str, **options: Any) -> list[int]:
    return tokenizer.encode([text], **options).ids.tolist()


def test_known_ids_of_bert_base_uncased(bert: Tokenizer) -> None:
    want = [101, 2023, 3185, 2001, 7078, 10392, 999, 102]
    assert ids_of(bert, "This movie was absolutely fantastic!") == want
    assert bert.tokens(bert.encode(["unhappiness"]).ids) == ["[CLS]", "un", "##ha", "##pp", "##iness", "[SEP]"]
    assert bert.tokens(bert.encode(["playing"]).ids) == ["[CLS]", "playing", "[SEP]"]
    assert (bert.cls_id, bert.sep_id, bert.pad_id, bert.unk_id, bert.mask_id) == (101, 102, 0, 100, 103)
    assert bert.size == 30522
    assert len(bert.vocabulary) == 30522
    assert bert.lowercase


def test_shapes_types_and_offsets(bert: Tokenizer) -> None:
    encoded = bert.encode(["a b c", "", "d"], details=True)
    assert len(encoded) == 3
    assert encoded.offsets.tolist() == [0, 5, 7, 10]
    assert encoded.lengths.tolist() == encoded.full_lengths.tolist() == [5, 2, 3]
    types = [getattr(encoded, name).dtype for name in ("ids", "segments", "offsets", "full_lengths", "spans", "words")]
    assert types == [np.int32, np.uint8, np.int64, np.int64, np.int32, np.int32]
    assert encoded.words.tolist() == [-1, 0, 1, 2, -1, -1, -1, -1, 0, -1]
    assert encoded.spans[1:4].tolist() == [[0, 1], [2, 3], [4, 5]]
    plain = bert.encode(["a"])
    assert plain.spans is None
    assert plain.words is None


def test_empty_text_is_two_special_pieces(bert: Tokenizer) -> None:
    assert ids_of(bert, "") == [101, 102]
    assert ids_of(bert, " \t\x00\n") == [101, 102]


def test_no_texts_at_all(bert: Tokenizer) -> None:
    encoded = bert.encode([], details=True)
    assert (len(encoded), encoded.ids.shape, encoded.spans.shape, encoded.truncated) == (0, (0,), (0, 2), 0)


def test_a_literal_special_piece_becomes_that_piece(bert: Tokenizer) -> None:
    encoded = bert.encode(["to [SEP] be"], details=True)
    assert bert.tokens(encoded.ids) == ["[CLS]", "to", "[SEP]", "be", "[SEP]"]
    assert encoded.spans[2].tolist() == [3, 8]
    assert encoded.words.tolist() == [-1, 0, 1, 2, -1]


def test_pairs_have_segments_and_spans_of_their_own_text(bert: Tokenizer) -> None:
    encoded = bert.encode(["one two"], ["three"], details=True)
    assert bert.tokens(encoded.ids) == ["[CLS]", "one", "two", "[SEP]", "three", "[SEP]"]
    assert encoded.segments.tolist() == [0, 0, 0, 0, 1, 1]
    assert encoded.spans.tolist() == [[0, 0], [0, 3], [4, 7], [0, 0], [0, 5], [0, 0]]
    assert encoded.words.tolist() == [-1, 0, 1, -1, 0, -1]


def test_head_and_tail(bert: Tokenizer) -> None:
    text = "one two three four five"
    assert bert.tokens(ids_of(bert, text, max_length=4)) == ["[CLS]", "one", "two", "[SEP]"]
    assert bert.tokens(ids_of(bert, text, max_length=4, keep="tail")) == ["[CLS]", "four", "five", "[SEP]"]


def test_the_longer_text_of_a_pair_is_cut_first(bert: Tokenizer) -> None:
    encoded = bert.encode(["one two three four five"], ["six"], max_length=6)
    assert bert.tokens(encoded.ids) == ["[CLS]", "one", "two", "[SEP]", "six", "[SEP]"]


def test_cuts_are_counted(bert: Tokenizer) -> None:
    encoded = bert.encode(["one", "one two three four", "one two three"], max_length=4)
    assert encoded.full_lengths.tolist() == [3, 6, 5]
    assert encoded.lengths.tolist() == [3, 4, 4]
    assert (encoded.truncated, encoded.pieces_cut) == (2, 3)


def test_unknown_pieces_are_counted(bert: Tokenizer) -> None:
    encoded = bert.encode(["a 😀 b 😀", "c"])
    assert encoded.unknown == 2
    assert encoded.select([1]).unknown == 0
    assert encoded.select([0, 0]).unknown == 4


def test_truncation_does_not_leak_into_the_next_call(bert: Tokenizer) -> None:
    long = "word " * 300
    before = bert.fingerprint()
    assert len(bert.encode([long], max_length=8).ids) == 8
    assert len(bert.encode([long]).ids) == 302  # MiniLM's file asks for 128 pieces, padded
    assert len(bert.encode([long], max_length=9, keep="tail").ids) == 9
    assert len(bert.encode(["word"]).ids) == 3
    assert bert.fingerprint() == before


def test_threads_do_not_disturb_each_other(bert: Tokenizer) -> None:
    long = ["word " * 40] * 20
    limits = [5, 6, 7, 8, 9, 10, None] * 6
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda limit: bert.encode(long, max_length=limit).lengths.tolist(), limits))
    assert found == [[limit or 42] * 20 for limit in limits]


def test_blocks_are_joined_without_a_seam(bert: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bert.encode(GOLDEN_TEXTS, max_length=9, details=True)
    monkeypatch.setattr(module, "_BLOCK", 3)
    blocks = bert.encode(GOLDEN_TEXTS, max_length=9, details=True)
    for name in ("ids", "segments", "offsets", "full_lengths", "spans", "words"):
        assert np.array_equal(getattr(whole, name), getattr(blocks, name)), name
    assert whole.unknown == blocks.unknown > 0


@given(st.lists(texts, min_size=1, max_size=6), st.data(), st.booleans())
def test_selecting_rows_is_encoding_those_texts(
    uncased: Tokenizer, batch: list[str], data: st.DataObject, details: bool
) -> None:
    rows = data.draw(st.lists(st.integers(0, len(batch) - 1), max_size=8))
    got = uncased.encode(batch, max_length=12, details=details).select(rows)
    want = uncased.encode([batch[row] for row in rows], max_length=12, details=details)
    for name in ("ids", "segments", "offsets", "full_lengths", "spans", "words"):
        a, b = getattr(got, name), getattr(want, name)
        assert (a is None) == (b is None)
        assert a is None or (a.dtype == b.dtype and np.array_equal(a, b)), name
    assert got.unknown == want.unknown


def test_selecting_by_mask_and_by_a_wrong_row(bert: Tokenizer) -> None:
    encoded = bert.encode(["a", "b c", "d"])
    assert bert.tokens(encoded.select(np.array([False, True, False])).ids) == ["[CLS]", "b", "c", "[SEP]"]
    with pytest.raises(IndexError):
        encoded.select([3])


@given(texts)
def test_spans_point_at_the_characters_they_came_from(uncased: Tokenizer, text: str) -> None:
    encoded = uncased.encode([text], details=True)
    pieces = uncased.tokens(encoded.ids)
    assert encoded.spans[[0, -1]].tolist() == [[0, 0], [0, 0]]
    assert encoded.words[[0, -1]].tolist() == [-1, -1]
    before = 0
    for piece, (start, end) in zip(pieces[1:-1], encoded.spans[1:-1].tolist(), strict=True):
        # In order, and apart, but for the pieces of one character that falls into several (Hangul).
        assert before <= start < end <= len(text) or (start == before - 1 and piece.startswith("##"))
        before = end
        if piece != "[UNK]":
            assert piece.removeprefix("##") in uncased._backend.normalizer.normalize_str(text[start:end])


def test_spans_count_code_points(bert: Tokenizer) -> None:
    text = "😀 naïve 我 e\u0301t"
    encoded = bert.encode([text], details=True)
    assert [text[a:b] for a, b in encoded.spans.tolist()[1:-1]] == ["😀", "naïve", "我", "e\u0301t"]


def test_decoding(bert: Tokenizer) -> None:
    ids = bert.encode(["Unhappiness, playing."]).ids
    assert bert.decode(ids) == "unhappiness, playing."
    assert bert.decode(ids, skip_specials=False) == "[CLS] unhappiness, playing. [SEP]"
    assert bert.decode([]) == ""


def test_a_tokenizer_can_be_pickled(bert: Tokenizer) -> None:
    again = pickle.loads(pickle.dumps(bert))
    assert again.fingerprint() == bert.fingerprint()
    assert ids_of(again, "unhappiness", max_length=4) == ids_of(bert, "unhappiness", max_length=4)


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"texts": "one text"}, r"'one text' is one text; give a list of texts"),
        ({"texts": ["a", None]}, r"texts\[1\] is None \(NoneType\), not a text"),
        ({"texts": ["a", float("nan")]}, r"texts\[1\] is nan \(float\)"),
        ({"texts": ["a"], "pairs": ["b", "c"]}, r"There are 1 texts and 2 pairs"),
        ({"texts": ["a"], "pairs": [3]}, r"pairs\[0\] is 3 \(int\)"),
        ({"texts": ["a\ud83d"]}, r"texts\[0\] = .*half of a surrogate pair"),
        ({"texts": ["a"], "max_length": 2}, r"max_length=2 leaves no room for text: a text has 2 special .* 3 or more"),
        ({"texts": ["a"], "pairs": ["b"], "max_length": 3}, r"a pair has 3 special pieces. Give 4 or more"),
        ({"texts": ["a"], "max_length": -1}, r"max_length=-1 leaves no room"),
        ({"texts": ["a"], "max_length": 9, "keep": "middle"}, r"keep='middle': allowed are 'head' .* and 'tail'"),
    ],
)
def test_what_cannot_be_encoded_is_refused(bert: Tokenizer, given_: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        bert.encode(**given_)


@pytest.mark.parametrize("wrong", [30522, -1])
def test_ids_outside_the_vocabulary_are_refused(bert: Tokenizer, wrong: int) -> None:
    with pytest.raises(UserError, match=rf"no piece with the id {wrong}; its ids go from 0 to 30521"):
        bert.decode([101, wrong])
    with pytest.raises(UserError, match=rf"no piece with the id {wrong}"):
        bert.tokens(np.array([wrong]))


def test_a_missing_special_piece_is_named() -> None:
    tokenizer = Tokenizer.from_vocabulary(["[UNK]", "[CLS]", "[SEP]", "a"])
    assert ids_of(tokenizer, "a b") == [1, 3, 0, 2]
    with pytest.raises(UserError, match=r"vocabulary of 4 pieces has no '\[MASK\]'.*mask_token"):
        _ = tokenizer.mask_id
    with pytest.raises(UserError, match=r"no '\[PAD\]'"):
        _ = tokenizer.pad_id
