"""New words in a vocabulary: whole, and all else as before."""

from __future__ import annotations

import pydoc_data.topics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import models
from vocabularies import ANGLES, BRACKETS, byte_level, camembert, deberta_v2, frame, xlm_roberta

from maskwright.base.errors import UserError
from maskwright.text.golden import GOLDEN_TEXTS
from maskwright.text.tokenizer import Tokenizer

WORDS = ["cardiomyopathy", "lymph", "Glutathione"]
#: Real prose without any of them.
PROSE = " ".join(pydoc_data.topics.topics.values()).split(" ")
NEAR = ["cardiomyopathyx", "lymphoma", "xlymph", "lymph_", "lymph2", "lympho", "glutathiones", "鹿lymphs"]


def roberta() -> Backend:
    return frame(byte_level(ANGLES), ANGLES, "CLS $A SEP SEP $B SEP")


@pytest.fixture(scope="module")
def others() -> dict[str, Tokenizer]:
    made = {"roberta": roberta, "xlm-roberta": xlm_roberta, "camembert": camembert, "deberta-v2": deberta_v2}
    return {n: Tokenizer(make(), BRACKETS if n == "deberta-v2" else ANGLES) for n, make in made.items()}


@pytest.fixture(scope="module")
def extended(bert: Tokenizer) -> Tokenizer:
    return bert.extended(WORDS)


def pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    return tokenizer.tokens(tokenizer.encode([text]).ids)[1:-1]


def test_new_words_are_whole_and_longer_ones_are_not(extended: Tokenizer, bert: Tokenizer) -> None:
    assert pieces(extended, "Cardiomyopathy (lymph), glutathione's LYMPH-node") == [
        *["cardiomyopathy", "(", "lymph", ")", ",", "glutathione", "'", "s", "lymph", "-", "node"]
    ]
    for word in NEAR:
        assert pieces(extended, word) == pieces(bert, word), word
    assert extended.size == bert.size + 3
    assert [extended.vocabulary[w.lower()] for w in WORDS] == [bert.size, bert.size + 1, bert.size + 2]
    assert extended.fingerprint() != bert.fingerprint()


texts = st.lists(st.one_of(st.sampled_from(PROSE), st.sampled_from(NEAR), st.text(max_size=5)), max_size=30).map(
    " ".join
)


@given(text=texts)
def test_a_text_without_new_words_is_cut_as_before(
    text: str, extended: Tokenizer, bert: Tokenizer, others: dict[str, Tokenizer]
) -> None:
    assert extended.encode([text]).ids.tolist() == bert.encode([text]).ids.tolist()
    text = text.replace("lymph_", "").replace("lymph2", "")  # a byte-level BPE ends words before digits and signs
    for name, tokenizer in others.items():
        new = EXTENDED.setdefault(name, tokenizer.extended(["cardiomyopathy", "lymph", "Glutathione"]))
        assert new.encode([text]).ids.tolist() == tokenizer.encode([text]).ids.tolist(), name


EXTENDED: dict[str, Tokenizer] = {}


@given(
    before=st.sampled_from(["", "the ", "(", "x, ", "- "]), after=st.sampled_from(["", " is", ")", "'s", ", x", "."])
)
def test_the_rest_of_a_text_with_one_is_cut_as_before(before: str, after: str, extended: Tokenizer) -> None:
    """WordPiece cuts at the same places, so that only the word changes."""
    whole = pieces(extended, f"{before}lymph{after}")
    at = whole.index("lymph")
    assert whole[:at] == pieces(extended, before)
    assert whole[at + 1 :] == pieces(extended, after)


def test_words_of_other_vocabularies(others: dict[str, Tokenizer]) -> None:
    text = "the lymph and Glutathione here"
    for name, tokenizer in others.items():
        found = pieces(tokenizer.extended(WORDS), text)
        mark = "Ġ" if name == "roberta" else ""
        assert [mark + "lymph", mark + "Glutathione"] == [p for p in found if p.strip("Ġ") in WORDS], name
        old = pieces(tokenizer, "the"), pieces(tokenizer, "the and")
        assert found[: len(old[0])] == old[0]
    level = others["roberta"].extended(WORDS)
    assert level.decode(level.encode([text]).ids) == text
    assert pieces(level, "(lymph")[1:] != ["lymph"], "behind a bracket no space stands"


@pytest.mark.parametrize("name", ["bert", "roberta", "xlm-roberta", "camembert", "deberta-v2"])
def test_saved_folders_are_read_alike_by_transformers(
    name: str, extended: Tokenizer, others: dict[str, Tokenizer], tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers judges the ids")
    made = extended if name == "bert" else others[name].extended(WORDS)
    made.save(tmp_path)
    judge = transformers.AutoTokenizer.from_pretrained(tmp_path)
    batch = [*GOLDEN_TEXTS, "lymph (Cardiomyopathy) Glutathione, glutathione; the lymph\nlymph", *NEAR, *PROSE[:300]]
    found = made.encode(batch)
    for row, wanted in enumerate(judge(batch)["input_ids"]):
        assert found.ids[found.offsets[row] : found.offsets[row + 1]].tolist() == wanted, batch[row]
    assert len(judge) == made.size
    back = Tokenizer.from_folder(tmp_path)
    assert back.fingerprint() == made.fingerprint()
    assert back.vocabulary == made.vocabulary


def test_a_stated_class_of_transformers_does_not_lose_the_words(others: dict[str, Tokenizer], tmp_path: Path) -> None:
    """Its own class would build the merges anew, without the new rule."""
    transformers = pytest.importorskip("transformers", reason="transformers judges the ids")
    stated = Tokenizer(roberta(), ANGLES, {"tokenizer_class": "RobertaTokenizer"})
    made = stated.extended(WORDS)
    made.save(tmp_path)
    judge = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert judge("the lymph")["input_ids"] == made.encode(["the lymph"]).ids.tolist()
    assert "Ġlymph" in judge.tokenize("the lymph")


def test_new_pieces_are_explained_and_are_no_special_ones(extended: Tokenizer) -> None:
    word = extended.explain("a lymph node")[1]
    assert (word.word, word.pieces, word.outcome) == ("lymph", ("lymph",), "added")
    i = extended.vocabulary["lymph"]
    assert extended.added_ids[i] is False
    assert i not in extended.special_ids


def test_an_extended_vocabulary_is_extended_again(extended: Tokenizer, others: dict[str, Tokenizer]) -> None:
    more = extended.extended(["zebrafish", "lymph"])
    assert more.size == extended.size + 1
    assert pieces(more, "zebrafish lymph") == ["zebrafish", "lymph"]
    for tokenizer in others.values():
        first = tokenizer.extended(["lymph"])
        twice = first.extended(["zebrafish"])
        assert twice.size == tokenizer.size + 2
        assert {**first.vocabulary}.items() <= twice.vocabulary.items()


def test_words_that_need_nothing(bert: Tokenizer, others: dict[str, Tokenizer]) -> None:
    assert bert.extended(["the", "The"]).fingerprint() == bert.fingerprint()
    assert bert.extended(["lymph", "Lymph", "LYMPH"]).size == bert.size + 1
    assert bert.new_piece("the") is None
    assert bert.new_piece("Lymph") == "lymph"
    assert bert.new_piece("blood pressure") is None
    assert others["roberta"].new_piece("lymph") == "Ġlymph"


@pytest.mark.parametrize("word", ["blood pressure", "x-ray", "", " ", "...", "lymph_node", "北京"])
def test_what_is_no_word(word: str, bert: Tokenizer) -> None:
    with pytest.raises(UserError, match="cannot be a new piece of this vocabulary: it must be one word"):
        bert.extended([word])


def test_vocabularies_that_cannot_be_extended() -> None:
    level = Backend(models.WordLevel({"<unk>": 0, "a": 1}, unk_token="<unk>"))
    with pytest.raises(UserError, match="of the kind WordLevel cannot be extended by words"):
        Tokenizer(level, ANGLES).extended(["word"])
    ends = Backend(models.BPE({"<unk>": 0, "a": 1}, [], end_of_word_suffix="</w>"))
    with pytest.raises(UserError, match="Of BPE vocabularies only those can be extended"):
        Tokenizer(ends, ANGLES).extended(["word"])
    gaps = Backend(models.WordPiece({"[UNK]": 0, "a": 1, "b": 7}, unk_token="[UNK]"))
    with pytest.raises(UserError, match="WordPiece vocabulary of 3 pieces has gaps in its ids, which end at 7"):
        Tokenizer(gaps, BRACKETS).extended(["word"])
