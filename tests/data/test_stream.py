"""Rows one by one: those of `read` where a file holds together; where a row does not, it alone is an error."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.choice import find
from maskwright.base.errors import UserError
from maskwright.data.read import read
from maskwright.data.readers import _tolerant
from maskwright.data.readers._reader import Reader
from maskwright.data.settings import Data
from maskwright.data.stream import open_rows

# Everything but what no text file holds: NUL, and halves of surrogate pairs.
cells = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)


def taken(path: Any, **options: Any) -> list[tuple[int, Any]]:
    """Each row's line, and its cells or its error."""
    return [(row.line, row.error or dict(row.cells)) for row in open_rows(path, **options)]


def fails(path: Any, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        list(open_rows(path, **options))
    return str(caught.value)


def table_rows(path: Any, **options: Any) -> list[tuple[int, Any]]:
    table = read(path, **options)
    columns = list(table.columns.values())
    return [
        (line, dict(zip(table.columns, row, strict=True))) for line, *row in zip(table.lines, *columns, strict=True)
    ]


# The same rows as whole reading


@given(
    rows=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=8),
    end=st.sampled_from(["\n", "\r\n"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
)
def test_csv_as_it_is_read_whole(tmp_path_factory, rows, end, delimiter):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *rows])
    path.write_bytes(out.getvalue().encode())
    settings = Data(header=True, delimiter=delimiter)
    assert taken(path, settings=settings) == table_rows(path, settings=settings)


@given(rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=8))
def test_tsv_as_it_is_read_whole(tmp_path_factory, rows):
    rows = [tuple(c.translate({9: "t", 10: "n", 13: "r"}) for c in row) for row in rows]
    path = tmp_path_factory.mktemp("tsv") / "rows.tsv"
    path.write_bytes(("a\tb\n" + "".join("\t".join(row) + "\n" for row in rows)).encode())
    for settings in (Data(header=True, quoting=False), Data(header=True)):
        assert taken(path, settings=settings) == table_rows(path, settings=settings)


@given(st.lists(st.fixed_dictionaries({"text": cells, "n": st.integers() | st.none()}), min_size=1, max_size=6))
def test_jsonl_as_it_is_read_whole(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("jsonl") / "rows.jsonl"
    path.write_bytes("\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode())
    assert taken(path, needs=("text",)) == table_rows(path, needs=("text",))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"\xef\xbb\xbftext,label\r\na,1\r\n\r\nb,0"),
        ("a.csv", b"text,label\ra,1\rb,0\r"),
        ("a.csv", b"text;label\nwell, good;1\nbad;0\n"),
        ("a.csv", b'text,label\n"two\nlines",1\n\n"one",0\ntext,label\n'),
        ("a.csv", b"one; two,1\nthree; four; five,2\n"),
        ("a.tsv", b'text\tlabel\n"quoted\tcell"\t1\n"plain"\t0\n'),
        ("a.tsv", b'text\tlabel\n"a bare quote\t1\nplain\t0\n'),
        ("a.jsonl", b'\xef\xbb\xbf{"text": "a"}\n\n  \n{"text": "b"}'),
    ],
)
def test_files_of_the_world_as_they_are_read_whole(file, name, content):
    path = file(name, content)
    table = read(path)
    assert taken(path) == table_rows(path)
    rows = open_rows(path)
    assert len(list(rows)) == len(table)
    assert rows.notes == table.notes
    assert rows.names is None or rows.names == tuple(table.columns)


@pytest.mark.parametrize("name", ["csv", "tsv", "jsonl"])
def test_a_reader_that_has_no_way_of_its_own_gives_the_rows_of_its_table(name, file):
    content = {"jsonl": '{"a": "x", "b": "y"}\n', "tsv": "a\tb\nx\ty\n", "csv": "a,b\nx,y\n"}[name]
    reader = find(Reader, name)()
    path = file(f"rows{reader.suffixes[0]}", content)
    assert list(Reader.rows(reader, path, ("a",))) == list(reader.rows(path, ("a",)))


# Bad rows


GOOD = [(2, {"text": "good", "n": "1"}), (4, {"text": "fine", "n": "2"})]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (b"a,b,c", "3 cells, but line 1 has 2. If quotes are plain text in this file, state --set data.quoting=false."),
        (b"alone", "1 cells, but line 1 has 2."),
        (b'"lost,3', 'a quote (") that opens a cell here is not closed as it should be. Inside a quoted cell write'),
        (b'"closed" not,3', 'a quote (") that opens a cell here is not closed as it should be.'),
        (b"caf\xe9,3", "byte 0xe9 at character 4 is not utf-8. If it is an older Western file, state --set data.enc"),
        (b"nul\0,3", "there is a NUL character."),
        (b"re\rturn,3", "a carriage return stands inside a cell that is not quoted."),
    ],
)
@pytest.mark.parametrize("quoted", [False, True])
def test_a_bad_row_of_csv_costs_itself_alone(file, bad, told, quoted):
    rows = [b'"good","1"', bad, b'"fine","2"'] if quoted else [b"good,1", bad, b"fine,2"]
    found = taken(file("a.csv", b"\n".join([b"text,n", *rows, b""])), needs=("text",))
    assert [found[0], found[2]] == GOOD
    line, error = found[1]
    assert line == 3
    assert error.startswith(told)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (b'{"text": "a"', "this line is not JSON: Expecting ',' delimiter at character"),
        (b"[1, 2]", "this line is not an object but [1, 2]; write each row as {name: value} on one line."),
        (b'{"text": "caf\xe9"}', "byte 0xe9 at character 14 is not utf-8."),
        (b'{"text": "a\0"}', "there is a NUL character."),
        (b'{"text": "\\ud800"}', "this line: an escape \\ud800 to \\udfff stands without its partner"),
    ],
)
def test_a_bad_line_of_jsonl_costs_itself_alone(file, bad, told):
    lines = [b'{"text": "good"}', bad, b'{"text": "fine"}']
    (one, bad_row, two) = taken(file("a.jsonl", b"\n".join(lines)), needs=("text",))
    assert (one, two) == ((1, {"text": "good"}), (3, {"text": "fine"}))
    assert bad_row[0] == 2
    assert bad_row[1].startswith(told)


@given(
    count=st.integers(1, 12),
    at=st.integers(0, 11),
    bad=st.sampled_from(['"lost,3', "a,b,c", 'half "way" "', '"x"y,2', "one"]),
    quoted=st.booleans(),
)
def test_a_lost_quote_swallows_no_row(tmp_path_factory, count, at, bad, quoted):
    at = min(at, count)
    good = [f'"row {i}","{i}"' if quoted else f"row {i},{i}" for i in range(count)]
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_text("\n".join(["text,n", *good[:at], bad, *good[at:], ""]))
    found = taken(path, settings=Data(header=True))
    assert [c["text"] for _, c in found if isinstance(c, dict)] == [f"row {i}" for i in range(count)]
    assert [line for line, c in found if isinstance(c, str)] == [at + 2]
    assert [line for line, _ in found] == list(range(2, count + 3))


def test_a_record_over_several_lines_that_is_ragged_is_read_again(file):
    path = file("a.csv", 'text,n\n"lost,1\nfine,2\n"well\n')
    assert [line for line, _ in taken(path)] == [2, 3, 4]
    path = file("b.csv", 'text,n\n"lost,1\nfine,2\nback"\nwell,3\n')
    (lost, fine, back, well) = taken(path)
    assert lost[1].startswith("1 cells, but line 1 has 2. The record runs to line 4; its quote may have lost its part")
    assert (fine, well) == ((3, {"text": "fine", "n": "2"}), (5, {"text": "well", "n": "3"}))
    assert back[1].startswith("1 cells, but line 1 has 2.")


def test_a_quote_that_is_open_for_too_long_is_lost(file, monkeypatch):
    monkeypatch.setattr(_tolerant, "RECORD", 100)
    path = file("a.csv", 'text,n\n"lost,1\n' + "fine,2\n" * 40 + '"x","3"\n')
    found = taken(path)
    assert [line for line, _ in found] == list(range(2, 44))
    assert [line for line, c in found if isinstance(c, str)] == [2]
    long = file("b.csv", f'text,n\n"{"word " * 60_000}",1\n')  # one line may be as long as it likes
    assert len(taken(long)[0][1]["text"]) == 300_000


def test_one_bad_row_does_not_change_how_a_tsv_is_quoted(file):
    rows = ['"one"\t1', '"two\n lines"\t2', "ragged", '"three"\t3']
    (one, two, bad, three) = taken(file("a.tsv", "\n".join(["text\tn", *rows, ""])), needs=("text",))
    assert [c["text"] for _, c in (one, two, three)] == ["one", "two\n lines", "three"]
    assert bad[1].startswith("1 cells, but line 1 has 2.")


def test_a_bad_first_record_is_the_files_fault(file):
    path = file("a.csv", b"t\xe9xt,n\na,1\n")
    assert fails(path).startswith(f"{path} line 1: byte 0xe9 at character 2 is not utf-8.")


def test_a_bad_utf16_or_another_encoding(file):
    path = file("a.csv", "text,n\ncafé,1\n".encode("utf-16"))
    assert fails(path) == f"{path} begins like UTF-16, not like utf-8: state --set data.encoding=utf-16."
    assert taken(path, settings=Data(encoding="utf-16")) == [(2, {"text": "café", "n": "1"})]
    path = file("b.csv", "text,n\ncafé,1\n".encode("latin-1"))
    assert taken(path, settings=Data(encoding="latin-1")) == [(2, {"text": "café", "n": "1"})]
    path = file(
        "c.jsonl", '{"text": "a"}\n'.encode("utf-16-le") + b"\x00\xd8\n\x00" + '{"text": "b"}'.encode("utf-16-le")
    )
    (one, bad, two) = taken(path, settings=Data(encoding="utf-16-le"))
    assert (one[1], two[1]) == ({"text": "a"}, {"text": "b"})
    assert "is not utf-16-le" in bad[1]


# What concerns the whole file


def test_a_column_that_is_not_there(file):
    path = file("a.csv", "txt,n\na,1\n")
    said = fails(path, needs=("text",))
    assert said.startswith(
        f"{path}: There is no column 'text'. Did you mean 'txt'? Allowed: n, txt. {path}: comma-sepa"
    )
    path = file("a.jsonl", '{"n": 1}\n{"txt": "a"}\n')
    assert fails(path, needs=("text",)) == f"{path}: There is no column 'text'. Did you mean 'txt'? Allowed: n, txt."
    path = file("b.jsonl", '{"n": 1}\n{"text": "a"}\n')  # some rows have it
    assert taken(path, needs=("text",)) == [(1, {"n": 1}), (2, {"text": "a"})]


def test_a_file_without_a_row_that_can_be_read(file):
    path = file("a.jsonl", '{\n"text": "a"\n}\n' * 40)
    said = fails(path, needs=("text",))
    assert said.startswith(f"{path}: none of the first 100 rows can be read. Line 1: this line is not JSON")
    assert "The file looks like one JSON value over several lines" in said


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_an_empty_file(file, name):
    path = file(name, "")
    assert fails(path) == f"{path} is empty; a file of rows is needed."
    assert "is empty" in fails(file(name, "\n\n"))


def test_a_header_alone(file):
    path = file("a.csv", "text,n\n")
    assert fails(path, needs=("text",)) == f"{path} has a header (text, n) and no rows."


def test_files_that_are_not_there(file, tmp_path):
    file("train.csv", "a\n")
    assert fails(tmp_path / "trian.csv") == (
        f"There is no file '{tmp_path / 'trian.csv'}'. Did you mean '{tmp_path / 'train.csv'}'?"
    )
    for name, said in (
        ("d.csv", "Give a file, or a folder that"),
        ("d.parquet", "is a folder; give one file of rows."),
    ):
        (tmp_path / name).mkdir()
        assert said in fails(tmp_path / name)
    assert "There is no file" in fails(tmp_path / "no.parquet")


def test_formats(file):
    path = file("a.txt", "text\tn\na\t1\n")
    assert "the suffix '.txt' tells no file format" in fails(path)
    for options in ({"format": "tsv"}, {"settings": Data(reader="tsv")}):
        assert taken(path, **options) == [(2, {"text": "a", "n": "1"})]
    assert "There is no format 'line'. Did you mean 'lines'?" in fails(path, format="line")
    assert "not in both places" in fails(path, format="tsv", settings=Data(reader="csv"))
    assert "There is no setting 'header'" in fails(path, format="lines", settings=Data(header=True))


# Lines of text


def test_each_line_is_a_text(file):
    path = file("a.txt", b"\xef\xbb\xbfone\r\n\ncaf\xe9\ntwo, three")
    assert taken(path, format="lines", needs=("review",)) == [
        (1, {"review": "one"}),
        (2, {"review": ""}),
        (
            3,
            "byte 0xe9 at character 4 is not utf-8. If it is an older Western file, state --set data.encoding=latin-1.",
        ),
        (4, {"review": "two, three"}),
    ]
    said = fails(path, format="lines", needs=("text", "other"))
    assert said.startswith("Lines hold one text each, but 2 columns are needed: text, other. State the format")


def stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))  # type: ignore[arg-type]


def test_standard_input(monkeypatch, file):
    stdin(monkeypatch, b"one\ntwo\n")
    assert taken("-", needs=("text",)) == [(1, {"text": "one"}), (2, {"text": "two"})]
    assert not sys.stdin.buffer.closed
    stdin(monkeypatch, b'{"text": "a"}\nno\n')
    assert taken("-", format="jsonl")[0][1] == {"text": "a"}
    stdin(monkeypatch, b"text,n\na,1\n")
    assert taken("-", format="csv") == [(2, {"text": "a", "n": "1"})]
    stdin(monkeypatch, b"")
    assert fails("-") == "stdin is empty; a file of rows is needed."
    assert "A Parquet file is read from its end" in fails("-", format="parquet")


# gzip


def test_gzip_is_read_as_what_it_holds(file):
    packed = gzip.compress(b"text,n\n" + b"a,1\n" * 5000)
    assert len(taken(file("a.gz", packed), format="csv")) == 5000
    assert "is damaged: Compressed file ended before" in fails(file("b.gz", packed[: len(packed) // 2]), format="csv")


# Parquet


def parquet(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def test_parquet_rows_keep_their_types(tmp_path):
    columns = {"text": ["a", None, "c"], "n": [1, 2, 3], "list": [[1], [], None]}
    path = parquet(tmp_path / "a.parquet", columns, row_group_size=2)
    rows = open_rows(path)
    assert [(row.line, dict(row.cells)) for row in rows] == [
        (i + 1, {name: cells[i] for name, cells in columns.items()}) for i in range(3)
    ]
    assert rows.names == ("text", "n", "list")
    assert rows.types["n"] == pa.int64()
    assert taken(path, needs=("n",)) == [(1, {"n": 1}), (2, {"n": 2}), (3, {"n": 3})]  # no other column is read
    assert "There is no column 'txt'. Did you mean 'text'?" in fails(path, needs=("txt",))


def test_a_bad_cell_of_parquet_costs_its_row_alone(tmp_path):
    good = pa.array([b"one", b"caf\xe9", b"two"])
    text = pa.Array.from_buffers(pa.string(), 3, good.buffers())
    pq.write_table(pa.table({"text": text}), tmp_path / "a.parquet")
    (one, bad, two) = taken(tmp_path / "a.parquet")
    assert (one, two) == ((1, {"text": "one"}), (3, {"text": "two"}))
    assert bad[0] == 2
    assert bad[1].startswith("a cell cannot be read: 'utf-8' codec can't decode byte 0xe9")


def test_what_is_no_parquet_file(file, tmp_path):
    path = file("a.parquet", "text,n\n")
    assert fails(path).startswith(f"{path} is not a Parquet file: ")
    assert "There is no setting 'header'" in fails(path, settings=Data(header=True))
    source = random.Random(0)
    whole = parquet(
        tmp_path / "b.parquet", {"text": [source.randbytes(30).hex() for _ in range(5000)]}, compression="zstd"
    )
    content = bytearray(whole.read_bytes())
    content[1000:3000] = b"\0" * 2000
    assert "is damaged behind row" in fails(file("c.parquet", bytes(content)))
    assert "is empty" in fails(parquet(tmp_path / "d.parquet", {"text": pa.array([], pa.string())}))


# Memory


@pytest.mark.parametrize("name", ["a.csv", pytest.param("a.tsv", marks=pytest.mark.slow), "a.jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path, name):
    def peak(count: int) -> int:
        text = "some, text " * 10
        line = {"a.csv": f'"{text}",{{}}\n', "a.tsv": f"{text}\t{{}}\n"}.get(
            name, f'{{{{"text": "{text}", "n": {{}}}}}}\n'
        )
        head = "" if name == "a.jsonl" else "text{}n\n".format("\t" if name == "a.tsv" else ",")
        with open(tmp_path / name, "w") as file:
            file.write(head)
            file.writelines(line.format(i) for i in range(count))
        tracemalloc.start()
        assert sum(1 for _ in open_rows(tmp_path / name, needs=("text",))) == count
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    few, many = peak(20_000), peak(50_000)  # both are larger than what is looked at before the first row
    assert many < 1.1 * few + 2**16
