"""Paths and bytes as the world has them: missing, locked, endless, packed, in other encodings, too large."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import maskwright
from maskwright.base.choice import find, names
from maskwright.data.read import read
from maskwright.data.readers._reader import FOLDER, Reader
from maskwright.data.settings import Data, Encoded

FILES = [name for name in names(Reader) if FOLDER not in find(Reader, name).suffixes]
TEXTS = [name for name in FILES if issubclass(find(Reader, name), Encoded)]
ROWS = {
    "csv": "text,label\ngood,1\nbad,0\n",
    "tsv": "text\tlabel\ngood\t1\nbad\t0\n",
    "jsonl": '{"text": "good", "label": "1"}\n{"text": "bad", "label": "0"}\n',
    "conll": "good\tB-x\n\nbad\tO\n",
    "squad": '{"data": [{"paragraphs": [{"context": "good", "qas": [{"question": "good", "answers": []}, '
    '{"question": "bad", "answers": []}]}]}]}',
    "conllu": "1\tgood\t_\tADJ\t_\t_\t0\t_\t_\t_\n\n1\tbad\t_\tADV\t_\t_\t0\t_\t_\t_\n\n",
}


def suffix(name: str) -> str:
    return find(Reader, name).suffixes[0]


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """A reader that waits for ever fails after ten seconds."""

    def ring(*_: object) -> None:
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# Paths


@pytest.mark.parametrize("name", names(Reader))
@pytest.mark.parametrize("stated", [True, False])
def test_every_reader_refuses_a_pipe_without_opening_it(name, stated, tmp_path, fails, no_waiting):
    path = tmp_path / f"rows{suffix(name)}"
    os.mkfifo(path)
    message = fails(path, reader=name if stated else None)
    assert message == f"{str(path)!r} is a pipe, not a file. Write its content to a file and give that."


@pytest.mark.parametrize("name", names(Reader))
def test_every_reader_refuses_a_device(name, fails, no_waiting):
    assert fails(Path("/dev/zero"), reader=name).startswith("'/dev/zero' is a device, not a file.")


@pytest.mark.parametrize("name", names(Reader))
def test_every_reader_refuses_links_that_lead_nowhere(name, tmp_path, fails, no_waiting):
    one, two, lost = (tmp_path / f"{stem}{suffix(name)}" for stem in ("one", "two", "lost"))
    one.symlink_to(two)
    two.symlink_to(one)
    lost.symlink_to(tmp_path / "gone.csv")
    assert fails(one) == f"{str(one)!r} cannot be read: Too many levels of symbolic links."
    assert fails(lost) == f"{str(lost)!r} is a link to {str(tmp_path / 'gone.csv')!r}, which is not there."


def test_a_link_to_a_file_is_as_good_as_the_file(tmp_path, file):
    (tmp_path / "link.csv").symlink_to(file("rows.csv", ROWS["csv"]))
    assert read(tmp_path / "link.csv").column("text") == ["good", "bad"]


@pytest.mark.parametrize("name", FILES)
def test_readers_of_files_refuse_a_folder(name, tmp_path, fails):
    assert fails(tmp_path, reader=name) == f"{str(tmp_path)!r} is a folder; give one file of rows."


@pytest.mark.parametrize("name", FILES)
def test_a_file_without_rights(name, file, fails, locks_hold):
    path = file(f"rows{suffix(name)}", "text\na\n")
    path.chmod(0)
    assert fails(path) == f"{str(path)!r} cannot be read: Permission denied."


@pytest.mark.parametrize("mode", [0, 0o300])
def test_a_file_in_a_folder_without_rights(mode, tmp_path, fails, locks_hold):
    """Without the right to enter nothing can be said of it; with that right alone its neighbours cannot be named."""
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(mode)
    try:
        message = fails(folder / "rows.csv")
    finally:
        folder.chmod(0o700)
    path = str(folder / "rows.csv")
    assert message == (f"There is no file {path!r}." if mode else f"{path!r} cannot be read: Permission denied.")


# Packed files


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("ending", [".gz", ".GZ"])
def test_every_reader_of_texts_unpacks_gzip(name, ending, file):
    plain = read(file(f"rows{suffix(name)}", ROWS[name]))
    packed = file(f"rows{suffix(name)}{ending}", gzip.compress(ROWS[name].encode()))
    assert read(packed).columns == plain.columns
    texts = "question" if name == "squad" else "text"
    assert plain.column(texts) in (["good", "bad"], [["good"], ["bad"]])
    assert read(packed).where(1) == f"{packed} {plain.unit} {plain.lines[1]}"


def test_gzip_under_another_name_and_in_several_members(file):
    rows = gzip.compress(b"text,label\ngood,1\n") + gzip.compress(b"bad,0\n")
    assert read(file("rows.csv", rows)).column("text") == ["good", "bad"]
    assert read(file("rows.dump", rows), reader="csv").column("text") == ["good", "bad"]


def test_lines_of_a_packed_file_are_those_of_its_text(file, fails):
    path = file("rows.csv.gz", gzip.compress("text,label\ngood,1\ncafé,0\n".encode("latin-1")))
    assert fails(path).startswith(f"{path} line 3: byte 0xe9 is not utf-8")
    assert read(path, settings=Data(encoding="latin-1")).column("text") == ["good", "café"]


def test_packed_files_that_are_not_or_not_whole(file, fails):
    path = file("rows.csv.gz", ROWS["csv"])
    assert fails(path) == f"{path} is not a gzip file. If it is not compressed, take .gz off its name."
    assert "is not a gzip file" in fails(file("none.csv.gz", ""))
    whole = gzip.compress(ROWS["csv"].encode())
    for end in (5, 12, len(whole) // 2, len(whole) - 1):
        path = file("cut.csv.gz", whole[:end])
        assert fails(path) == f"{path} is a gzip file that was cut short. Copy it again."
    spoilt = bytearray(whole)
    spoilt[-6] ^= 1  # in the checksum
    assert "spoilt.csv.gz is a damaged gzip file (CRC check failed" in fails(file("spoilt.csv.gz", bytes(spoilt)))
    spoilt = whole[:10] + b"\x07" + whole[11:]  # the first block
    assert "is a damaged gzip file (Error -3 while decompressing data: invalid block type). Copy it again." in fails(
        file("spoilt.csv.gz", spoilt)
    )
    assert "is a damaged gzip file (Not a gzipped file" in fails(file("more.csv.gz", whole + b"more"))


# Encodings

CAFE = "text,label\ncafé,1\nthé,0\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("order", ["le", "be"])
def test_a_byte_order_mark_tells_the_encoding_which_is_noted(encoding, order, file):
    path = file("a.csv", ("\ufeff" + CAFE).encode(f"{encoding}-{order}"))
    table = read(path, needs=("text",))
    assert table.columns == {"text": ["café", "thé"], "label": ["1", "0"]}
    assert table.notes[0] == f"{path}: read as {encoding}, as its byte order mark says."
    assert read(path, settings=Data(encoding=encoding), needs=("text",)).notes == table.notes[1:]


@pytest.mark.parametrize("name", TEXTS)
def test_every_reader_of_texts_notes_what_it_detected(name, file):
    path = file(f"a{suffix(name)}", ROWS[name].encode("utf-16"))
    assert read(path).notes[0] == f"{path}: read as utf-16, as its byte order mark says."


def test_a_mark_against_the_stated_encoding(file, fails):
    path = file("a.csv", CAFE.encode("utf-16"))
    message = fails(path, settings=Data(encoding="latin-1"))
    assert f"{path} line 1: there is a NUL character." in message
    assert "It begins like UTF-16: state --set data.encoding=utf-16." in message


@pytest.mark.parametrize("text", [CAFE, "text,label\ngood,1\n"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_recognised_in_the_message(text, encoding, file, fails):
    path = file("a.csv", text.encode(encoding))
    stated = f"It looks like UTF-16 without a byte order mark: state --set data.encoding={encoding}."
    assert fails(path).endswith(stated)
    assert len(read(path, settings=Data(encoding=encoding))) == text.count("\n") - 1


def test_a_file_with_a_mark_that_was_cut_short(file, fails):
    path = file("a.csv", CAFE.encode("utf-16")[:-1])
    message = fails(path)
    assert message.startswith(f"{path} line 3: byte 0x0a is not utf-16 (truncated data).")
    assert message.endswith("It begins like UTF-16, but is damaged or cut short.")
    path = file("b.csv", b"text,label\n\xd8\xd8\xd8\xd8\n,1\n")
    assert fails(path, settings=Data(encoding="utf-16-be")).endswith("It is damaged, cut short, or not utf-16-be.")


def test_bytes_of_windows_are_told_from_latin_1(file, fails):
    message = fails(file("a.csv", b"text,label\n\x93good\x94,1\n"))
    assert "line 2: byte 0x93 is not utf-8 (invalid start byte)." in message
    assert message.endswith("state --set data.encoding=cp1252.")


def test_lines_that_end_in_carriage_returns_are_counted(file, fails):
    assert "a.csv line 3: byte 0xe9 is not utf-8" in fails(file("a.csv", b"text,label\rgood,1\rcaf\xe9,0\r"))
    assert "b.csv line 2: there is a NUL" in fails(file("b.csv", b"text,label\rgo\0od,1\rbad,0\r"))


def test_the_mark_of_utf8_does_not_shift_the_byte_that_is_named(file, fails):
    path = file("a.csv", b"\xef\xbb\xbftext,label\ncaf\xe9,1\n")
    for encoding in ("utf-8", "utf-8-sig"):
        assert "line 2: byte 0xe9" in fails(path, settings=Data(encoding=encoding))


# Too large

LIMITED = """
import resource, sys
from maskwright.base.choice import find, names
from maskwright.base.errors import UserError
from maskwright.data.read import read
from maskwright.data.readers._reader import Reader
for name in names(Reader):
    find(Reader, name)  # nothing is imported behind the limit
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[2]) * 2**20,) * 2)
try:
    print(len(read(sys.argv[1])), "rows")
except UserError as mistake:
    print(mistake)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_AS and /proc")
@pytest.mark.parametrize(("name", "row"), [("csv", "a fine film,{n}\n"), ("jsonl", '{{"text": "a fine film {n}"}}\n')])
@pytest.mark.parametrize("room", [4, 30])
def test_a_file_larger_than_the_memory(name, row, room, file):
    """With 4 MiB of room its bytes alone do not fit, with 30 MiB its rows do not."""
    path = file(f"rows.{name}", "".join(row.format(n=n) for n in range(300_000)))
    here = {**os.environ, "PYTHONPATH": str(Path(maskwright.__file__).parents[1])}
    command = [sys.executable, "-c", LIMITED, str(path), str(room)]
    said = subprocess.run(command, capture_output=True, text=True, env=here, timeout=60, check=False)
    assert said.stderr == ""
    assert said.stdout.startswith(f"{path} does not fit into the memory that this process may use")
    assert "Give a part of its rows or fewer columns, raise the limit, or use a machine with more" in said.stdout
