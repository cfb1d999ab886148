"""Windows of long texts: every piece answered for once, every word read from the piece it begins with."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vocabularies import ANGLES, byte_level, camembert, deberta_v2, frame, xlm_roberta

from maskwright.base.errors import UserError
from maskwright.text.tokenizer import Tokenizer
from maskwright.text.windows import cores, cut, windowed, windowed_pairs
from maskwright.text.words import find


@given(st.integers(0, 300), st.integers(1, 40), st.integers(0, 20), st.booleans(), st.integers(0, 99))
def test_windows_cover_a_text_and_overlap(length: int, room: int, overlap: int, words: bool, seed: int) -> None:
    overlap = min(overlap, room // 2)
    starts = np.random.default_rng(seed).random(length) < 0.6 if words else None
    found = cut(length, room, overlap, starts)
    assert all(0 < b - a <= room for a, b in found if length)
    assert (found[0][0], found[-1][1]) == (0, length)
    assert all(two[0] > one[0] and one[1] - two[0] >= overlap for one, two in itertools.pairwise(found))
    answered = [piece for a, b in cores(found) for piece in range(a, b)]
    assert answered == list(range(length))
    assert all(a <= low <= high <= b for (a, b), (low, high) in zip(found, cores(found), strict=True))
    if len(found) > 1:
        assert found[-1][1] - found[-1][0] == room or starts is not None


@pytest.fixture
def tokenizer(tiny: Path) -> Tokenizer:
    return Tokenizer.from_folder(tiny)


TEXT = "the film was wonderful and the story was terrible but the song was lovely"


def test_a_word_is_read_from_its_first_piece_wherever_it_stands(tokenizer: Tokenizer) -> None:
    texts = [TEXT, "a play", "", "\u200d", " ".join([TEXT] * 3)]
    words = [find(text) for text in texts]
    words[3] = np.array([[0, 1]])
    whole = tokenizer.encode(texts, details=True)
    one, many = windowed(whole, words, 512, 64), windowed(whole, words, 12, 4)
    assert one.encodings.ids.tolist() == whole.ids.tolist()
    assert one.windowed == 0
    assert many.windowed == 2
    assert max(many.encodings.lengths) <= 12
    assert many.counts.tolist() == [len(each) for each in words]
    assert one.ids[one.asked].tolist() == many.ids[many.asked].tolist()
    assert (np.diff(many.asked) >= 0).all()
    spans = many.encodings.spans
    assert spans is not None
    for row, text in enumerate(texts[:2]):
        asked = many.asked[many.asks[row] : many.asks[row + 1]]
        assert spans[asked, 0].tolist() == words[row][:, 0].tolist(), text
    assert many.full_lengths.tolist() == whole.lengths.tolist()
    assert (many.truncated, many.pieces_cut) == (0, 0)


def test_every_window_has_the_frame_of_the_text(tokenizer: Tokenizer) -> None:
    found = windowed(tokenizer.encode([TEXT], details=True), [find(TEXT)], 10, 2).encodings
    assert (found.ids[found.offsets[:-1]] == tokenizer.cls_id).all()
    assert (found.ids[found.offsets[1:] - 1] == tokenizer.sep_id).all()


@given(st.lists(st.integers(0, 4), max_size=8))
def test_rows_are_chosen_with_all_that_belongs_to_them(tokenizer_: Tokenizer, rows: list[int]) -> None:
    texts = [TEXT, "a play", "", " ".join([TEXT] * 3), "the film"]
    found = windowed(tokenizer_.encode(texts, details=True), [find(text) for text in texts], 12, 4)
    some = found.select(np.array(rows, np.int64))
    assert len(some) == len(rows)
    ids = [found.ids[found.asked[found.asks[row] : found.asks[row + 1]]] for row in rows]
    assert some.ids[some.asked].tolist() == [i for each in ids for i in each]
    assert some.lengths.tolist() == found.lengths[rows].tolist()
    assert some.full_lengths.tolist() == found.full_lengths[rows].tolist()


@pytest.fixture(scope="module")
def tokenizer_(tiny: Path) -> Tokenizer:
    return Tokenizer.from_folder(tiny)


MADE = {
    "byte-level": lambda: frame(byte_level(ANGLES), ANGLES, "CLS $A SEP SEP $B SEP"),
    "xlm-roberta": xlm_roberta,
    "camembert": camembert,
    "deberta-v2": deberta_v2,
}


@pytest.mark.parametrize("name", MADE)
def test_every_kind_of_vocabulary_reads_a_word_from_its_first_piece(name: str, tmp_path: Path) -> None:
    """Pieces that begin with the space before a word, one letter in several pieces, signs without a space before."""
    MADE[name]().save(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer.from_folder(tmp_path)
    texts = ["The dog doesn't see (two) dogs, does it?", " 京都 and  Zoë's 東京", "A", "It was the best of times " * 6]
    words = [find(text) for text in texts]
    for length in (512, 20):
        found = windowed(tokenizer.encode(texts, details=True), words, length, 6)
        spans = found.encodings.spans
        assert spans is not None
        for row, text in enumerate(texts):
            asked = found.asked[found.asks[row] : found.asks[row + 1]]
            for (start, end), piece in zip(words[row].tolist(), asked.tolist(), strict=True):
                first, last = spans[piece].tolist()
                assert first <= start < last, (text[start:end], text[first:last])
                before = spans[piece - 1].tolist() if piece else [0, 0]
                assert not before[0] <= start < before[1] or before == [first, last], "an earlier piece holds it"


PAIRS = [
    ("Who does it?", "The dog doesn't see (two) dogs, does it? " * 5),
    ("", "It was the best of times"),
    ("Zoë's 東京", ""),
    ("what is " * 20, " 京都 and  Zoë's 東京 " * 4),
]


@pytest.mark.parametrize("name", ["tiny", *MADE])
def test_every_window_of_a_pair_has_its_first_text(name: str, tiny: Path, tmp_path: Path) -> None:
    """One separator between the texts, or two; what is asked are the first piece, and the second text's."""
    if name != "tiny":
        MADE[name]().save(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer.from_folder(tiny if name == "tiny" else tmp_path)
    firsts, seconds = [pair[0] for pair in PAIRS], [pair[1] for pair in PAIRS]
    whole = tokenizer.encode(firsts, seconds, details=True)
    one, many = windowed_pairs(whole, 512, 4), windowed_pairs(whole, 32, 4)
    assert one.encodings.ids.tolist() == whole.ids.tolist()
    assert (one.windowed, one.pieces_cut) == (0, 0)
    assert many.windowed >= 1
    assert max(many.encodings.lengths) <= 32
    assert (many.cut > 0).tolist() == [False, False, False, True]
    bodies = tokenizer.encode([""] * len(PAIRS), seconds)
    alone = len(tokenizer.encode([""], [""]).ids)
    for row in range(len(PAIRS)):
        body = bodies.ids[slice(*bodies.offsets[row : row + 2])][alone - 1 : -1].tolist()
        head = whole.ids[slice(*whole.offsets[row : row + 2])][: -1 - len(body)].tolist()
        lost, frame = int(many.cut[row]), 1 + head[1:].index(tokenizer.sep_id)  # where the first text ends
        kept, seen = head[: frame - lost] + head[frame:], set()
        for window in range(many.sequences[row], many.sequences[row + 1]):
            start, stop = many.encodings.offsets[window : window + 2].tolist()
            assert many.ids[start : start + len(kept)].tolist() == kept
            own = many.asked[slice(*many.by_window.asks[window : window + 2])].tolist()
            assert own == [start, *range(start + len(kept), stop - 1)]
            seen |= {tuple(span) for span in many.encodings.spans[own[1:]].tolist()}
        last = whole.offsets[row + 1] - 1
        assert seen == {tuple(span) for span in whole.spans[last - len(body) : last].tolist()}
        assert one.ids[one.asked[one.asks[row] + 1 : one.asks[row + 1]]].tolist() == body


def test_neighbours_share_at_most_half_of_the_room(tokenizer: Tokenizer) -> None:
    whole, words = tokenizer.encode([TEXT, "a play"], details=True), [find(TEXT), find("a play")]
    assert windowed(whole, words, 10, 6).narrowed == (6, 4)
    assert windowed(whole, words, 10, 4).narrowed is None
    assert windowed(tokenizer.encode(["a play"], details=True), words[1:], 10, 6).narrowed is None
    pairs = tokenizer.encode(["a play", "the film was"], [TEXT, TEXT], details=True)
    assert windowed_pairs(pairs, 12, 9).narrowed == (9, (12 - 6) // 2)


def test_a_length_without_room_is_said(tokenizer: Tokenizer) -> None:
    with pytest.raises(UserError, match="max_length = 2 leaves no room"):
        windowed(tokenizer.encode([TEXT], details=True), [find(TEXT)], 2, 0)
