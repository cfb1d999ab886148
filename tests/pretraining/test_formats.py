"""Sequences of every format: nothing lost, no document beside another where none may be, and lots that keep shares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.choice import names, resolve
from maskwright.base.errors import UserError
from maskwright.pretraining.encoded import Encoded, encode, join
from maskwright.pretraining.formats import Format, Sequences, _pairs
from maskwright.pretraining.formats._pairs import Pairs
from maskwright.text.tokenizer import Tokenizer

ALL = names(Format)
PAIRS = [name for name in ALL if resolve(Format, name).pairs]
CLS, SEP = 2, 3
LENGTH = 32


def corpus(documents: int = 60, seed: int = 0, longest: int = 14) -> Encoded:
    """Ids count up from 10 through the whole corpus, so that each piece says where it is from."""
    source = np.random.default_rng(seed)
    sizes = [source.integers(1, longest, source.integers(1, 40)) for _ in range(documents)]
    sentences = np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
    return Encoded(
        np.arange(10, 10 + sentences[-1], dtype=np.int32), sentences, np.cumsum([0, *map(len, sizes)]).astype(np.int64)
    )


def made(name: str, text: Encoded, length: int = LENGTH, seed: int = 0, epoch: int = 0) -> Sequences:
    return resolve(Format, name).sequences(text, length, seed, epoch)


def owners(text: Encoded, places: np.ndarray) -> np.ndarray:
    """The document of each piece of the corpus."""
    return np.searchsorted(text.sentences[text.documents], places, side="right") - 1


@pytest.mark.parametrize("name", ALL)
def test_every_sequence_fits_and_is_put_together(name: str) -> None:
    text = corpus()
    found = made(name, text)
    assert len(found) > 20
    assert found.lengths.max() <= LENGTH
    assert (found.ends > found.starts).all()
    rows = np.array([len(found) - 1, 0, 7])
    pieces = found.assemble(rows, text.ids, CLS, SEP)
    ids, segments, offsets = pieces.ids, pieces.segments, pieces.offsets
    assert segments is not None
    assert np.diff(offsets).tolist() == found.lengths[rows].tolist()
    for start, end, row in zip(offsets[:-1], offsets[1:], rows, strict=True):
        wanted, kinds = [CLS], [0]
        for chunk in range(found.offsets[row], found.offsets[row + 1]):
            run = text.ids[found.starts[chunk] : found.ends[chunk]].tolist()
            wanted += [*run, SEP]
            kinds += [found.segments[chunk]] * (len(run) + 1)
        assert ids[start:end].tolist() == wanted
        assert segments[start:end].tolist() == kinds


@pytest.mark.parametrize("name", ALL)
def test_pieces_without_special_ones_are_told(name: str) -> None:
    found = made(name, corpus())
    sizes = np.add.reduceat(found.ends - found.starts, found.offsets[:-1])
    assert found.texts.tolist() == sizes.tolist()


@pytest.mark.parametrize("name", PAIRS)
def test_what_no_pair_has_is_counted(name: str) -> None:
    """Documents of one sentence, and what a pair that is too long loses."""
    lone = Encoded(np.arange(10, 70, dtype=np.int32), np.array([0, 9, 30, 60]), np.array([0, 1, 3]))
    if name == "sentence-order":
        assert made(name, lone).single == 9
    assert made(name, corpus(), length=12).cut > 0
    assert made(name, corpus(longest=3), length=100).cut == 0


@pytest.mark.parametrize("name", ["doc-sentences", "full-sentences"])
def test_single_texts_hold_every_piece_once_in_order(name: str) -> None:
    text = corpus(longest=50)  # sentences that are longer than a sequence among them
    found = made(name, text)
    runs = [np.arange(a, b) for a, b in zip(found.starts, found.ends, strict=True)]
    assert np.concatenate(runs).tolist() == list(range(len(text.ids)))


def test_a_sequence_is_of_one_document() -> None:
    text = corpus()
    found = made("doc-sentences", text)
    assert (owners(text, found.starts) == owners(text, found.ends - 1)).all()
    bounds = set(text.sentences.tolist())
    assert all(int(end) in bounds for end in found.ends), "whole sentences, where they fit"
    follows = owners(text, found.starts[1:]) == owners(text, found.starts[:-1])
    next_size = text.sentences[np.searchsorted(text.sentences, found.starts[1:]) + 1] - found.starts[1:]
    assert ((found.lengths[:-1] + next_size > LENGTH) | ~follows).all(), "no sentence more would fit"


def test_full_sequences_end_documents_with_a_separator() -> None:
    text = corpus()
    found = made("full-sentences", text)
    inner = np.ones(len(found.starts), bool)
    inner[found.offsets[1:] - 1] = False
    documents_end = set(text.sentences[text.documents[1:]].tolist())
    assert inner.any()
    assert all(int(end) in documents_end for end in found.ends[inner])
    assert (owners(text, found.starts) == owners(text, found.ends - 1)).all()


@pytest.mark.parametrize("name", PAIRS)
def test_half_of_the_pairs_are_in_order(name: str) -> None:
    text = corpus(documents=400)
    labels = np.concatenate([made(name, text, epoch=e).labels for e in range(6)])
    assert abs(labels.mean() - 0.5) < 4 * 0.5 / np.sqrt(len(labels))


@pytest.mark.parametrize("name", PAIRS)
def test_a_pairs_label_is_true(name: str) -> None:
    text = corpus()
    for epoch in range(3):
        found = made(name, text, epoch=epoch)
        one, two = found.starts[::2], found.starts[1::2]
        first, second = owners(text, one), owners(text, two)
        true = found.labels == 0
        assert (first[true] == second[true]).all()
        assert (one[true] < two[true]).all()
        if name == "sentence-order":
            assert (first == second).all()
            assert (one[~true] > two[~true]).all()
        else:
            assert (first[~true] != second[~true]).all(), "never the true partner, nor another of its document"


@pytest.mark.parametrize("name", PAIRS)
def test_texts_in_order_follow_one_another_where_nothing_is_cut(name: str) -> None:
    text = corpus(longest=6)
    found = made(name, text, length=400)
    true = found.labels == 0
    assert (found.ends[::2][true] == found.starts[1::2][true]).all()


@pytest.mark.parametrize("name", PAIRS)
def test_an_epoch_has_lots_of_its_own_and_the_same_again(name: str) -> None:
    text = corpus()
    one, again, other = made(name, text, epoch=1), made(name, text, epoch=1), made(name, text, epoch=2)
    assert one.starts.tolist() == again.starts.tolist()
    assert one.starts.tolist() != other.starts.tolist()


def test_a_tenth_of_the_pairs_aims_at_any_length() -> None:
    """Of a document of many sentences, where only the lot makes a pair short."""
    sentences = np.arange(0, 60_001, 5)
    text = Encoded(np.arange(60_000, dtype=np.int32), sentences, np.array([0, 6000, 12_000]))
    lengths = np.concatenate([made("segment-pair", text, 128, epoch=e).lengths for e in range(10)])
    short = (lengths < 115).mean()
    # a tenth aims at 2 to 125 pieces, each as likely; those that aim below 110 or so are short
    assert abs(short - 0.1 * 108 / 124) < 0.015


@pytest.mark.parametrize("name", [n for n in PAIRS if n != "sentence-order"])
def test_one_document_has_no_other(name: str) -> None:
    with pytest.raises(UserError, match="Half of the pairs take their second text from another document"):
        made(name, corpus(documents=1))


@pytest.mark.parametrize("name", PAIRS)
def test_documents_of_one_sentence_have_no_pairs(name: str) -> None:
    text = Encoded(np.arange(9, dtype=np.int32), np.arange(0, 10, 3), np.arange(4))
    with pytest.raises(UserError, match="no document of two sentences"):
        made(name, text)


def test_corpora_are_joined() -> None:
    one, two = corpus(5, seed=1), corpus(7, seed=2)
    both = join([one, two])
    assert len(both) == 12
    assert both.ids.tolist() == [*one.ids, *two.ids]
    alone = [made("doc-sentences", c) for c in (one, two)]
    assert made("doc-sentences", both).lengths.tolist() == [*alone[0].lengths, *alone[1].lengths]


def test_a_pair_is_cut_between_any_two_sentences() -> None:
    """Each place equally often: of runs of k sentences the first text has 1 to k - 1 of them."""
    text = corpus(400, longest=3)
    found = made("sentence-order", text, length=60)
    bounds = np.searchsorted(text.sentences, np.stack([found.starts, found.ends]))
    sizes = (bounds[1] - bounds[0]).reshape(-1, 2)
    whole, first = sizes.sum(1), np.where(found.labels == 0, sizes[:, 0], sizes[:, 1])
    some = (whole > 3) & (found.lengths < 50)  # those that nothing was cut off
    places = (first[some] - 1) / (whole[some] - 2)
    assert len(places) > 300
    assert places.mean() == pytest.approx(0.5, abs=3 * 0.32 / np.sqrt(len(places)))
    assert (places == 0).any()
    assert (places == 1).any()


def with_empty(text: Encoded, at: list[int]) -> Encoded:
    """The same, with a document that has no sentence at each of these places."""
    return replace(text, documents=np.insert(text.documents, at, text.documents[at]))


@given(st.sampled_from(PAIRS), st.integers(0, 9), st.lists(st.integers(0, 12), max_size=9))
def test_documents_without_a_sentence_change_no_pair(name: str, seed: int, at: list[int]) -> None:
    text = corpus(documents=12, seed=seed)
    for epoch in range(3):
        one, other = (made(name, some, seed=seed, epoch=epoch) for some in (text, with_empty(text, at)))
        assert (other.ends > other.starts).all(), "no text is empty"
        assert other.starts.tolist() == one.starts.tolist()
        assert other.ends.tolist() == one.ends.tolist()
        assert other.labels.tolist() == one.labels.tolist()
        assert (other.single, other.cut) == (one.single, one.cut)


@pytest.mark.parametrize("name", [n for n in PAIRS if n != "sentence-order"])
def test_a_partner_is_drawn_by_its_number_among_the_others(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every document has a sentence: a run that is resumed by a later version sees the same pairs."""

    def plain(self: Pairs, document: int, place: int, pieces: int) -> tuple[int, int]:
        other = self.below(len(self.documents) - 2, _pairs._DOCUMENT, place)
        other += other >= document
        start, end = self.documents[other], self.documents[other + 1]
        first = start + self.below(end - start, _pairs._SENTENCE, place)
        return self.bounds[first], self.bounds[self.reach(first, end, pieces)]

    found = [made(name, corpus(seed=seed), epoch=seed) for seed in range(4)]
    monkeypatch.setattr(Pairs, "elsewhere", plain)
    for seed, now in enumerate(found):
        assert now.starts.tolist() == made(name, corpus(seed=seed), epoch=seed).starts.tolist()


def test_marks_that_a_tokenizer_drops_are_no_second_text(tiny: Path) -> None:
    """A document of such a mark alone is one to the corpus, which knows no tokenizer."""
    few = [["\u200e"], ["a lovely book", "the play was dull"], ["\u200e", "\u200e"], ["the song", "a story", "a film"]]
    text = encode([*few, *few], Tokenizer.from_folder(tiny))
    assert np.diff(text.documents).tolist() == [0, 2, 0, 3] * 2
    for name in PAIRS:
        for epoch in range(20):
            found = made(name, text, epoch=epoch)
            assert (found.ends > found.starts).all()
    alone = encode(few[:3], Tokenizer.from_folder(tiny))
    for name in (n for n in PAIRS if n != "sentence-order"):
        with pytest.raises(UserError, match="but the corpus has 1 with text"):
            made(name, alone)
