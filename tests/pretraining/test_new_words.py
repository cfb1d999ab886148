"""Which words a vocabulary should know: counted by hand, and on real text."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.errors import UserError
from maskwright.pretraining.new_words import domain_words
from maskwright.pretraining.vocabulary import vocabulary_of
from maskwright.text.cuts import cuts
from maskwright.text.tokenizer import Tokenizer

PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    ".",
    *"abc",
    *(f"##{c}" for c in "abc0123456789"),
    *"123",
]


@pytest.fixture
def letters() -> Tokenizer:
    return Tokenizer.from_vocabulary(PIECES)


@pytest.fixture
def bert(minilm: Path) -> Tokenizer:
    return Tokenizer.from_folder(minilm)


def test_words_that_save_most_pieces_come_first(letters: Tokenizer) -> None:
    """abc saves 2 a time, ab and cb 1: 6, 4 and 4; the is whole; 123 is a number; a.b are three words."""
    documents = [
        ["Abc abc the the the the the abc.", "ab ab ab ab"],
        ["cb cb cb cb 123 123 123 123 123 a.b", "bca bca"],
    ]
    found = domain_words(documents, letters, 10, least=2)
    assert [(w.word, w.count, w.pieces, w.saved) for w in found] == [
        *[("abc", 3, 3, 6), ("ab", 4, 2, 4), ("bca", 2, 3, 4), ("cb", 4, 2, 4)]
    ]
    assert [w.word for w in domain_words(documents, letters, 2, least=2)] == ["abc", "ab"]
    assert [w.word for w in domain_words(documents, letters, 9, least=4)] == ["ab", "cb"]


@given(st.lists(st.text(st.sampled_from("abc .1"), max_size=30), min_size=1, max_size=6))
def test_what_is_said_to_be_saved_is_saved(sentences: list[str]) -> None:
    letters = Tokenizer.from_vocabulary(PIECES)
    try:
        found = domain_words([sentences], letters, 3, least=2)
    except UserError:
        counted = Counter(" ".join(sentences).replace(".", " ").replace("1", "1").split())
        assert not any(n > 1 and len(w) > 1 and any(map(str.isalpha, w)) for w, n in counted.items())
        return
    more = letters.extended([one.word for one in found])
    before, after = (len(t.encode(sentences).ids) for t in (letters, more))
    assert before - after == sum(one.saved for one in found)


def test_no_word_to_add(letters: Tokenizer) -> None:
    with pytest.raises(UserError, match="No word that this tokenizer cuts comes 5 times or more"):
        domain_words([["the the abc", "12 12 12 12 12 12"]], letters, 3, least=5)


def test_memory_is_bounded(letters: Tokenizer) -> None:
    source = ["abc " * 20 + " ".join("ab" + "abc"[i % 3] * (i % 7 + 1) + "cba"[i % 2] for i in range(40))] * 5
    found = domain_words([source], letters, 1, least=2, limit=8)
    assert found[0].word == "abc"


def test_new_pieces_are_ordinary_words_to_maskings(letters: Tokenizer) -> None:
    more = letters.extended(["abc"])
    known, i = vocabulary_of(more), more.vocabulary["abc"]
    assert known.starts[i]
    assert not known.special[i]
    assert i in known.ordinary


# ---------------------------------------------------------------- real text


def conll(path: Path) -> Iterator[str]:
    for sentence in path.read_text(encoding="utf-8").split("\n\n"):
        yield " ".join(line.split("\t")[0] for line in sentence.split("\n") if line.strip())


@pytest.mark.realdata
def test_five_hundred_biomedical_words(data: Path, bert: Tokenizer) -> None:
    """From half of PubMedQA's abstracts: the other half, and two other sets, need fewer pieces; reviews of films
    without such words are cut as before, and these are nearly all of them."""
    answers = json.loads((data / "pubmedqa" / "ori_pqal.json").read_text())
    test = set(json.loads((data / "pubmedqa" / "test_ground_truth.json").read_text()))
    train = [row["CONTEXTS"] for number, row in answers.items() if number not in test]
    words = [one.word for one in domain_words(train, bert, 500, least=3)]
    assert len(words) == 500
    more = bert.extended(words)
    held = [text for number in sorted(test) for text in answers[number]["CONTEXTS"]]
    sets = {"pubmedqa": held, **{n: conll(data / n / "test.tsv") for n in ("bc5cdr", "ncbi_disease")}}
    for name, texts in sets.items():
        texts = list(texts)
        before, after = cuts(bert, texts, 0), cuts(more, texts, 0)
        assert before.words == after.words
        assert before.pieces_per_word - after.pieces_per_word > 0.03, name
    with open(data / "sst2_glue_phrases" / "dev.tsv", encoding="utf-8") as file:
        reviews = [row["sentence"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    old, new = bert.encode(reviews), more.encode(reviews)
    added = set(range(bert.size, more.size))
    changed = 0
    for i in range(len(reviews)):
        a, b = (e.ids[e.offsets[i] : e.offsets[i + 1]].tolist() for e in (old, new))
        if added.isdisjoint(b):
            assert a == b, reviews[i]
        else:
            assert set(words) & set(reviews[i].split()), reviews[i]
            changed += 1
    assert 0 < changed < 0.02 * len(reviews)
