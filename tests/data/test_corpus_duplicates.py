"""Planted repeats of documents are found; different ones stay; sides are drawn by names alone."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from maskwright.base.errors import UserError
from maskwright.data.corpus import duplicates
from maskwright.data.corpus.duplicates import WORDS, near_repeats, repeats, shingles, signatures, similarity
from maskwright.data.corpus.held_out import draw, named


def text(words: int, seed: int) -> str:
    source = random.Random(seed)
    return " ".join(f"w{source.randrange(2000)}" for _ in range(words))


def changed(text: str, count: int, seed: int = 0) -> str:
    source, words = random.Random(seed), text.split()
    for place in source.sample(range(len(words)), count):
        words[place] = "another"
    return " ".join(words)


def true_shingles(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + WORDS]) for i in range(max(len(words) - WORDS + 1, 1))}


def test_shingles_are_runs_of_words() -> None:
    keys = [text(200, 0), "a b", text(7, 1), "one", changed(text(200, 0), 3)]
    hashes, offsets = shingles(keys)
    sets = [np.unique(hashes[a:b]) for a, b in pairwise(offsets)]
    assert [len(found) for found in sets] == [len(true_shingles(key)) for key in keys]
    one, other = true_shingles(keys[0]), true_shingles(keys[4])
    assert similarity(sets[0], sets[4]) == len(one & other) / len(one | other)
    assert np.array_equal(hashes[: offsets[1]], shingles(keys[:1])[0]), "neighbours do not matter"
    assert similarity(*(shingles([key])[0] for key in ("ab c", "a bc"))) == 0


@pytest.mark.parametrize("size", [1, 7, 100])
def test_words_are_hashed_in_pieces_of_any_size_alike(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [text(200, 0), "a b", "one", "字" * 300, text(50, 1)]
    whole = signatures(keys)
    monkeypatch.setattr(duplicates, "_PIECE", size)
    assert np.array_equal(signatures(keys), whole)


def test_planted_near_repeats_are_found_and_others_are_not() -> None:
    originals = [text(300, seed) for seed in range(30)]
    near = [changed(original, 3, seed) for seed, original in enumerate(originals)]
    far = [changed(original, 60, seed) for seed, original in enumerate(originals)]
    keys = originals + near + far
    read: list[int] = []

    def key_of(document: int) -> str:
        read.append(document)
        return keys[document]

    owner, crowded = near_repeats(signatures(keys), key_of)
    assert owner.tolist() == [*range(30), *range(30), *range(60, 90)]
    assert crowded == 0
    assert len(set(read)) < len(keys), "text is read of pairs alone"


def test_a_chain_keeps_what_is_near_to_none_that_stays() -> None:
    first = text(400, 0)
    second = changed(first, 8, 1)
    third = changed(second, 8, 2)
    keys = [first, second, third]
    sets = [np.unique(shingles([key])[0]) for key in keys]
    assert similarity(sets[0], sets[1]) >= 0.8 > similarity(sets[0], sets[2])
    assert near_repeats(signatures(keys), keys.__getitem__)[0].tolist() == [0, 0, 2]


def test_a_template_does_not_explode() -> None:
    keys = [f"{text(100, 0)} number {i}" for i in range(300)]
    owner, crowded = near_repeats(signatures(keys), keys.__getitem__)
    assert (owner == 0).sum() == 300
    assert crowded == 300


def test_equal_documents_belong_to_the_first() -> None:
    assert repeats(np.array([7, 3, 7, 3, 9], np.uint64)).tolist() == [0, 1, 0, 1, 4]
    assert near_repeats(signatures([]), str)[0].tolist() == []


PLACES = np.random.default_rng(0).integers(0, 2**64, 10_000, dtype=np.uint64)


def test_a_share_is_held_out_and_does_not_move_when_documents_are_added() -> None:
    few, all_ = draw(PLACES[:5000], 0.1), draw(PLACES, 0.1)
    assert abs(all_.mean() - 0.1) < 0.01
    assert np.array_equal(few, all_[:5000])
    assert draw(PLACES[:3], 1e-9).sum() == 1, "at least one"
    assert draw(PLACES, 20).sum() == 20
    assert not draw(PLACES, 0).any()
    assert draw(PLACES[[0, 0, 1]], 1).tolist() in ([True, True, False], [False, False, True]), "parts go together"


def test_a_side_without_documents_is_refused() -> None:
    with pytest.raises(UserError, match="there is one document only"):
        draw(PLACES[[0, 0]], 0.5)
    with pytest.raises(UserError, match="takes all of the 5 documents"):
        draw(PLACES[:5], 5)
    with pytest.raises(UserError, match="takes all of the 5 documents"):
        draw(PLACES[:5], 0.999999)


def test_named_documents() -> None:
    documents = [("a/Emma.txt.gz", "a/Emma.txt.gz"), ("rows.jsonl#1", "rows.jsonl"), ("b", "b")]
    for name in ("a/Emma.txt.gz", "Emma.txt.gz", "Emma"):
        assert named(documents, [name]).tolist() == [True, False, False]
    assert named(documents, ["rows", "b"]).tolist() == [False, True, True]
    with pytest.raises(UserError, match=r"called 'emma'\. Did you mean 'Emma'\?"):
        named(documents, ["emma"])
    with pytest.raises(UserError, match="takes all documents"):
        named(documents, ["Emma", "rows", "b"])
