"""transformers is the judge: the same files and the same text must give the same ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.text.golden import GOLDEN_TEXTS
from maskwright.text.tokenizer import Tokenizer

transformers = pytest.importorskip("transformers", reason="transformers judges the ids")

# All of Unicode but the halves of surrogate pairs, with the alphabet of the vocabularies often enough to build words.
characters = st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("aehlnoptuyTÉé我北 ,.'-#\t\u0301"))
texts = st.text(characters, max_size=60)


def rows(encoded: Any) -> list[list[int]]:
    return [encoded.ids[a:b].tolist() for a, b in zip(encoded.offsets, encoded.offsets[1:], strict=False)]


def segments(encoded: Any) -> list[list[int]]:
    return [encoded.segments[a:b].tolist() for a, b in zip(encoded.offsets, encoded.offsets[1:], strict=False)]


@pytest.fixture(scope="session")
def judged(bert: Tokenizer, minilm: Path, cased: Tokenizer, uncased: Tokenizer, tmp_path_factory: Any) -> Any:
    """Our tokenizers, each with transformers' reading of the same folder."""
    out = {"minilm": (bert, transformers.AutoTokenizer.from_pretrained(minilm))}
    for name, ours in (("cased", cased), ("uncased", uncased)):
        folder = tmp_path_factory.mktemp(name)
        ours.save(folder)
        out[name] = (ours, transformers.BertTokenizerFast.from_pretrained(folder))
    return out


def theirs(judge: Any, first: list[str], second: list[str] | None = None, **options: Any) -> Any:
    judge.truncation_side = options.pop("side", "right")
    return judge(first, second, padding=False, **options)


@pytest.mark.parametrize("name", ["minilm", "cased", "uncased"])
def test_golden_texts_are_encoded_as_by_transformers(judged: Any, name: str) -> None:
    ours, judge = judged[name]
    assert rows(ours.encode(GOLDEN_TEXTS)) == theirs(judge, list(GOLDEN_TEXTS))["input_ids"]


@pytest.mark.parametrize("name", ["minilm", "cased", "uncased"])
@settings(max_examples=60, deadline=None)
@given(st.lists(texts, min_size=1, max_size=6))
def test_any_text_is_encoded_as_by_transformers(judged: Any, name: str, batch: list[str]) -> None:
    ours, judge = judged[name]
    assert rows(ours.encode(batch)) == theirs(judge, batch)["input_ids"]


@pytest.mark.parametrize("name", ["minilm", "cased", "uncased"])
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(texts, texts), min_size=1, max_size=5),
    st.integers(4, 24),
    st.sampled_from(["head", "tail"]),
    st.booleans(),
)
def test_any_cut_is_that_of_transformers(
    judged: Any, name: str, batch: list[tuple[str, str]], limit: int, keep: Any, paired: bool
) -> None:
    ours, judge = judged[name]
    first, second = [a for a, _ in batch], [b for _, b in batch] if paired else None
    mine = ours.encode(first, second, max_length=limit, keep=keep)
    side = {"head": "right", "tail": "left"}[keep]
    cut = theirs(judge, first, second, truncation="longest_first", max_length=limit, side=side)
    whole = theirs(judge, first, second)["input_ids"]
    assert rows(mine) == cut["input_ids"]
    assert segments(mine) == cut["token_type_ids"]
    assert mine.full_lengths.tolist() == [len(ids) for ids in whole]
    assert mine.lengths.tolist() == [min(len(ids), limit) for ids in whole]


@settings(max_examples=60, deadline=None)
@given(texts, texts)
def test_spans_and_words_are_those_of_transformers(judged: Any, first: str, second: str) -> None:
    ours, judge = judged["minilm"]
    mine = ours.encode([first], [second], details=True)
    want = judge([first], [second], return_offsets_mapping=True)
    assert mine.spans.tolist() == [list(span) for span in want["offset_mapping"][0]]
    assert mine.words.tolist() == [-1 if word is None else word for word in want.word_ids(0)]


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [None, True, False])
@pytest.mark.parametrize("chinese", [True, False])
def test_every_word_rule_survives_saving(
    cased: Tokenizer, tmp_path: Path, lowercase: bool, strip_accents: bool | None, chinese: bool
) -> None:
    pieces = sorted(cased.vocabulary, key=cased.vocabulary.__getitem__)
    ours = Tokenizer.from_vocabulary(
        pieces, lowercase=lowercase, strip_accents=strip_accents, chinese_characters=chinese
    )
    ours.save(tmp_path)
    judge = transformers.AutoTokenizer.from_pretrained(tmp_path)
    batch = ["Café BRÛLÉE Anna", "我爱北京 and东京", "Paris"]
    assert rows(ours.encode(batch)) == judge(batch)["input_ids"]
    again = Tokenizer.from_folder(tmp_path)
    assert again.lowercase == lowercase
    assert again.fingerprint() == ours.fingerprint()


def test_all_special_ids_are_those_of_transformers(judged: Any) -> None:
    for ours, judge in judged.values():
        assert (ours.cls_id, ours.sep_id, ours.pad_id, ours.unk_id, ours.mask_id) == (
            judge.cls_token_id,
            judge.sep_token_id,
            judge.pad_token_id,
            judge.unk_token_id,
            judge.mask_token_id,
        )
        assert ours.size == len(judge)
        assert ours.vocabulary == judge.get_vocab()


def test_decoding_is_that_of_transformers(bert: Tokenizer, judged: Any) -> None:
    judge = judged["minilm"][1]
    ids = bert.encode(["Hello, world! It's unhappiness."]).ids
    assert bert.decode(ids) == judge.decode(ids.tolist(), skip_special_tokens=True)
    assert bert.decode(ids, skip_specials=False) == judge.decode(ids.tolist())
    assert np.array_equal(ids, judge("Hello, world! It's unhappiness.")["input_ids"])


@pytest.mark.realdata
def test_real_texts_are_encoded_as_by_transformers(judged: Any, data: Path) -> None:
    ours, judge = judged["minilm"]
    real = [
        line for file in sorted((data / "tatoeba_bitext").glob("tatoeba.*")) for line in file.open(encoding="utf-8")
    ]
    assert len(real) == 10_000
    assert rows(ours.encode(real, max_length=16)) == theirs(judge, real, truncation=True, max_length=16)["input_ids"]
