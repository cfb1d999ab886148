"""Learning a vocabulary: the same every time, within its limits, and read alike by transformers."""

from __future__ import annotations

import os
import pydoc_data.topics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskwright.base.errors import UserError
from maskwright.text.tokenizer import Tokenizer
from maskwright.text.wordpiece import looks_uncased

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOPICS = [line for text in pydoc_data.topics.topics.values() for line in text.splitlines()]


def in_order(tokenizer: Tokenizer) -> list[str]:
    return sorted(tokenizer.vocabulary, key=tokenizer.vocabulary.__getitem__)


def test_the_same_text_gives_the_same_vocabulary() -> None:
    """The library alone numbers characters by a random seed; three runs of it gave three vocabularies."""
    first = Tokenizer.train(TOPICS, size=2000)
    assert in_order(Tokenizer.train(TOPICS, size=2000)) == in_order(first)
    assert first.size == 2000
    code = (
        "import pydoc_data.topics as t; from maskwright.text.tokenizer import Tokenizer; "
        "print(Tokenizer.train([l for x in t.topics.values() for l in x.splitlines()], size=2000).fingerprint())"
    )
    environment = os.environ | {"RAYON_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == first.fingerprint()


def test_the_order_is_specials_characters_merges(corpus: list[str]) -> None:
    pieces = in_order(Tokenizer.train(corpus, size=220, min_frequency=1))
    assert pieces[:5] == SPECIALS
    single = [piece for piece in pieces[5:] if len(piece.removeprefix("##")) == 1]
    assert pieces[5 : 5 + len(single)] == sorted(single)
    assert "我" in single
    assert "##我" not in single  # Chinese characters are words of their own
    assert "é" not in single
    assert "playing" in pieces


def test_what_can_be_read_again_is_not_held(corpus: list[str]) -> None:
    """A corpus of any size is read anew, several times; only an iterator, which can be read once, becomes a list."""

    class Again:
        times = 0

        def __iter__(self) -> Iterator[str]:
            self.times += 1
            return iter(corpus)

        def __len__(self) -> int:
            raise AssertionError("made into a list")

    again = Again()
    found = Tokenizer.train(again, size=120, min_frequency=1)
    assert again.times > 2
    for other in (corpus, iter(corpus)):
        assert Tokenizer.train(other, size=120, min_frequency=1).fingerprint() == found.fingerprint()


def test_files_and_texts_give_the_same_vocabulary(corpus: list[str], tmp_path: Path) -> None:
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    paths[0].write_text("\ufeff" + "\n".join(corpus[:6]), encoding="utf-8")
    paths[1].write_text("\r\n".join(corpus[6:]), encoding="utf-8")
    want = Tokenizer.train(corpus, size=200).fingerprint()
    assert Tokenizer.train(paths, size=200).fingerprint() == want
    assert Tokenizer.train(iter(corpus), size=200).fingerprint() == want
    assert Tokenizer.train([paths[0], *corpus[6:]], size=200).fingerprint() == want


def test_case_and_accents(corpus: list[str]) -> None:
    cased = Tokenizer.train(corpus, size=400, lowercase=False)
    assert not cased.lowercase
    assert {"T", "é", "Anna"} <= cased.vocabulary.keys()
    kept = Tokenizer.train(corpus, size=400, strip_accents=False)
    assert "é" in kept.vocabulary
    assert "T" not in kept.vocabulary
    joined = Tokenizer.train(corpus, size=400, chinese_characters=False)
    assert "##爱" in joined.vocabulary


def test_pairs_that_are_rare_are_not_merged() -> None:
    texts = ["abc abc abc xyz"]
    assert "abc" in Tokenizer.train(texts, size=50, min_frequency=3).vocabulary
    assert "xyz" not in Tokenizer.train(texts, size=50, min_frequency=2).vocabulary
    assert "xyz" in Tokenizer.train(texts, size=50, min_frequency=1).vocabulary


def test_the_alphabet_keeps_the_most_frequent_and_ties_go_by_code_point() -> None:
    texts = ["zz zz yy dcb cdb bcd"]
    for _ in range(5):  # the library alone would draw lots between b, c and d
        pieces = in_order(Tokenizer.train(texts, size=50, alphabet=3, min_frequency=99))
        assert pieces == [*SPECIALS, "##b", "##c", "##z", "b", "c", "z"]


def test_what_is_learned_is_read_alike_by_transformers(corpus: list[str], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers judges the ids")
    learned = Tokenizer.train(TOPICS + corpus, size=1500)
    learned.save(tmp_path)
    judge = transformers.AutoTokenizer.from_pretrained(tmp_path)
    batch = TOPICS[:500] + corpus
    encoded = learned.encode(batch)
    assert encoded.ids.tolist() == [i for ids in judge(batch)["input_ids"] for i in ids]
    assert Tokenizer.from_folder(tmp_path).fingerprint() == learned.fingerprint()


def test_nothing_to_learn_from() -> None:
    for nothing in ([], ["", " \n\t "]):
        with pytest.raises(UserError, match=r"no text to learn a vocabulary from"):
            Tokenizer.train(nothing)


def test_a_size_below_the_alphabet(corpus: list[str]) -> None:
    with pytest.raises(UserError, match=r"of 30 pieces is too small: 5 special pieces and \d+ for single characters"):
        Tokenizer.train(corpus, size=30)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none.txt' cannot be read: No such file"):
        Tokenizer.train([tmp_path / "none.txt"])
    (tmp_path / "latin.txt").write_bytes(b"good\n" * 3 + b"caf\xe9\n")
    with pytest.raises(UserError, match=r"latin.txt, line 4: not text in UTF-8 .* at byte 3"):
        Tokenizer.train([tmp_path / "latin.txt"])


def test_a_file_name_given_as_a_text(tmp_path: Path) -> None:
    file = tmp_path / "corpus.txt"
    file.write_text("some text")
    with pytest.raises(UserError, match=r"corpus.txt' is the name of a file, given as a text"):
        Tokenizer.train([str(file)])
    with pytest.raises(UserError, match=r"'some text' is one text. Give a list"):
        Tokenizer.train("some text")


@pytest.mark.parametrize(
    ("pieces", "uncased"),
    [
        (["[PAD]", "[unused1]", "<S>", "paris", "##é"], True),
        (["[PAD]", "paris", "##É"], False),
        (["[", "P"], False),
        (["[", "]", "<"], True),
    ],
)
def test_looking_for_upper_case(pieces: list[str], uncased: bool) -> None:
    assert looks_uncased(pieces) is uncased
