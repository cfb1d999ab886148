"""Minimal pairs from files, folders and archives, with errors that name the line."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maskwright.base.errors import UserError
from maskwright.data.pairs import Pair, read_pairs


def rows(paradigm: str, count: int, **more: Any) -> list[dict[str, Any]]:
    said = {"field": "syntax", "linguistics_term": "npi", "UID": paradigm, **more}
    return [{"sentence_good": f"good {i}.", "sentence_bad": f"bad {i}.", **said} for i in range(count)]


def write(path: Path, found: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return path


def test_the_folder_of_blimp(tmp_path: Path) -> None:
    write(tmp_path / "data/two.jsonl", rows("two", 3))
    write(tmp_path / "data/one.jsonl", rows("one", 2))
    write(tmp_path / ".hidden.jsonl", rows("hidden", 2))
    write(tmp_path / "__MACOSX/more.jsonl", rows("more", 2))
    (tmp_path / "readme.md").write_text("no pairs")
    pairs, notes = read_pairs(tmp_path)
    assert notes == []
    assert [pair.paradigm for pair in pairs] == ["one"] * 2 + ["two"] * 3
    where = f"{tmp_path / 'data/one.jsonl'} line 2"
    assert pairs[1] == Pair("good 1.", "bad 1.", "one", where, "syntax", "npi")


def test_a_limit_is_of_each_paradigm(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", rows("one", 3) + rows("two", 1) + rows("one", 3))
    write(tmp_path / "b.jsonl", rows("one", 3) + rows("three", 4))
    pairs, _ = read_pairs(tmp_path, limit=2)
    assert Counter(pair.paradigm for pair in pairs) == {"one": 2, "two": 1, "three": 2}
    assert [pair.good for pair in pairs if pair.paradigm == "one"] == ["good 0.", "good 1."]


def test_an_archive_and_a_folder_with_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pairs.zip", "w") as archive:
        for name in ("data/two.jsonl", "data/one.jsonl", "__MACOSX/data/._one.jsonl", "data/.DS_Store"):
            paradigm = Path(name).stem
            archive.writestr(name, "".join(json.dumps(row) + "\n" for row in rows(paradigm, 2)))
    for place in (tmp_path / "pairs.zip", tmp_path):
        pairs, _ = read_pairs(place)
        assert [pair.paradigm for pair in pairs] == ["one"] * 2 + ["two"] * 2
        assert pairs[0].where == f"{tmp_path / 'pairs.zip'}/data/one.jsonl line 1"


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_two_columns_are_one_paradigm(suffix: str, tmp_path: Path, write_csv: Callable[..., str]) -> None:
    file = tmp_path / f"mine{suffix}"
    found = [("a good one", "a bad one"), ("good, again", "bad, again")]
    if suffix == ".csv":
        write_csv(file, {"good": [g for g, _ in found], "bad": [b for _, b in found]})
    elif suffix == ".tsv":
        file.write_text("".join(f"{g}\t{b}\n" for g, b in [("good", "bad"), *found]))
    else:
        write(file, [{"good": g, "bad": b} for g, b in found])
    pairs, _ = read_pairs(file)
    assert [(pair.good, pair.bad) for pair in pairs] == found
    assert {(pair.paradigm, pair.field, pair.term) for pair in pairs} == {("mine", None, None)}


def test_two_equal_sentences_are_told(tmp_path: Path) -> None:
    same = {"sentence_good": "twice.", "sentence_bad": "twice.", "UID": "one", "field": "syntax"}
    file = write(tmp_path / "one.jsonl", [*rows("one", 1), {**same, "linguistics_term": "npi"}])
    pairs, notes = read_pairs(file)
    assert len(pairs) == 2
    assert notes == [f"The two sentences of 1 pair are the same, first at {file} line 2: ties."]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"sentence_bad": ""}, r"one\.jsonl line 2: sentence_bad is '', not a sentence"),
        ({"sentence_good": None}, r"line 2: sentence_good is None, not a sentence"),
        ({"sentence_good": 5}, r"line 2: sentence_good is 5, not a sentence"),
        ({"UID": None}, r"line 2: UID is None, not a name\. Fill the cell, or remove the column"),
        (
            {"field": "semantics"},
            r"line 2: the paradigm 'one' is of semantics, npi here, and of syntax, npi at .* line 1",
        ),
    ],
)
def test_a_bad_row_is_named(second: dict[str, Any], said: str, tmp_path: Path) -> None:
    first, other = rows("one", 2)
    with pytest.raises(UserError, match=said):
        read_pairs(write(tmp_path / "one.jsonl", [first, other | second]))


def test_files_that_hold_no_pairs(tmp_path: Path) -> None:
    file = write(tmp_path / "one.jsonl", [{"sentence_good": "good", "bad one": "bad"}])
    with pytest.raises(UserError, match=r"has no column 'sentence_bad' or 'bad'; it has: sentence_good, bad one\."):
        read_pairs(file)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty holds no pairs\. Needed: \.jsonl"):
        read_pairs(tmp_path / "empty")
    with pytest.raises(UserError, match="There is no file"):
        read_pairs(tmp_path / "gone.jsonl")
    with pytest.raises(UserError, match="limit = 0: give at least 1 pair"):
        read_pairs(file, 0)
    (tmp_path / "one.jsonl").write_text('{"sentence_good": "a", "sentence_bad": "b"}\n{"sentence_good": \n')
    with pytest.raises(UserError, match=r"one\.jsonl line 2 is not JSON"):
        read_pairs(file)


def test_archives_that_hold_none(tmp_path: Path) -> None:
    (tmp_path / "torn.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(UserError, match=r"torn\.zip is not a zip file, or a damaged one"):
        read_pairs(tmp_path / "torn.zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("notes.txt", "no pairs")
    with pytest.raises(UserError, match=r"other\.zip holds no \.jsonl file"):
        read_pairs(tmp_path / "other.zip")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("one.jsonl", json.dumps(rows("one", 1)[0]) + "\n[]\n")
    with pytest.raises(UserError, match=r"bad\.zip/one\.jsonl line 2 is not an object"):
        read_pairs(tmp_path / "bad.zip")


@pytest.mark.realdata
def test_all_of_blimp(data: Path) -> None:
    pairs, notes = read_pairs(data / "blimp")
    assert len(pairs) == 67_000
    assert set(Counter(pair.paradigm for pair in pairs).values()) == {1000}
    assert len({pair.paradigm for pair in pairs}) == 67
    assert {pair.field for pair in pairs} == {"morphology", "semantics", "syntax", "syntax_semantics"}
    assert {pair.term for pair in pairs} >= {"island_effects", "npi_licensing", "subject_verb_agreement"}
    assert len(notes) == 1
    assert notes[0].startswith("The two sentences of 7 pairs are the same")
