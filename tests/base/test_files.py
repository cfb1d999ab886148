"""Files and folders are whole or absent, whatever happens in the middle."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base import files
from maskwright.base.errors import UserError
from maskwright.base.files import open_folder, read_json, sha256, write_bytes, write_folder, write_json, write_text


class Crash(BaseException):
    """Stands for a killed process: nothing that catches Exception sees it."""


def crash_at(monkeypatch: pytest.MonkeyPatch, call: str, nth: int) -> None:
    """The nth call of `os.CALL` raises instead of doing its work."""
    real, seen = getattr(os, call), []

    def broken(*args: object) -> object:
        seen.append(args)
        if len(seen) == nth:
            raise Crash
        return real(*args)

    monkeypatch.setattr(files.os, call, broken)


def fill(**contents: str):
    def go(folder: Path) -> None:
        for name, text in contents.items():
            (folder / "inner").mkdir(exist_ok=True)
            (folder / "inner" / name).write_text(text)

    return go


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b" / "file", b"\x00\xff")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"\x00\xff"
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["file"]
    write_text(tmp_path / "text", "Grüße\n")
    assert (tmp_path / "text").read_bytes() == "Grüße\n".encode()


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_crash_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    file = tmp_path / "file"
    write_text(file, "old")
    with monkeypatch.context() as patch:
        crash_at(patch, call, 1)
        with pytest.raises(Crash):
            write_text(file, "new and longer")
    assert file.read_text() == "old"
    write_text(file, "new")
    assert file.read_text() == "new"


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=12,
    )
)
def test_json_comes_back(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    file = tmp_path_factory.mktemp("json") / "value.json"
    try:
        write_json(file, value)
    except UnicodeEncodeError:  # half of a surrogate pair is no text; nothing may be left behind
        assert not file.exists()
        return
    assert read_json(file) == value


def test_json_that_cannot_be(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": [1, 2, 3]})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert read_json(tmp_path / "a.json") == {"x": [1, 2, 3]}
    (tmp_path / "a.json").write_text((tmp_path / "a.json").read_text()[:-5])
    with pytest.raises(UserError, match=r"a.json is not a JSON file: .*line"):
        read_json(tmp_path / "a.json")
    with pytest.raises(UserError, match=r"There is no file '.*b.json'"):
        read_json(tmp_path / "b.json")


def test_a_folder_is_sealed_and_opened(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert open_folder(folder) is None
    write_folder(folder, fill(a="one", b="two"))
    assert open_folder(folder) == folder
    assert read_json(folder / "checksums.json") == {
        "inner/a": hashlib.sha256(b"one").hexdigest(),
        "inner/b": hashlib.sha256(b"two").hexdigest(),
    }
    assert sha256(folder / "inner" / "a") == hashlib.sha256(b"one").hexdigest()
    write_folder(folder, fill(a="three"))
    assert open_folder(folder) == folder
    assert sorted(p.name for p in (folder / "inner").iterdir()) == ["a"]
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("damage", ["changed", "cut", "lost"])
def test_damage_is_found(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "state"
    write_folder(folder, fill(a="one", b="two"))
    file = folder / "inner" / "b"
    if damage == "lost":
        file.unlink()
    else:
        file.write_text("twa" if damage == "changed" else "tw")
    with pytest.raises(UserError, match=r"inner/b is damaged: its checksum is not the one written with it"):
        open_folder(folder)


def test_a_folder_without_its_seal(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    write_folder(folder, fill(a="one"))
    (folder / "checksums.json").unlink()
    with pytest.raises(UserError, match=r"There is no file '.*checksums.json'"):
        open_folder(folder)


def test_a_crash_while_filling_leaves_the_old_folder(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    write_folder(folder, fill(a="old"))

    def half(new: Path) -> None:
        fill(a="new")(new)
        raise Crash

    with pytest.raises(Crash):
        write_folder(folder, half)
    assert open_folder(folder) == folder
    assert (folder / "inner" / "a").read_text() == "old"
    write_folder(folder, fill(b="next"))  # what the crash left does not get in
    assert open_folder(folder) == folder
    assert [p.name for p in (folder / "inner").iterdir()] == ["b"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("nth", range(1, 7))
def test_a_crash_at_any_step_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, nth: int
) -> None:
    folder = tmp_path / "state"
    write_folder(folder, fill(a="old"))
    with monkeypatch.context() as patch:
        crash_at(patch, call, nth)
        try:
            write_folder(folder, fill(a="new"))
        except Crash:
            pass
        else:
            assert nth > 3
    again = open_folder(folder)
    assert again == folder
    assert (folder / "inner" / "a").read_text() in ("old", "new")
    write_folder(folder, fill(a="next"))
    assert open_folder(folder) == folder
    assert (folder / "inner" / "a").read_text() == "next"
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_an_interrupted_rename_is_undone(tmp_path: Path) -> None:
    """Killed between the two renames: the old folder stands aside, the new one is not in its place."""
    folder = tmp_path / "state"
    write_folder(folder, fill(a="old"))
    shutil.copytree(folder, tmp_path / ".state.new")
    folder.rename(tmp_path / ".state.old")
    assert open_folder(folder) == folder
    assert (folder / "inner" / "a").read_text() == "old"


@pytest.mark.parametrize("write", [lambda path: write_text(path, "x"), lambda path: write_folder(path, fill(a="x"))])
@pytest.mark.parametrize("name", ["file/x", "file/deep/x", "long" * 100])
def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, write: Callable[[Path], None], name: str) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(UserError) as caught:
        write(tmp_path / name)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / name} cannot be written: ")
    assert message.endswith(". Give another place, or make that one writable.")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_what_is_no_failure_of_the_place_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="a bug"), files.room("x"):
        raise ValueError("a bug")
    with pytest.raises(UserError, match=r"^x cannot be written: Permission denied\."), files.room("x"):
        raise RuntimeError("Error while serializing: I/O error: Permission denied (os error 13)")
