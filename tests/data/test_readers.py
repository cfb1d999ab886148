from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from maskwright.base.choice import dump, find, names, resolve
from maskwright.base.errors import UserError
from maskwright.data.read import read
from maskwright.data.readers._reader import FOLDER, Reader
from maskwright.data.readers.csv import Csv
from maskwright.data.readers.tsv import Tsv
from maskwright.data.settings import Data, Encoded
from maskwright.data.stream import open_rows

FILES = [name for name in names(Reader) if FOLDER not in find(Reader, name).suffixes]
TEXTS = [name for name in FILES if issubclass(find(Reader, name), Encoded)]
#: others have a word a line, or articles of questions: test_sentences.py, test_squad.py
CELLS = [name for name in names(Reader) if not name.startswith("conll") and name != "squad"]

# The registry


@pytest.mark.parametrize("name", names(Reader))
def test_every_reader_round_trips_and_owns_its_suffixes(name):
    part = resolve(Reader, name)
    assert resolve(Reader, json.loads(json.dumps(dump(part)))) == part
    assert part.suffixes
    assert all(s == FOLDER or (s.startswith(".") and s == s.lower()) for s in part.suffixes)
    others = {s for n in names(Reader) if n != name for s in find(Reader, n).suffixes}
    assert not others & set(part.suffixes)


@pytest.mark.parametrize("name", FILES)
def test_every_reader_of_files_refuses_an_empty_one(name, file, fails):
    path = file(f"none{find(Reader, name).suffixes[0]}", "")
    assert fails(path) == f"{path} is empty; a file of rows is needed."


@pytest.mark.parametrize("name", TEXTS)
def test_every_reader_of_texts_refuses_a_blank_file(name, file, fails):
    path = file(f"blank{find(Reader, name).suffixes[0]}", "\n\n")
    assert fails(path) == f"{path} is empty; a file of rows is needed."


@pytest.mark.parametrize("name", TEXTS)
def test_every_reader_names_the_line_of_a_byte_that_is_not_utf8(name, file, fails):
    path = file(f"old{find(Reader, name).suffixes[0]}", b'{"text": "a"}\n{"text": "caf\xe9"}\n')
    message = fails(path)
    assert message.startswith(f"{path} line 2: byte 0xe9 is not utf-8")
    assert "--set data.encoding=latin-1" in message


@pytest.mark.parametrize("name", TEXTS)
def test_every_reader_names_the_line_of_a_nul(name, file, fails):
    path = file(f"nul{find(Reader, name).suffixes[0]}", '{"text": "a"}\n{"text": "b\0"}\n')
    assert fails(path).startswith(f"{path} line 2: there is a NUL character. It is not a text file, or it is damaged")


LONG = "a whole book, in one cell: ça va. " * 30_000  #: over a megabyte as UTF-8


def stored(name: str, path: Path, columns: dict[str, list[str]]) -> Path:
    """A file, or a folder of one file a row, that holds these columns in the format of a reader."""
    if name == "folder":
        for row, (text, label) in enumerate(zip(*columns.values(), strict=True)):
            (path / label).mkdir(parents=True)
            (path / label / f"{row}.txt").write_text(text, encoding="utf-8")
    elif name == "parquet":
        parquet.write_table(pa.table(columns), path)
    elif name == "jsonl":
        rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    else:
        with open(path, "w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out, delimiter={"csv": ",", "tsv": "\t"}[name])
            writer.writerows([tuple(columns), *zip(*columns.values(), strict=True)])
    return path


@pytest.mark.parametrize("name", CELLS)
def test_every_reader_gives_a_text_of_a_megabyte_back_whole(name, tmp_path):
    """In the middle of short ones, whether all rows are read or one comes after the other."""
    assert len(LONG.encode()) > 2**20
    suffix = next(s for s in find(Reader, name).suffixes)
    columns = {"text": ["short", LONG, "the last"], "label": ["a", "b", "c"]}
    if name == "folder":
        columns["text"] = [text.strip() for text in columns["text"]]
    path = stored(name, tmp_path / ("rows" if suffix == FOLDER else f"rows{suffix}"), columns)
    table = read(path, needs=("text", "label"))
    assert {wanted: table.column(wanted) for wanted in columns} == columns
    if name != "folder":
        rows = list(open_rows(path, needs=("text",)).found)
        assert [row.error for row in rows] == [None] * 3
        assert [row.cells["text"] for row in rows] == columns["text"]


# Choosing the reader


def test_a_suffix_that_tells_no_format(file, fails):
    path = file("a.txt", "text\tlabel\na\t1\n")
    message = fails(path)
    assert f"{path}: the suffix '.txt' tells no file format. Allowed: .annotated, .bio, .conll, .conllu, " in message
    assert ".jsonl, .ndjson, .parquet, .pq, .tab, .tsv, those of text files also with .gz behind, and a fo" in message
    assert "--set data.reader=tsv" in message
    for options in ({"reader": "tsv"}, {"reader": Tsv()}, {"settings": Data(reader="tsv")}):
        assert read(path, needs=("text",), **options).column("label") == ["1"]
    assert read(path, reader={"name": "tsv", "header": False}).column("2") == ["label", "1"]


def test_a_reader_that_does_not_exist(file, fails):
    assert "There is no reader 'tvs'. Did you mean 'tsv'?" in fails(file("a.txt", "a\n"), reader="tvs")


def test_settings_in_two_places(file, fails):
    message = fails(file("a.csv", "a,b\n"), reader=Csv(header=True), settings=Data(quoting=False))
    assert "Give the reader its settings itself, or as data.quoting, not in both places." in message


def test_suffixes_in_capitals(file):
    assert len(read(file("A.CSV", "text\na\nb\n"), needs=("text",))) == 2


def test_a_file_that_is_not_there(file, tmp_path, fails):
    file("train.csv", "a\n")
    assert f"There is no file '{tmp_path / 'trian.csv'}'. Did you mean '{tmp_path / 'train.csv'}'?" in fails(
        tmp_path / "trian.csv"
    )
    assert fails(tmp_path / "no" / "a.csv") == f"There is no file '{tmp_path / 'no' / 'a.csv'}'."


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"delimiter": ", "}, "delimiter = ', ': give one character"),
        ({"delimiter": '"'}, "not a quote or a line end"),
        ({"encoding": "utf9"}, "There is no encoding 'utf9'."),
        ({"columns": ("a", "a")}, "columns = ['a', 'a']: give at least one name, none empty, none twice."),
        ({"columns": ()}, "give at least one name"),
    ],
)
def test_settings_that_make_no_sense(given, told):
    with pytest.raises(UserError) as caught:
        Data(**given)
    assert told in str(caught.value)


@pytest.mark.parametrize("written", ["tab", "\\t", "\t"])
def test_a_tab_as_people_write_it(file, written):
    table = read(file("a.csv", "text\tlabel\na,b\t1\n"), settings=Data(delimiter=written), needs=("text",))
    assert table.column("text") == ["a,b"]
