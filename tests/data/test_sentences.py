"""CoNLL and CoNLL-U: one word a line, as files of the world have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskwright.data.read import read
from maskwright.data.tagged import rows

CONLL = """-DOCSTART- -X- O O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

Peter NNP B-NP B-PER
"""


def test_columns_by_number_and_the_last_as_label(file):
    table = read(file("a.conll", CONLL))
    assert table.columns == {
        "text": ["EU rejects", "Peter"],
        "words": [[[0, 2], [3, 10]], [[0, 5]]],
        "2": [["NNP", "VBZ"], ["NNP"]],
        "3": [["B-NP", "B-VP"], ["B-NP"]],
        "label": [["B-ORG", "O"], ["B-PER"]],
    }
    assert table.lines == [3, 6]
    assert [table.where(0, 1), table.where(1, 0)] == [f"{table.source} line 4", f"{table.source} line 6"]
    assert table.select([1]).where(0, 0) == f"{table.source} line 6"
    assert table.notes == [f"{table.source}: 1 -DOCSTART- line marked documents and were left out."]


def test_a_mark_of_a_document_without_a_blank_line_behind_it(file):
    table = read(file("a.conll", "-DOCSTART- O\na O\nb B-x\n"))
    assert (table.columns["text"], table.lines) == (["a b"], [2])


def test_tabs_keep_words_with_spaces_and_a_line_of_a_tab_ends_a_sentence(file):
    table = read(file("a.conll", "New York\tB-l\nis\tO\n\t\nbig\tO\r\n\r\n \n"))
    assert table.columns["text"] == ["New York is", "big"]
    assert table.columns["words"][0] == [[0, 8], [9, 11]]


def test_a_word_that_is_a_space_of_its_own_kind(file):
    assert read(file("a.conll", "a O\n\u00a0 O\n")).columns["text"] == ["a \u00a0"]


def test_any_other_suffix_by_name(file):
    assert read(file("a.tsv", "a\tO\n"), "conll").columns["label"] == [["O"]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a O\nb\n", "line 2: 'b' is one cell; a word and its tag are needed"),
        ("a O\n\nb x O\n", "line 3: 3 cells, but the lines before have 2."),
        ("-DOCSTART- O\n", "holds no sentence."),
        ("a\tO\n\tO\n", "line 2: there is no word in front of 'O'."),
    ],
)
def test_what_does_not_hold_together_in_conll(file, fails, content, said):
    assert said in fails(file("a.conll", content))


def row(number: str, form: str, upos: str = "NOUN", misc: str = "_") -> str:
    return "\t".join([number, form, form.lower(), upos, "_", "_", "0", "root", "_", misc])


def test_words_stand_in_the_text_of_the_comment(file):
    lines = ["# sent_id = 1", "# text = I cannot, 'zum'.", row("1", "I", "PRON"), row("2-3", "cannot", "_")]
    lines += [row("2", "can", "AUX"), row("3", "not", "PART"), row("4", ",", "PUNCT"), row("5", "'", "PUNCT")]
    lines += [row("6-7", "zum", "_"), row("6", "zu", "ADP"), row("7", "dem", "DET"), row("7.1", "empty")]
    lines += [row("8", "'", "PUNCT"), row("9", ".", "PUNCT")]
    table = read(file("a.conllu", "\n".join(lines) + "\n\n"))
    (text,), (words,) = table.columns["text"], table.columns["words"]
    assert text == "I cannot, 'zum'."
    assert [text[a:b] for a, b in words] == ["I", "can", "not", ",", "'", "zu", "m", "'", "."]
    assert table.columns["upos"] == [["PRON", "AUX", "PART", "PUNCT", "PUNCT", "ADP", "DET", "PUNCT", "PUNCT"]]
    assert table.lines == [1]
    assert [table.where(0, i) for i in (0, 1, 3, 5, 7)] == [f"{table.source} line {n}" for n in (3, 5, 7, 10, 13)]


def test_a_token_of_one_letter_that_is_two_words(file):
    """As Portuguese has it."""
    lines = ["# text = Vou à praia", row("1", "Vou", "VERB"), row("2-3", "à", "_"), row("2", "a", "ADP")]
    lines += [row("3", "a", "DET"), row("4", "praia")]
    table = read(file("a.conllu", "\n".join(lines) + "\n\n"))
    (found,) = rows(table, "text", "upos")
    assert found.tags == ["VERB", "ADP", "DET", "NOUN"]
    assert [found.text[a:b] for a, b in found.words] == ["Vou", "à", "à", "praia"]


def test_a_text_that_the_words_do_not_make_up_is_told(file):
    table = read(file("a.conllu", "\n".join(["# text = something else", row("1", "A"), row("2", "b")]) + "\n"))
    assert table.columns["text"] == ["A b"]
    assert "1 sentence (first at line 1) whose words do not stand" in table.notes[0]


def test_what_does_not_hold_together_in_conllu(file, fails):
    assert "line 1: 2 cells parted by tabs; CoNLL-U has 10." in fails(file("a.conllu", "1\ta\n"))
    for number in ("1-x", "5-2"):
        assert f"line 1: '{number}' is no range of words" in fails(file("a.conllu", row(number, "a") + "\n"))


def test_a_word_of_a_megabyte_and_a_gzip_file(tmp_path):
    import gzip

    long = "x" * 2**20
    path = tmp_path / "a.conll.gz"
    path.write_bytes(gzip.compress(f"a\tO\n\n{long}\tO\nb\tO\n".encode()))
    assert read(path).columns["text"] == ["a", f"{long} b"]


@pytest.mark.realdata
def test_real_sets(data: Path):
    counts = {"wnut17/wnut17train.conll": 3394, "wnut17/emerging.dev.conll": 1009}
    counts |= {"bc5cdr/train.tsv": 4560, "ncbi_disease/devel.tsv": 923}
    for name, count in counts.items():
        assert len(read(data / name, "conll")) == count
    table = read(data / "ud_en_partut" / "en_partut-ud-train.conllu")
    assert len(table) == 1781
    assert sum(map(len, table.columns["upos"])) == 43_504
    assert not table.notes
    for text, words in zip(table.columns["text"], table.columns["words"], strict=True):
        assert all(text[a:b].strip() for a, b in words)
