"""Forms: the same text in vocabularies with other marks is the same."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models
from vocabularies import ANGLES, BRACKETS, byte_level, deberta_v2, frame, xlm_roberta

from maskwright.text.forms import Form, forms
from maskwright.text.tokenizer import Tokenizer


def by_piece(tokenizer: Tokenizer) -> dict[str, Form]:
    return {tokenizer.tokens([i])[0]: form for i, form in forms(tokenizer).items()}


def test_wordpiece(bert: Tokenizer) -> None:
    found = by_piece(bert)
    assert found["the"] == Form("the", True)
    assert found["##ing"] == Form("ing", False)
    assert found[","] == Form(",", None)
    assert found["我"] == Form("我", None)
    assert "[MASK]" not in found
    assert by_piece(bert.extended(["lymph"]))["lymph"] == Form("lymph", True)


def test_byte_level() -> None:
    tokenizer = Tokenizer(frame(byte_level(ANGLES), ANGLES, "CLS $A SEP SEP $B SEP"), ANGLES)
    found = by_piece(tokenizer)
    assert found["Ġthe"] == Form("the", True)
    assert found["a"] == Form("a", False)
    assert found["."] == Form(".", None)
    assert "Ã" not in found, "half of a character"
    assert not {"<s>", "<mask>"} & set(found)


@pytest.mark.parametrize(("make", "names"), [(xlm_roberta, ANGLES), (deberta_v2, BRACKETS)])
def test_sentencepiece(make: object, names: dict[str, str]) -> None:
    found = by_piece(Tokenizer(make(), names))  # type: ignore[operator]
    assert found["▁the"] == Form("the", True)
    assert found["s"] == Form("s", False)
    assert "▁" not in found, "no text"


def test_marks_that_say_nothing_of_the_beginning() -> None:
    ends = Backend(models.BPE({"<unk>": 0, "ab</w>": 1, "a": 2}, [], unk_token="<unk>", end_of_word_suffix="</w>"))
    found = by_piece(Tokenizer(ends, {"unk": "<unk>"}))
    assert found == {"ab</w>": Form("ab", None), "a": Form("a", None)}


@pytest.mark.parametrize(("form", "text"), [(Form("x", True), " x"), (Form("x", None), " x"), (Form("x", False), "x")])
def test_as_a_text(form: Form, text: str) -> None:
    assert str(form) == text
