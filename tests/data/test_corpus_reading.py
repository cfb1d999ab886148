"""Files, folders and archives as documents, and each kind of bad input with its message."""

from __future__ import annotations

import gzip
import json
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskwright.base.errors import UserError
from maskwright.data.corpus import CorpusSettings, reading
from maskwright.data.corpus.reading import Raw, Reading
from maskwright.data.corpus.sources import find

File = Callable[[str, str | bytes], Path]


def read(*inputs: Path, **settings: Any) -> list[Raw]:
    return list(Reading(find(inputs), CorpusSettings(**settings)))


def texts(*inputs: Path, **settings: Any) -> dict[str, str]:
    return {raw.name: raw.text for raw in read(*inputs, **settings)}


def message(*inputs: Path, **settings: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(*inputs, **settings)
    return str(caught.value)


def test_every_kind_of_file_in_sorted_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b" / "plain").write_text("two")
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"three"))
    (tmp_path / "d.jsonl").write_text('{"text": "four"}\n\n{"text": null}\n{"text": "five"}\n')
    (tmp_path / "e.ndjson.gz").write_bytes(gzip.compress(b'{"text": "six"}'))
    pq.write_table(pa.table({"text": ["seven", None], "other": [1, 2]}), tmp_path / "f.parquet")
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("z.txt", "nine")
        archive.writestr("in/y.txt.gz", gzip.compress(b"eight"))
        archive.writestr("in/picture.png", b"\x89PNG")
    assert texts(tmp_path) == {
        "a.txt": "one",
        "b/plain": "two",
        "c.txt.gz": "three",
        "d.jsonl#1": "four",
        "d.jsonl#3": "",
        "d.jsonl#4": "five",
        "e.ndjson.gz#1": "six",
        "f.parquet#1": "seven",
        "f.parquet#2": "",
        "g.zip/in/y.txt.gz": "eight",
        "g.zip/z.txt": "nine",
    }


def test_what_a_document_is(file: File) -> None:
    path = file("a.txt", "one\ntwo\r\n \r\n\r\nthree\n")
    assert texts(path) == {"a.txt": "one\ntwo\n \n\nthree\n"}
    assert texts(path, documents="lines") == {"a.txt#1": "one", "a.txt#2": "two", "a.txt#5": "three"}
    assert texts(path, documents="blank-lines") == {"a.txt#1": "one\ntwo", "a.txt#2": "\nthree\n"}


def test_rows_may_have_names_and_another_column(file: File) -> None:
    path = file("a.jsonl", '{"body": "one", "id": 7}\n{"body": "two", "id": "x"}\n')
    assert texts(path, text="body", name="id") == {"7": "one", "x": "two"}
    assert "line 1 has no 'nr' to name" in message(path, text="body", name="nr")


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pieces_do_not_show(file: File, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    content = "é\r\nzwei\n \n\n\ndrei 你\r\r\nvier"
    path = file("a", content)
    wanted = {mode: texts(path, documents=mode) for mode in ("file", "lines", "blank-lines")}
    monkeypatch.setattr(reading, "CHUNK", max(size, 3))
    assert {mode: texts(path, documents=mode) for mode in wanted} == wanted


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_wins(file: File, encoding: str) -> None:
    assert texts(file("a.txt", "häuser".encode(encoding))) == {"a.txt": "häuser"}


def test_mixed_encodings_are_said_with_their_line(file: File) -> None:
    file("a.txt", "fine\n")
    latin = file("b.txt", b"one\ntwo caf\xe9 three\n")
    said = message(latin.parent)
    assert f"{latin} line 2: byte 0xe9 is not utf-8" in said
    assert "iconv -f latin-1 -t utf-8" in said
    assert "--encoding latin-1" in said
    assert texts(latin, encoding="latin-1") == {"b.txt": "one\ntwo café three\n"}
    assert "cp1252" in message(file("c.txt", b"\x93quoted\x94"))
    assert "state --encoding utf-16-le" in message(file("d.txt", "without a mark".encode("utf-16-le")))
    assert "is not utf-8" in message(file("e.txt", "cut é".encode()[:-1]))


def test_binary_files_are_refused(file: File) -> None:
    assert "line 2: there is a NUL character. It is a binary file" in message(file("a.txt", b"one\n\x00\x01\x02\x03"))
    assert "binary file" in message(file("b", bytes(range(254, -1, -1)) * 4))
    numbers = b"".join(number.to_bytes(4, "little") for number in range(2000))
    assert "binary file" in message(file("c.txt", numbers)), "which has as many NULs as UTF-16"


def test_archives_that_are_none(file: File) -> None:
    assert "is not a gzip file" in message(file("a.txt.gz", b"plain text"))
    packed = gzip.compress(os.urandom(5000).hex().encode())
    assert "was cut short" in message(file("b.gz", packed[:-2000]))
    assert "is damaged" in message(file("c.gz", packed[:-8] + b"\0" * 8))
    assert "is not a zip file" in message(file("d.zip", b"PK no zip"))
    assert "cannot be read as Parquet" in message(file("e.parquet", b"PAR1 nothing"))


def test_rows_that_do_not_fit(file: File) -> None:
    path = file("a.jsonl", '{"text": "one"}\n{"txt": "two"}\n')
    assert "a.jsonl line 2: There is no key 'text'. Did you mean 'txt'?" in message(path)
    assert "line 1 is not JSON" in message(file("b.jsonl", "no json\n"))
    assert "line 1 is not an object" in message(file("c.jsonl", "[1]\n"))
    assert "line 1: 'text' is 3, not a text" in message(file("d.jsonl", '{"text": 3}\n'))
    wrong = file("e.parquet", b"")
    pq.write_table(pa.table({"content": ["x"], "n": [1]}), wrong)
    assert "There is no column 'text'. Did you mean 'content'?" in message(wrong)
    assert "is of the type int64" in message(wrong, text="n")


def test_names_that_are_no_text(tmp_path: Path, file: File) -> None:
    path = file("a.jsonl", '{"text": "one", "id": "\\ud800"}\n')
    assert "holds half of a surrogate pair" in message(path, name="id")
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("one")
    except OSError:
        pytest.skip("this file system takes no such name")
    assert "the name is not utf-8. Rename it." in message(tmp_path)


def test_a_row_without_end_is_refused(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ROW", 100)
    monkeypatch.setattr(reading, "CHUNK", 64)
    assert "line 1 is longer than 100 characters" in message(file("a.jsonl", json.dumps({"text": "x" * 500})))


def test_a_line_of_50_megabytes_comes_in_parts_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    with open(path, "w") as stream:
        for _ in range(50):
            stream.write("word " * 200_000)
    tracemalloc.start()
    try:
        parts = [(raw.name, raw.origin, len(raw.text)) for raw in Reading(find([path]), CorpusSettings())]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(size for *_, size in parts) == 50_000_000
    assert [name for name, *_ in parts] == [f"long.txt (part {i})" for i in range(1, len(parts) + 1)]
    assert {origin for _, origin, _ in parts} == {"long.txt"}
    assert len(parts) == 12
    assert peak < 40_000_000


def test_parts_end_at_paragraphs_where_they_can(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LIMIT", 20)
    found = texts(file("a", "one two ab cd\n\nthree four five six seven eight"))
    assert list(found.values()) == ["one two ab cd\n\n", "three four five six ", "seven eight"]
    assert list(found) == ["a (part 1)", "a (part 2)", "a (part 3)"]
    rows = file("b.jsonl", json.dumps({"text": "x" * 45}))
    assert [len(text) for text in texts(rows).values()] == [20, 20, 5]
    lines = file("c", "a" * 30 + "\nb")
    assert list(texts(lines, documents="lines")) == ["c#1 (part 1)", "c#1 (part 2)", "c#2"]


def test_a_file_that_changes_under_way_is_said(file: File) -> None:
    path = file("a.txt", "one")
    found = find([path])
    path.write_text("another")
    with pytest.raises(UserError, match="was changed since the build began"):
        list(Reading(found, CorpusSettings()))


def test_loops_pipes_and_strange_files_are_left_out_and_said(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "a.txt").write_text("one")
    (inner / "back").symlink_to(tmp_path)
    (inner / "gone.txt").symlink_to(tmp_path / "nothing")
    (inner / ".hidden.txt").write_text("no")
    (inner / "picture.png").write_bytes(b"no")
    os.mkfifo(inner / "pipe.txt")
    found = find([tmp_path])
    assert [source.name for source in found.sources] == ["inner/a.txt"]
    assert found.left_out == {
        "hidden": ["inner/.hidden.txt"],
        "links that lead back to a folder they are in": ["inner/back"],
        "links to nothing": ["inner/gone.txt"],
        "suffixes that tell of no text": ["inner/picture.png"],
        "neither files nor folders": ["inner/pipe.txt"],
    }
    assert "Left out, links to nothing: 1 (inner/gone.txt)." in found.notes
    assert "is a pipe, not a file" in message(inner / "pipe.txt")


def test_inputs_that_are_no_text(tmp_path: Path, file: File) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert f"There is no text in {empty}. Needed: text (.txt" in message(empty)
    assert "There is no file" in message(tmp_path / "absent")
    assert "its suffix tells of no text" in message(file("a.png", b"x"))
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / "same.txt").write_text("text")
    assert "would both be named 'same.txt'" in message(one, other)


@pytest.mark.usefixtures("locks_hold")
def test_a_file_that_may_not_be_read(file: File) -> None:
    path = file("a.txt", "secret")
    path.chmod(0)
    assert "permission denied" in message(path.parent)
