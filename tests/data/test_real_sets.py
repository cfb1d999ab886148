"""The published sets as people have them: with and without headers, with bare quotes, byte order marks and CRLF."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from maskwright.base.errors import UserError
from maskwright.data.facts import Side, examine
from maskwright.data.labels import Labels
from maskwright.data.read import read
from maskwright.data.settings import Data
from maskwright.data.splits import split

FOLDER = os.environ.get("MASKWRIGHT_DATA")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not FOLDER, reason="MASKWRIGHT_DATA does not name the folder of real sets"),
]


def real(name: str) -> Path:
    return Path(FOLDER or "") / name


@pytest.mark.parametrize(
    ("name", "rows", "needs"),
    [
        ("sst2_sentences/train.tsv", 6920, ("1", "2")),
        ("sst2_sentences/dev.tsv", 872, ("1", "2")),
        ("sst2_sentences/test.tsv", 1821, ("1", "2")),
        ("sst2_glue_phrases/train.tsv", 60614, ("sentence", "label")),
        ("sst2_glue_phrases/dev.tsv", 6735, ("sentence", "label")),
        ("sst2_glue_phrases/test.tsv", 872, ("sentence", "label")),
        ("rte/train.tsv", 2490, ("sentence1", "sentence2", "label")),
        ("rte/dev.tsv", 277, ("sentence1", "sentence2", "label")),
        ("rte/test.tsv", 3000, ("sentence1", "sentence2")),
        ("stsb/stsb-en-train.csv", 5749, ("1", "2", "3")),
        ("stsb/stsb-en-dev.csv", 1500, ("1", "2", "3")),
        ("stsb/stsb-en-test.csv", 1379, ("1", "2", "3")),
        ("stsb/stsb-de-train.csv", 5749, ("1", "2", "3")),
        ("cola_public/in_domain_train.tsv", 8551, ("2", "4")),
        ("cola_public/in_domain_dev.tsv", 527, ("2", "4")),
        ("cola_public/out_of_domain_dev.tsv", 516, ("2", "4")),
        ("wnli/train.csv", 635, ("premise", "hypothesis", "label")),
        ("goemotions/train.tsv", 43410, ("1", "2")),
        ("crows_pairs/crows_pairs_anonymized.csv", 1508, ("sent_more", "sent_less")),
        ("checklist/sentiment_suite.sample50.jsonl", 1682, ("data", "label")),
    ],
)
def test_rows_are_those_of_the_published_set(name, rows, needs):
    table = read(real(name), needs=needs)
    assert len(table) == rows
    assert all(len(cells) == rows for cells in table.columns.values())
    assert not [n for n in table.notes if "guessed" in n]
    unsaid = read(real(name))  # and the guess is right where nobody says which columns to expect
    assert unsaid.columns == table.columns


def test_labels_are_what_they_should_be():
    for name, column, names in [
        ("sst2_sentences/train.tsv", "2", ("0", "1")),
        ("cola_public/in_domain_train.tsv", "2", ("0", "1")),
        ("rte/train.tsv", "label", ("entailment", "not_entailment")),
        ("wnli/train.csv", "label", ("entailment", "not_entailment")),
    ]:
        table = read(real(name), needs=(column,))
        assert Labels.discover(table.column(column), table.where).names == names


@pytest.mark.parametrize(("name", "rows"), [("train", 4076), ("test", 1725)])
def test_mrpc_with_its_own_suffix_mark_line_ends_and_bare_quotes(name, rows):
    path = real(f"mrpc/msr_paraphrase_{name}.txt")
    with pytest.raises(UserError, match=r"the suffix '\.txt' tells no file format"):
        read(path)
    table = read(path, reader="tsv", needs=("Quality", "#1 String", "#2 String"))
    assert len(table) == rows
    assert table.lines == list(range(2, rows + 2))
    assert table.notes[0].endswith("quoting off.")
    assert list(table.columns) == ["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"]
    assert set(table.column("Quality")) == {"0", "1"}
    assert not any(cell.endswith("\r") for cell in table.column("#2 String"))
    texts = [line.split("\t")[3] for line in path.read_text(encoding="utf-8-sig").splitlines()[1:]]
    assert table.column("#1 String") == texts


def test_mrpc_read_as_quoted_does_not_swallow_rows():
    with pytest.raises(UserError, match=r"line \d+: a quote .* opens a cell here and line \d+ has more text"):
        read(real("mrpc/msr_paraphrase_train.txt"), settings=Data(reader="tsv", quoting=True))


def test_quoted_cells_lose_their_quotes_and_scores_are_numbers():
    table = read(real("stsb/stsb-en-train.csv"), needs=("1", "2", "3"))
    assert all(0 <= float(score) <= 5 for score in table.column("3"))
    assert any(", " in text for text in table.column("1"))
    emotions = read(real("goemotions/train.tsv"), needs=("1", "2"))
    assert emotions.notes[0].endswith("quoting on.")
    assert not any(text.endswith('"""') for text in emotions.column("1"))


def test_numbers_for_a_set_that_has_a_header_are_refused():
    with pytest.raises(UserError, match=r"line 1 reads like a header \(sentence, label\)"):
        read(real("sst2_glue_phrases/train.tsv"), needs=("1", "2"))


def test_a_real_set_is_split_in_proportion():
    table = read(real("rte/train.tsv"), needs=("label",))
    codes = Labels.discover(table.column("label"), table.where).encode(table.column("label"), table.where)
    parts = split(codes, len(table), (0.8, 0.1, 0.1), 0)
    assert [len(p) for p in parts] == [1992, 249, 249]
    assert all(abs(codes[p].sum() - codes.mean() * len(p)) <= 1 for p in parts)


def test_what_sst2_repeats_is_the_same_text():
    sides = []
    for name, file in [("train", "train"), ("eval", "dev"), ("test", "test")]:
        table = read(real(f"sst2_sentences/{file}.tsv"), needs=("1", "2"))
        sides.append(Side(name, table, table.column("1"), None, np.array(table.column("2")).astype(np.int64)))
    found = [f for f in examine(sides).findings if f.kind in ("duplicates", "leak")]
    texts = {s.name: {n: t.casefold().split() for n, t in zip(s.table.lines, s.texts, strict=True)} for s in sides}
    for values in (f.values for f in found):
        ours, theirs = texts[values["split"]], texts[values["other_split"]]
        assert [ours[line] for line in values["lines"]] == [theirs[line] for line in values["other_lines"]]
    train = set(map(tuple, texts["train"].values()))
    told = {(f.values["other_split"], f.values["split"]): f.count for f in found}
    assert told["train", "train"] == 6920 - len(train) > 0
    assert told["train", "test"] == sum(tuple(text) in train for text in texts["test"].values()) > 0


def test_mrpc_has_rows_that_are_nearly_training_rows():
    sides = []
    for name in ("train", "test"):
        table = read(real(f"mrpc/msr_paraphrase_{name}.txt"), reader="tsv")
        targets = np.array(table.column("Quality")).astype(np.int64)
        sides.append(Side(name, table, table.column("#1 String"), table.column("#2 String"), targets))
    found = {f.kind: f for f in examine(sides, names=("other", "same")).findings}
    assert "leak" not in found
    near = found["near leak"]
    assert (near.severity, near.count) == ("warning", 95)
    train, test = sides
    line, other = near.values["lines"][0], near.values["other_lines"][0]
    ours, theirs = test.table.lines.index(line), train.table.lines.index(other)
    words = [set(side.text(row).lower().split()) for side, row in ((test, ours), (train, theirs))]
    assert len(words[0] & words[1]) > 0.7 * len(words[0] | words[1])
