"""Clean paragraphs: what is joined and what is not, what is taken out, and that no special token stays; and what is
counted of sentences."""

from __future__ import annotations

import textwrap
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel

from maskwright.base.errors import UserError
from maskwright.data.corpus import blocks, cleaning
from maskwright.data.corpus.cleaning import clean, limited, neutralise, paragraphs, special_pattern, unbroken
from maskwright.data.corpus.settings import SPECIALS
from maskwright.data.corpus.statistics import repeated_share, words_of_sentences

PROSE = (
    "It was a dark and stormy night; the rain fell in torrents, except at occasional intervals, when it was checked by "
    "a violent gust of wind which swept up the streets of London, for it is in London that our scene lies. It rattled "
    "along the housetops, and fiercely agitated the scanty flame of the lamps that struggled against the darkness."
)


@pytest.mark.parametrize("width", [45, 60, 72, 100])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_wrapped_prose_is_one_paragraph(width: int, end: str) -> None:
    wrapped = textwrap.fill(PROSE, width)
    text, control = clean(f"CHAPTER I\nThe Night\n\n{wrapped}\n\n\n{wrapped}\n".replace("\n", end))
    assert control == 0
    assert paragraphs(text) == ["CHAPTER I", "The Night", PROSE, PROSE]


def test_an_indented_line_begins_a_paragraph() -> None:
    wrapped = textwrap.fill(PROSE, 70, initial_indent="   ")
    assert paragraphs(f"{wrapped}\n{wrapped}") == [PROSE, PROSE]


def test_a_line_each_stays_a_paragraph_each() -> None:
    lines = ["One.", "A second sentence, of more words.", "no capital, nor an end", f"{PROSE} {PROSE}", "Short."]
    assert paragraphs("\n".join(lines)) == lines


def test_verse_and_titles_in_wrapped_prose_stay_lines() -> None:
    verse = ["Tiger, tiger, burning bright", "In the forests of the night"]
    text = f"{textwrap.fill(PROSE, 70)}\n\n{verse[0]}\n{verse[1]}\n\n{textwrap.fill(PROSE, 70)}"
    assert paragraphs(text) == [PROSE, *verse, PROSE]


def test_a_hyphen_at_the_end_of_a_line_stays_with_its_word() -> None:
    line = "x" * 59 + " well-"
    assert paragraphs(f"{line}\nknown words\n{'y' * 63}\nz") == [f"{line}known words {'y' * 63} z"]


def test_control_characters_go_and_are_counted() -> None:
    text, count = clean("\ufeffa\x00b\x07 c\u200bd\u00ade\ud800\x0cNew\x85line e\u00ad\u0301")
    assert (text, count) == ("ab cde\n\nNew\nline \u00e9", 7)
    assert clean("\u0644\u200c\u0627")[1] == 0, "joiners are text"


@given(st.text(max_size=200))
def test_clean_text_stays_as_it_is(text: str) -> None:
    once = "\n\n".join(paragraphs(clean(text)[0]))
    assert clean(once) == (once, 0)
    assert unicodedata.is_normalized("NFC", once)
    assert once.encode().decode() == once


@given(st.lists(st.sampled_from([*SPECIALS, "[", "<", "MASK]", "s>", " ", "\x00", "a", "\n"]), max_size=12))
def test_no_tokenizer_finds_a_special_token(parts: list[str]) -> None:
    made = Tokenizer(WordLevel({name: i for i, name in enumerate((*SPECIALS, "?"))}, unk_token="?"))
    made.add_special_tokens([AddedToken(name, normalized=False) for name in SPECIALS])
    text = "\n".join(paragraphs(clean("".join(parts))[0]))
    safe, count = neutralise(text, special_pattern(SPECIALS))
    assert not {*SPECIALS} & {*made.encode(safe).tokens}
    assert count == sum(text.count(name) for name in SPECIALS)
    assert safe.replace(" ", "") == text.replace(" ", "")


def test_longer_specials_come_first_and_none_is_fine() -> None:
    assert neutralise("<s>>x<s>", special_pattern(["<s>", "<s>>"])) == ("< s>>x< s>", 2)
    assert neutralise("a [MASK]", special_pattern([])) == ("a [MASK]", 0)


def test_a_sentence_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "LONGEST", 10)
    assert limited("aaa bbb ccc ddd") == ["aaa bbb", "ccc ddd"]
    assert limited("a" * 25) == ["a" * 10, "a" * 10, "a" * 5]
    assert limited("short") == ["short"]


def test_a_run_without_a_blank_is_given_to_the_splitter_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "LONGEST", 10)
    assert unbroken("some words, none of them long") == (["some words, none of them long"], 0)
    assert unbroken(f"so {'x' * 25} it is") == (["so xxxxxxxxxx", "xxxxxxxxxx", "xxxxx it is"], 2)
    assert unbroken("一二三四五六七。「八九十百千。」万") == (["一二三四五六七。", "「八九十百千。」", "万"], 0), (
        "no cut"
    )


@given(st.lists(st.text(alphabet="ab?。」", min_size=1, max_size=30), min_size=1, max_size=6))
def test_parts_of_a_run_hold_all_of_it(words: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cleaning, "LONGEST", 7)
        parts, cuts = unbroken(" ".join(words))
    assert "".join(parts) == " ".join(words)
    assert all(len(word) <= 7 for part in parts for word in part.split())
    assert cuts >= sum(-(-len(word) // 7) - 1 for word in words if "。" not in word)


def test_a_language_filter_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "py3langid", None)
    blocks._languages.cache_clear()
    with pytest.raises(UserError, match=r"pip install 'maskwright\[corpus\]'"):
        blocks.check_language("en")


def test_figures_of_sentences() -> None:
    found = words_of_sentences(np.bincount([1, 2, 2, 3, 10]))
    assert found == {"mean": 3.6, "0.05": 1, "0.25": 2, "0.5": 2, "0.75": 3, "0.95": 10, "0.99": 10, "most": 10}
    assert repeated_share(np.array([3, 1, 3, 3], np.uint64)) == 0.5
    assert repeated_share(np.array([], np.uint64)) == 0
