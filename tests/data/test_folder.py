from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from maskwright.base.errors import UserError
from maskwright.data.labels import Labels
from maskwright.data.read import read
from maskwright.data.settings import Data

Grow = Callable[[Mapping[str, str | bytes]], Path]


@pytest.fixture
def grow(tmp_path: Path) -> Grow:
    """Writes files under a folder `reviews`, by their paths in it; a path that ends in / makes an empty folder."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        root = tmp_path / "reviews"
        root.mkdir()
        for name, content in files.items():
            path = root / name
            (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
            if not name.endswith("/"):
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return root

    return write


def test_each_file_is_a_row_in_the_order_of_paths(grow):
    root = grow({"pos/b.txt": "so good\n", "neg/2.txt": "bad", "pos/a": "fine,\nvery", "neg/10.txt": ""})
    table = read(root, needs=("text", "label"))
    assert table.columns == {
        "text": ["", "bad", "fine,\nvery", "so good\n"],
        "label": ["neg", "neg", "pos", "pos"],
        "path": ["neg/10.txt", "neg/2.txt", "pos/a", "pos/b.txt"],
    }
    assert table.notes == [f"{root}: a folder of 4 texts in 2 classes: neg (2), pos (2)."]
    assert read(str(root)).columns == table.columns


def test_a_row_is_found_by_its_file(grow):
    root = grow({"neg/a.txt": "bad", "pos/a.txt": "good", "pos/b.txt": "fine"})
    table = read(root)
    assert [table.where(i) for i in range(3)] == [str(root / p) for p in ("neg/a.txt", "pos/a.txt", "pos/b.txt")]
    part = table.select([2, 0])
    assert [part.where(i) for i in range(2)] == [str(root / p) for p in ("pos/b.txt", "neg/a.txt")]
    assert part.column("path") == ["pos/b.txt", "neg/a.txt"]


def test_a_mistake_in_the_labels_names_the_file(grow):
    root = grow({"pos/a.txt": "good", "pos /b.txt": "fine"})
    table = read(root)
    with pytest.raises(UserError, match="differ only in spaces") as caught:
        Labels.discover(table.column("label"), table.where)
    assert str(caught.value).startswith(str(root / "pos "))


def test_what_is_not_read_is_noted(grow):
    root = grow(
        {
            "README": "who made it", "urls.txt": "http", ".DS_Store": b"\0",
            "pos/a.txt": "good", "pos/.a.txt.swp": b"\xff\0", "neg/a.txt": "bad", "unsure/": "",
            ".git/config": "[core]",
        }
    )  # fmt: skip
    table = read(root)
    assert table.column("text") == ["bad", "good"]
    assert table.notes[1:] == [
        f"{root}: folders without a file make no class: unsure.",
        f"{root}: files beside the classes were not read: README, urls.txt.",
        f"{root}: hidden files were not read, 3 in all.",
    ]


def test_many_classes_make_a_short_note(grow):
    root = grow({f"{i:02}/{j}.txt": "x" for i in range(12) for j in range(2)})
    note = read(root).notes[0]
    assert note.startswith(f"{root}: a folder of 24 texts in 12 classes: 00 (2), 01 (2), ")
    assert note.endswith("09 (2) and 2 more.")


def test_a_file_that_is_no_text_is_named(grow, fails):
    root = grow({"pos/a.txt": "good\nvery\n", "pos/cat.png": b"\x89PNG\r\n\x1a\n\0\0", "neg/b.txt": "bad"})
    assert fails(root).startswith(f"{root / 'pos' / 'cat.png'} line 1: byte 0x89 is not utf-8")


def test_encodings_of_the_files(grow, fails):
    root = grow({"pos/a.txt": "café".encode("latin-1"), "neg/b.txt": "thé".encode("latin-1")})
    assert fails(root).startswith(f"{root / 'neg' / 'b.txt'} line 1: byte 0xe9 is not utf-8")
    assert read(root, settings=Data(encoding="latin-1")).column("text") == ["thé", "café"]
    message = fails(root, settings=Data(header=True))
    assert message.startswith(f"data, for the folder {root}: There is no setting 'header'.")


def test_what_is_detected_in_many_files_is_noted_once(grow):
    root = grow({f"{label}/{i}.txt": "thé".encode("utf-16") for label in ("pos", "neg") for i in range(3)})
    first = root / "neg" / "0.txt"
    assert read(root).notes[1:] == [
        f"{first}: read as utf-16, as its byte order mark says. So were 5 other files.",
    ]


def test_a_folder_of_splits_is_not_one_of_classes(grow, fails):
    root = grow({f"{split}/{label}/a.txt": "x" for split in ("test", "Train", "valid") for label in ("pos", "neg")})
    assert fails(root) == (
        f"{str(root)!r} holds splits (Train, test, valid), not classes. Give each split by itself, for example "
        f"{str(root / 'Train')!r}."
    )
    assert len(read(root / "Train")) == 2


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "holds no folders. Give a file, or a folder that has one folder for each class."),
        ({"a.txt": "x"}, "holds no folders."),
        ({"pos/": "", "neg/": ""}, "has 2 folders for classes, but there is no file in them."),
        ({"pos/2020/a.txt": "x"}, "is a folder inside of the class 'pos'. Put its files into"),
    ],
)
def test_folders_of_another_shape(grow, fails, files, told):
    root = grow(files)
    message = fails(root)
    assert message.startswith(f"'{root}")
    assert told in message


def test_the_folder_reader_refuses_a_file(file, fails):
    path = file("a.csv", "text\na\n")
    assert fails(path, reader="folder").startswith(f"{str(path)!r} is a file; the folder reader reads a folder with")


def test_links_and_pipes_in_a_folder(grow, fails):
    root = grow({"pos/a.txt": "good", "neg/a.txt": "bad"})
    (root / "pos" / "link.txt").symlink_to(root / "pos" / "a.txt")
    assert len(read(root)) == 3
    strange = root / "pos" / "b.txt"
    os.mkfifo(strange)
    assert fails(root) == f"{str(strange)!r} is a pipe, not a file. Write its content to a file and give that."
    strange.unlink()
    strange.symlink_to(strange)
    assert fails(root) == f"{str(strange)!r} cannot be read: Too many levels of symbolic links."
    strange.unlink()
    strange.symlink_to(root)
    assert fails(root).startswith(f"{str(strange)!r} is a folder inside of the class 'pos'.")
    strange.unlink()
    strange.symlink_to("/dev/zero")
    assert fails(root).startswith(f"{str(strange)!r} is a device, not a file.")


def test_a_name_that_is_not_utf8(grow, fails):
    root = grow({"pos/a.txt": "good", "neg/a.txt": "bad"})
    try:
        (root / "pos" / os.fsdecode(b"caf\xe9.txt")).write_text("good")
    except OSError:
        pytest.skip("this file system has no such names")
    assert fails(root) == f"{str(root / 'pos')!r}: the name 'caf\\udce9.txt' is not utf-8. Rename it."


@pytest.mark.parametrize("locked", ["", "pos", "pos/a.txt"])
def test_without_rights(grow, fails, locked, locks_hold):
    root = grow({"pos/a.txt": "good", "neg/a.txt": "bad"})
    path = root / locked
    path.chmod(0)
    try:
        message = fails(root)
    finally:
        path.chmod(0o700)
    assert message == f"{str(path)!r} cannot be read: Permission denied."
