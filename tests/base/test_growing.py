"""A growing file: whatever a kill or a power cut leaves, it goes on behind its last whole block."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base import growing
from maskwright.base.errors import UserError
from maskwright.base.growing import GrowingFile

FACTS = {"model": "abc", "columns": ("a", "b")}
BLOCKS = [b"head\n", b"one\ntwo\n", b"", b"three\n", b"four\nfive\nsix\n"]
WHOLE = b"".join(BLOCKS)


def rows(block: bytes) -> int:
    return 0 if block == BLOCKS[0] else block.count(b"\n")


def grow(path: Path, count: int = len(BLOCKS)) -> None:
    """The first blocks, and then a kill."""
    with GrowingFile(path, FACTS) as file:
        for block in BLOCKS[:count]:
            file.append(block, rows=rows(block))


def go_on(path: Path) -> int:
    """Resume, write what is missing and finish. Gives the rows that were there."""
    with GrowingFile(path, FACTS, resume=True) as file:
        there, size = file.counts["rows"], file.size
        for i in range(len(BLOCKS)):
            if sum(map(len, BLOCKS[:i])) >= size:
                file.append(BLOCKS[i], rows=rows(BLOCKS[i]))
        assert file.counts["rows"] == 6
        file.finish()
    return there


def test_it_grows_beside_its_place_and_then_stands_there(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "answers.jsonl"
    with GrowingFile(path, FACTS) as file:
        for block in BLOCKS:
            file.append(block, rows=rows(block), errors=1)
            assert not path.exists()
        assert file.part.read_bytes() == WHOLE
        assert file.counts == {"rows": 6, "errors": 5}
        file.finish()
    assert path.read_bytes() == WHOLE
    assert [p.name for p in path.parent.iterdir()] == ["answers.jsonl"]


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    grow(path, 3)
    assert path.read_bytes() == b"old"
    go_on(path)
    assert path.read_bytes() == WHOLE


@given(part=st.integers(0, 2 * len(WHOLE)), log=st.integers(0, 500), garbage=st.binary(max_size=9))
def test_it_goes_on_behind_the_last_whole_block(
    tmp_path_factory: pytest.TempPathFactory, part: int, log: int, garbage: bytes
) -> None:
    """Both files cut anywhere, with anything behind the cut: what a power cut may leave."""
    path = tmp_path_factory.mktemp("cut") / "a"
    grow(path)
    held, journal = path.with_name("a.part"), path.with_name("a.part.log")
    held.write_bytes(held.read_bytes()[:part])
    cut = journal.read_bytes()[:log]
    journal.write_bytes(cut + garbage)
    if not cut.count(b"\n"):  # not even the facts are left: nobody knows what the part is
        if not held.read_bytes():
            assert go_on(path) == 0
        return
    there = go_on(path)
    assert path.read_bytes() == WHOLE
    kept = min(cut.count(b"\n") - 1, sum(sum(map(len, BLOCKS[: i + 1])) <= part for i in range(len(BLOCKS))))
    expected = sum(map(rows, BLOCKS[:kept]))
    assert there == expected or (garbage and there > expected)  # garbage may complete a line that was cut


def test_a_block_that_changed_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    grow(path)
    part = tmp_path / "a.part"
    content = bytearray(part.read_bytes())
    content[len(BLOCKS[0]) + len(BLOCKS[1]) + 1] ^= 1  # in the fourth block
    part.write_bytes(content)
    assert go_on(path) == rows(BLOCKS[1])
    assert path.read_bytes() == WHOLE


def test_work_is_not_thrown_away_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a"
    grow(path, 2)
    with pytest.raises(UserError) as caught:
        GrowingFile(path, FACTS)
    assert str(caught.value) == (
        f"{tmp_path / 'a.part'} holds 2 rows of a job that did not finish. Go on with it by --resume, or delete it to "
        "start anew."
    )
    assert go_on(path) == 2


def test_a_head_without_rows_is_no_work(tmp_path: Path) -> None:
    path = tmp_path / "a"
    grow(path, 1)
    with GrowingFile(path, {"model": "other"}) as file:
        assert (file.size, file.resumed) == (0, False)
        file.append(b"x\n", rows=1)
        file.finish()
    assert path.read_bytes() == b"x\n"


def test_other_facts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    grow(path, 2)
    with pytest.raises(UserError) as caught:
        GrowingFile(path, {"model": "xyz", "columns": ["a", "b"], "top": 3}, resume=True)
    assert str(caught.value) == (
        f"{tmp_path / 'a.part'} was begun otherwise: model was 'abc' and is 'xyz'; top was None and is 3. Go on with "
        "the same, or delete it to start anew."
    )
    assert go_on(path) == 2


def test_a_part_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.part").write_text("a download")
    for resume in (False, True):
        with pytest.raises(UserError, match=r"a\.part is there, but no journal of it"):
            GrowingFile(tmp_path / "a", FACTS, resume=resume)
    assert (tmp_path / "a.part").read_text() == "a download"


def test_two_do_not_write_the_same_file(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with GrowingFile(tmp_path / "a", FACTS) as file:
        with pytest.raises(UserError, match=r"Another process writes .*a\.part\. Wait until it ends"):
            GrowingFile(tmp_path / "a", FACTS, resume=True)
        file.append(b"x", rows=1)
        file.finish()
    assert (tmp_path / "a").read_bytes() == b"x"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder; give the name of a file"):
        GrowingFile(tmp_path, FACTS)


def test_a_full_disk_costs_nothing_that_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"

    def full(file: object, block: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with GrowingFile(path, FACTS) as file:
        for block in BLOCKS[:2]:
            file.append(block, rows=rows(block))
        with monkeypatch.context() as patch:
            patch.setattr(growing, "_write", full)
            with pytest.raises(UserError, match=r"a\.part cannot be written: No space left on device\..*--resume"):
                file.append(BLOCKS[3], rows=1)
    assert go_on(path) == 2
    assert path.read_bytes() == WHOLE


def test_the_whole_may_have_another_form(tmp_path: Path) -> None:
    path = tmp_path / "a"
    grow(path)

    def dies(part: Path, new: Path) -> None:
        new.write_bytes(b"half")
        raise KeyboardInterrupt

    with GrowingFile(path, FACTS, resume=True) as file, pytest.raises(KeyboardInterrupt):
        file.finish(dies)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.part", "a.part.log"]
    with GrowingFile(path, FACTS, resume=True) as file:
        file.finish(lambda part, new: new.write_bytes(part.read_bytes().upper()) and None)
    assert path.read_bytes() == WHOLE.upper()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        UserError, match=r"file/a cannot be written: (Not a directory|File exists)\. Give another place"
    ):
        GrowingFile(tmp_path / "file" / "a", FACTS)


def test_a_disk_that_is_full_at_the_end_keeps_the_part(tmp_path: Path) -> None:
    def full(part: Path, new: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    grow(tmp_path / "a")
    with (
        GrowingFile(tmp_path / "a", FACTS, resume=True) as file,
        pytest.raises(UserError, match=r"There is no room left on the disk for .*a\. What was written before is whole"),
    ):
        file.finish(full)
    assert go_on(tmp_path / "a") == 6
