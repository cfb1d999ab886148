"""Golden encodings: they survive JSON, and every rule that drifts is found."""

from __future__ import annotations

import json

import pytest

from maskwright.base.errors import UserError
from maskwright.text.golden import GOLDEN_TEXTS, check_golden, golden
from maskwright.text.tokenizer import Tokenizer


def vocabulary(bert: Tokenizer) -> list[str]:
    return sorted(bert.vocabulary, key=bert.vocabulary.__getitem__)


def test_stored_encodings_fit_the_tokenizer_they_came_from(bert: Tokenizer) -> None:
    stored = json.loads(json.dumps(golden(bert)))
    assert stored["texts"] == list(GOLDEN_TEXTS)
    assert stored["ids"][0] == [101, 102]
    check_golden(bert, stored)


@pytest.mark.parametrize("rule", ["lowercase", "strip_accents", "chinese_characters", "swapped", "shifted"])
def test_each_kind_of_drift_is_found(bert: Tokenizer, rule: str) -> None:
    stored = golden(bert)
    pieces, rules = vocabulary(bert), {}
    if rule == "swapped":
        i, j = bert.vocabulary["fox"], bert.vocabulary["dog"]
        pieces[i], pieces[j] = pieces[j], pieces[i]
    elif rule == "shifted":
        pieces.insert(1000, "a-new-piece")
    else:
        rules = {rule: False}
    with pytest.raises(UserError, match="is not the one that was stored with the model"):
        check_golden(Tokenizer.from_vocabulary(pieces, **rules), stored)


def test_the_message_names_the_text_and_both_encodings(bert: Tokenizer) -> None:
    stored = {"texts": ["a fox", "a dog"], "ids": [[101, 1037, 4419, 102], [101, 1037, 9999, 102]]}
    with pytest.raises(UserError) as caught:
        check_golden(bert, stored)
    message = str(caught.value)
    assert "1 of 2 golden texts" in message
    assert "'a dog'" in message
    assert "[101, 1037, 9999, 102]" in message
    assert "[101, 1037, 3899, 102] ([CLS] a dog [SEP])" in message


@pytest.mark.parametrize(
    "stored", [{}, {"texts": ["a"], "ids": []}, {"texts": [], "ids": []}, {"texts": "a", "ids": 3}]
)
def test_damaged_golden_encodings_do_not_pass(bert: Tokenizer, stored: dict[str, object]) -> None:
    with pytest.raises(UserError, match="golden encodings are damaged"):
        check_golden(bert, stored)
