"""Pseudo-log-likelihoods: equal to minicons and to masking by hand, whatever stands beside a text."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from minicons.scorer import MaskedLMScorer

from maskwright.base.errors import UserError
from maskwright.tasks import MaskedLM, Sum, _likelihood, open_texts, texts_of

TEXTS = [
    "the story was charming, and the films weren't boringly dull!",
    "a book",
    "unlovely plays: terrible songs? wonderful (booklets), then...",
    "film",
    "the play was awful awful awful and brilliantly filmed by a storyteller",
]
THEIRS = {"plain": "original", "within-word": "within_word_l2r"}


@pytest.fixture
def model(masked: Path) -> MaskedLM:
    loaded = MaskedLM.load(masked, "cpu")
    loaded.precision = "fp32"
    return loaded


@pytest.fixture
def judge(masked: Path) -> MaskedLMScorer:
    tokenizer = transformers.AutoTokenizer.from_pretrained(masked)
    tokenizer.batch_encode_plus = tokenizer.__call__  # its name before transformers 5, by which minicons still calls it
    return MaskedLMScorer(transformers.AutoModelForMaskedLM.from_pretrained(masked), "cpu", tokenizer=tokenizer)


@pytest.mark.parametrize("method", list(THEIRS))
def test_equal_to_minicons(model: MaskedLM, judge: MaskedLMScorer, method: Any) -> None:
    ours = model.score(TEXTS, method)
    sums = judge.sequence_score(TEXTS, reduction=lambda x: x.sum().item(), PLL_metric=THEIRS[method])
    assert [found.log_prob for found in ours] == pytest.approx(sums, rel=1e-5)
    each = judge.token_score(TEXTS, PLL_metric=THEIRS[method])
    for found, theirs in zip(ours, each, strict=True):
        assert found.pieces == len(theirs)
        np.testing.assert_allclose(found.values, [score for _, score in theirs], atol=2e-5)


def test_the_methods_differ_only_within_words(model: MaskedLM) -> None:
    plain, within = (model.score(TEXTS, method) for method in ("plain", "within-word"))
    assert any(abs(a.log_prob - b.log_prob) > 0.1 for a, b in zip(plain, within, strict=True))
    for a, b in zip(plain, within, strict=True):
        words = model.tokenizer.encode([a.text], details=True).words
        assert words is not None
        of = words[words >= 0]
        last = np.append(of[1:] != of[:-1], True)  # no later piece of its word is hidden with it
        np.testing.assert_allclose(a.values[last], b.values[last], atol=1e-5)


@pytest.mark.parametrize("answers", ["at", "before"])
def test_equal_to_masking_by_hand(model: MaskedLM, masked: Path, answers: Any) -> None:
    """transformers, one text and one masked piece at a time."""
    model.answers = answers
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(masked).eval()
    for found in model.score(TEXTS):
        ids = torch.from_numpy(model.tokenizer.encode([found.text]).ids.astype(np.int64))[None]
        wanted = []
        for place in range(1, ids.shape[1] - 1):
            hidden = ids.clone()
            hidden[0, place] = model.tokenizer.mask_id
            with torch.no_grad():
                scores = theirs(hidden).logits[0, place - (answers == "before")]
            wanted.append(float(scores.log_softmax(-1)[ids[0, place]]))
        np.testing.assert_allclose(found.values, wanted, atol=2e-5)
        assert found.log_prob == pytest.approx(sum(wanted), rel=1e-5)


@pytest.mark.parametrize("method", list(THEIRS))
def test_neighbours_windows_and_batches_change_nothing(
    model: MaskedLM, method: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = {text: model.score(text, method)[0].values for text in TEXTS}
    for found in model.score([*TEXTS[::-1], *TEXTS], method):
        np.testing.assert_allclose(found.values, alone[found.text], atol=1e-5)
    monkeypatch.setattr(_likelihood, "WINDOW", 2)
    monkeypatch.setattr(_likelihood, "TOKENS", 30)
    again = model.score(TEXTS, method)
    assert [found.text for found in again] == TEXTS
    for found in again:
        np.testing.assert_allclose(found.values, alone[found.text], atol=1e-5)


def test_texts_are_taken_window_by_window(model: MaskedLM, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def endless() -> Any:
        while True:
            taken.append(1)
            yield f"text {len(taken)}", "the film was dull"

    monkeypatch.setattr(_likelihood, "WINDOW", 3)
    answers = model.stream(endless())
    first = [next(answers).log_prob for _ in range(4)]
    assert len(taken) == 6
    assert first == pytest.approx([first[0]] * 4, rel=1e-5)
    monkeypatch.setattr(_likelihood, "SQUARES", 500)  # two texts of 17 characters
    answers = model.stream(endless())
    next(answers)
    assert len(taken) == 8


def test_counts_and_perplexities(masked_bert: Path) -> None:
    model = MaskedLM.load(masked_bert)
    one, two = model.score(["the film ☃ was dull", "a charming lovely story"])
    assert (one.pieces, one.words, one.unknown) == (5, 5, 1)
    assert (two.words, two.unknown) == (4, 0)
    assert one.per_piece == one.per_word == pytest.approx(math.exp(-one.log_prob / 5))
    total = Sum() + one + two
    assert (total.pieces, total.words, total.unknown) == (5 + two.pieces, 9, 1)
    assert total.log_prob == one.log_prob + two.log_prob
    assert total.plain()["perplexity_per_word"] == pytest.approx(math.exp(-total.log_prob / 9))
    assert Sum(-1e9, 1, 1, 0).per_piece == math.inf
    assert Sum(-1e9, 1, 1, 0).plain()["perplexity_per_piece"] is None
    assert Sum().plain()["perplexity_per_word"] is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Text 2 has no pieces to score"),
        ("the film " * 40, r"Text 2 has 8\d pieces, special ones counted; this model reads 64"),
        ("the [SEP] film", r"Text 2 holds the special piece \[SEP\], which is no text to score"),
        ("the [MASK] film", r"Text 2 holds the special piece \[MASK\]"),
        (7, "Text 2 is 7, a int; give a text"),
    ],
)
def test_what_cannot_be_scored_is_said_behind_the_others(masked_bert: Path, text: Any, said: str) -> None:
    model = MaskedLM.load(masked_bert)
    answers = model.stream([("Text 1", "the film"), ("Text 2", text), ("Text 3", "the book")])
    if isinstance(text, str):
        assert next(answers).text == "the film"
    with pytest.raises(UserError, match=said):
        next(answers)


@pytest.mark.parametrize("before", [0, 2, 3])
def test_nothing_is_said_of_what_cannot_be_scored(
    before: int, masked_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is the first text of all, or the first of those that are read at once."""
    monkeypatch.setattr("maskwright.tasks._likelihood.WINDOW", 2)
    texts = [*["the film"] * before, "[MASK]", "the book"]
    answers = MaskedLM.load(masked_bert).stream([(f"Text {i}", text) for i, text in enumerate(texts, 1)])
    assert [next(answers).text for _ in range(before)] == ["the film"] * before
    with pytest.raises(UserError, match=f"Text {before + 1} holds the special piece"):
        next(answers)


def test_an_unknown_method(masked_bert: Path) -> None:
    with pytest.raises(UserError, match=r"There is no method of scoring 'within'\. Did you mean 'within-word'"):
        MaskedLM.load(masked_bert).score("the film", "within")  # type: ignore[arg-type]


def test_damaged_weights_are_said(masked_bert: Path) -> None:
    model = MaskedLM.load(masked_bert)
    with torch.no_grad():
        model.network.masked_lm.bias.fill_(math.nan)
    with pytest.raises(UserError, match="no finite number"):
        model.score("the film")


def test_texts_of_files(tmp_path: Path, write_csv: Callable[..., str]) -> None:
    (tmp_path / "lines.txt").write_text("one\ntwo words\n")
    rows = open_texts(tmp_path / "lines.txt")
    source = str(tmp_path / "lines.txt")
    assert list(texts_of(rows)) == [(f"{source} line 1", "one"), (f"{source} line 2", "two words")]
    named = write_csv(tmp_path / "rows.csv", {"said": ["one", "two"], "n": ["1", "2"]})
    assert [text for _, text in texts_of(open_texts(named, "said"), "said")] == ["one", "two"]
    with pytest.raises(UserError, match="There is no column 'text'"):
        open_texts(named)
    (tmp_path / "rows.jsonl").write_text('{"text": "one"}\n{"text": null}\n')
    with pytest.raises(UserError, match=r"rows.jsonl line 2: text is None, not a text"):
        list(texts_of(open_texts(tmp_path / "rows.jsonl")))
