"""Sentences: nothing is lost, known traps are passed, and boundaries are as good as the decision record says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.text.sentences import split


def letters(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize(
    "sentences",
    [
        ["Dr. Watson came at noon.", "He left."],
        ['"Well?" said Holmes.', '"I do."'],
        ["Mr. and Mrs. J. R. Smith paid $3.50.", "Was it enough?", "Yes!"],
        ["“Well, Watson,” said he.", "“What?”", "‘Yes.’"],
        ["A title without a stop"],
    ],
)
def test_sentences_of_english(sentences: list[str]) -> None:
    assert split(" ".join(sentences)) == sentences


@pytest.mark.parametrize(
    "sentences", [["你好。", "再见！"], ["「何？」", "はい。"], ["मैं हूँ।", "तुम कौन हो?"], ["如何？！", "好。", "Yes."]]
)
def test_stops_of_other_scripts(sentences: list[str]) -> None:
    assert split("".join(sentences[:-1]) + sentences[-1]) == sentences or split(" ".join(sentences)) == sentences


def test_no_words_no_sentences() -> None:
    assert split("") == split(" \n\t ") == []


@given(st.text(alphabet="aBMr. ?!\"'()。！」।\n\t1é,;[]", max_size=60))
def test_no_character_is_lost_and_no_sentence_is_empty(text: str) -> None:
    found = split(text)
    assert letters("".join(found)) == letters(text)
    assert all(sentence and sentence == sentence.strip() for sentence in found)


@pytest.mark.realdata
def test_boundaries_of_a_treebank(data: Path) -> None:
    lines = (data / "ud_en_partut" / "en_partut-ud-test.conllu").read_text(encoding="utf-8").splitlines()
    gold = [" ".join(line[9:].split()) for line in lines if line.startswith("# text = ")]
    assert len(gold) > 100
    hits = wrong = missed = 0
    for start in range(0, len(gold), 20):
        block = gold[start : start + 20]
        right, found = (ends(some) for some in (block, split(" ".join(block))))
        hits, wrong, missed = hits + len(right & found), wrong + len(found - right), missed + len(right - found)
    assert 2 * hits / (2 * hits + wrong + missed) > 0.94


def ends(sentences: list[str]) -> set[int]:
    """Behind how many letters each sentence but the last ends."""
    out, count = set(), 0
    for sentence in sentences[:-1]:
        count += len(letters(sentence))
        out.add(count)
    return out
