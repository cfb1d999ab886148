"""Rows found in declared training text: by runs of 8 words, short texts by whole lines."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from maskwright.base.errors import UserError
from maskwright.data import _corpus
from maskwright.data._corpus import in_corpus
from maskwright.data._finding import Finding, Side
from maskwright.data.read import read
from maskwright.data.table import Table

Write = Callable[[str, str | bytes], Path]

LONG = "The quick brown fox jumps over the lazy dog and then it sleeps until noon."
OTHER = "A slow green turtle crawls under a busy bridge while nobody in town looks at it."


def rows(*texts: str, name: str = "eval", pairs: list[str] | None = None) -> Side:
    table = Table({"text": list(texts)}, f"{name}.csv", list(range(2, len(texts) + 2)))
    return Side(name, table, list(texts), pairs)


def one(side: Side, *files: Path) -> Finding:
    (found,) = in_corpus([side], files)
    return found


def test_a_row_is_found_whatever_its_case_signs_and_line_breaks(file: Write) -> None:
    text = "Once upon a time.\n\nTHE QUICK, brown fox\njumps over the lazy dog -- and then\nit sleeps until noon!\n"
    corpus = file("corpus.txt", text)
    found = one(rows(LONG, OTHER), corpus)
    assert found.sentence == "1 of 2 eval rows (50 %) stands in the declared corpus."
    assert (found.kind, found.severity, found.count) == ("in corpus", "warning", 1)
    assert found.where == (f"eval.csv line 2, in {corpus} line 3",)
    assert found.values["lines"] == [2]
    assert found.values["corpus_words"] == len(text.replace("--", "").split())


def test_seven_tenths_of_the_runs_decide(file: Write) -> None:
    words = [f"word{i}" for i in range(27)]  # 20 runs
    text = " ".join(words)
    assert one(rows(text), file("a.txt", " ".join(words[:21]))).count == 1  # 14 runs
    partly = one(rows(text), file("b.txt", " ".join(words[:20])))
    assert (partly.count, partly.values["partly"]) == (0, 1)
    assert partly.sentence == "No eval row stands in the declared corpus of 20 words."


def test_a_short_text_needs_a_whole_line(file: Write) -> None:
    corpus = file("corpus.txt", "It was very good indeed.\nVery good!\n")
    found = one(rows("very good", "good indeed", "it was very good INDEED", "?!"), corpus)
    assert found.values["lines"] == [2, 4]
    assert found.where[0] == f"eval.csv line 2, in {corpus} line 2"


def test_both_texts_of_a_pair_count(file: Write) -> None:
    corpus = file("corpus.txt", LONG)
    found = one(rows(LONG, LONG, pairs=["yes", OTHER]), corpus)
    assert found.values["lines"] == [2]  # all but one of its items, and hardly half of those of the other row
    assert found.values["partly"] == 1


def test_training_rows_in_it_are_a_fact_and_each_split_is_told(file: Write) -> None:
    corpus = file("corpus.txt", f"{LONG}\n{OTHER}\n")
    train, held, test = in_corpus([rows(LONG, name="train"), rows(OTHER), rows("new", name="test")], [corpus])
    assert [f.severity for f in (train, held, test)] == ["fact", "warning", "fact"]
    assert [f.count for f in (train, held, test)] == [1, 1, 0]


def test_the_first_file_and_line_are_named_over_blocks(file: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_corpus, "_BLOCK", 10)  # runs go over the border of blocks
    other = file("first.txt", "nothing here\n" * 20)
    corpus = file("second.txt", "some words before\n" * 7 + LONG.replace(" dog", "\ndog") + "\n" + LONG)
    assert one(rows(LONG), other, corpus).where == (f"eval.csv line 2, in {corpus} line 8",)


def test_runs_go_over_lines_of_prose_but_not_over_rows_of_a_table(file: Write) -> None:
    half, rest = LONG.split(" over ")
    prose = one(rows(LONG), file("prose.txt", f"{half}\nover {rest}\n"))
    table = one(rows(LONG), file("rows.csv", f"text,label\n{half},1\nover {rest},0\n"))
    assert (prose.count, table.count) == (1, 0)
    path = file("whole.csv", f'text,label\n"nothing",1\n"{LONG}",0\n"very good",1\n')
    found = one(rows(LONG, "Very good."), path)
    assert found.where == (f"eval.csv line 2, in {path} line 3", f"eval.csv line 3, in {path} line 4")


def test_compressed_text_and_a_byte_order_mark(file: Write) -> None:
    corpus = file("corpus.txt.gz", gzip.compress(f"\ufeffvery good\n{LONG}\n".encode()))
    assert one(rows("very good", LONG), corpus).values["lines"] == [2, 3]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("latin.txt", b"fine\ncaf\xe9 here\n", r"latin.txt line 2: byte 0xe9 is not UTF-8 \(.*\). Write the corpus as"),
        (
            "cut.txt.gz",
            gzip.compress(b"some words\n" * 1000, mtime=0)[:-20],
            r"cut.txt.gz' cannot be read after line \d+: ",
        ),
        ("no.txt.gz", b"plain text", r"no.txt.gz' cannot be read after line 0: Not a gzipped file"),
    ],
    ids=["not UTF-8", "cut short", "not compressed"],
)
def test_a_corpus_that_cannot_be_read_is_refused(file: Write, name: str, content: bytes, told: str) -> None:
    with pytest.raises(UserError, match=told):
        one(rows(LONG), file(name, content))


def test_a_corpus_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no file '.*gone.txt'; the corpus is one or more files of text"):
        one(rows(LONG), tmp_path / "gone.txt")
    with pytest.raises(UserError, match=r"' is a folder; name the files of the corpus one by one"):
        one(rows(LONG), tmp_path)


@pytest.mark.realdata
def test_sentences_of_wikitext_are_found_in_it(data: Path) -> None:
    corpus = data / "wikitext2_valid_test" / "valid.raw.txt"
    lines = [line.split(" . ")[0] for line in corpus.read_text(encoding="utf-8").splitlines()]
    taken = [line for line in lines if len(line.split()) > 15][:200]
    assert len(taken) == 200
    found = in_corpus([rows(*taken), rows(*(" ".join(reversed(t.split())) for t in taken), name="test")], [corpus])
    assert (found[0].count, found[1].count) == (200, 0)


@pytest.mark.realdata
def test_a_film_review_that_an_encyclopaedia_quotes_is_found(data: Path) -> None:
    """Row 388 of SST-2's dev set, without signs and hyphens there, stands in WikiText-2 as James Berardinelli's."""
    table = read(data / "sst2_sentences" / "dev.tsv", needs=("1", "2"))
    corpus = data / "wikitext2_valid_test" / "valid.raw.txt"
    found = one(Side("eval", table, table.column("1")), corpus)
    assert found.where == (f"{table.source} line 388, in {corpus} line 3704",)
