"""What masking knows of the pieces of each kind of tokenizer: special ones, and where words begin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers
from vocabularies import ANGLES, framed

from maskwright.base.errors import UserError
from maskwright.pretraining.masking import Pieces
from maskwright.pretraining.vocabulary import _edges, vocabulary_of
from maskwright.text.tokenizer import Tokenizer


def words(tokenizer: Tokenizer, text: str) -> list[list[str]]:
    """The pieces of each word."""
    ids = tokenizer.encode([text]).ids.astype(np.int64)
    of = Pieces(ids, np.array([0, len(ids)]), np.zeros(1, np.int64)).words(vocabulary_of(tokenizer))
    return [tokenizer.tokens(ids[of == k]) for k in range(of.max() + 1)]


@pytest.fixture
def tweets(tmp_path: Path) -> Tokenizer:
    (tmp_path / "vocab.txt").write_text("".join(f"{piece} 1\n" for piece in ("ab@@", "ab", "c@@", "c", "d", "d@@")))
    (tmp_path / "bpe.codes").write_text("a b 3\na b</w> 2\n")
    return Tokenizer.from_folder(tmp_path)


def joined(found: list[list[str]]) -> list[str]:
    return ["".join(pieces).strip("Ġ▁") for pieces in found]


def test_wordpiece(minilm: Path) -> None:
    found = words(Tokenizer.from_folder(minilm), "Unhappily, [MASK] the eigenvector doesn't")
    assert joined(found) == ["un##ha##pp##ily", ",", "the", "e##igen##ve##ctor", "doesn", "'", "t"]


def test_byte_level(byte_level: Tokenizer) -> None:
    """The first word has no space before it; a sign is a word, and a word begins behind it too; bytes of one character
    are no signs."""
    said = "unhappily, the New-York (dogs)\nsee é¡© <mask> it"
    found = joined(words(byte_level, said))
    assert found == ["unhappily", ",", "the", "New", "-", "York", "(", "dogs", ")", "Ċsee", "Ã©Â¡Â©", "it"]


def test_sentencepiece(sentencepiece: Tokenizer) -> None:
    found = joined(words(sentencepiece, "unhappily, the New-York (dogs)"))
    assert [word for word in found if word] == ["unhappily", ",", "the", "New", "-", "York", "(", "dogs", ")"]
    assert max(map(len, words(sentencepiece, "unhappily again"))) > 1


@pytest.mark.parametrize(
    ("piece", "mark", "edges"),
    [
        ("▁the", "▁", (True, False)),
        ("the", "▁", (False, False)),
        ("▁", "▁", (True, False)),
        ("▁(", "▁", (True, True)),
        ("'s", "▁", (True, False)),
        ("...", "▁", (True, True)),
        ("都の", "▁", (True, True)),
        ("東京です", "▁", (True, True)),
        ("한국", "▁", (False, False)),
        ("Ġ,", "Ġ", (True, True)),
        ("Ċ", "Ġ", (True, False)),
        ("©", "Ġ", (False, False)),  # the byte A9, the end of é
    ],
)
def test_edges_of_words_where_pieces_show_spaces(piece: str, mark: str, edges: tuple[bool, bool]) -> None:
    assert _edges(piece, "begins", mark) == edges


def test_bertweet(tweets: Tokenizer) -> None:
    assert tweets.word_mark == ("goes on", "@@")
    assert words(tweets, "abc ab dc d") == [["ab@@", "c"], ["ab"], ["d@@", "c"], ["d"]]


def test_ends_of_words_and_whole_words(tmp_path: Path) -> None:
    names = list(ANGLES.values())[:-1]
    pieces = {piece: k for k, piece in enumerate([*names, "a", "b", "a</w>", "b</w>", "ab</w>"])}
    backend = Backend(models.BPE(pieces, [("a", "b</w>")], unk_token="<unk>", end_of_word_suffix="</w>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    found = words(framed(backend, tmp_path), "aab ba a")
    assert found == [["a", "ab</w>"], ["b", "a</w>"], ["a</w>"]]
    level = Backend(models.WordLevel({piece: k for k, piece in enumerate([*names, "one", "two"])}, unk_token="<unk>"))
    level.pre_tokenizer = pre_tokenizers.Whitespace()
    assert words(framed(level, tmp_path), "one two two") == [["one"], ["two"], ["two"]]


@pytest.mark.parametrize("kind", ["byte_level", "sentencepiece", "tweets"])
def test_special_pieces(kind: str, request: pytest.FixtureRequest) -> None:
    tokenizer: Tokenizer = request.getfixturevalue(kind)
    found = vocabulary_of(tokenizer)
    assert found.mask == tokenizer.mask_id
    assert {tokenizer.tokens([i])[0] for i in np.flatnonzero(found.special)} == set(ANGLES.values())
    assert len(found.ordinary) == tokenizer.size - len(ANGLES)


def test_added_pieces(tmp_path: Path) -> None:
    """One added as special is special; any other begins a word; ids without a piece are never put in."""
    base = Tokenizer.from_vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b"])
    base.save(tmp_path)
    backend = Backend.from_file(str(tmp_path / "tokenizer.json"))
    backend.add_special_tokens(["<name>"])
    backend.add_tokens(["##covid"])
    backend.save(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer.from_folder(tmp_path)
    found = vocabulary_of(tokenizer)
    assert tokenizer.tokens(found.ordinary) == ["a", "##b", "##covid"]
    assert found.starts[found.ordinary].tolist() == [True, False, True]
    assert tokenizer.added_ids[tokenizer.vocabulary["##covid"]] is False
    assert tokenizer.vocabulary["<name>"] in tokenizer.special_ids


def test_without_a_mask() -> None:
    with pytest.raises(UserError) as caught:
        vocabulary_of(Tokenizer.from_vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"]))
    message = str(caught.value)
    assert "has no '[MASK]'" in message
    assert "mask_token in tokenizer_config.json" in message
    assert "maskwright tokenizer train" in message
    assert "[unused0]" in message
