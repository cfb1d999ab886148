"""Files that are whole or absent: written beside their place, flushed, and then moved there in one step."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # not a Unix
    fcntl = None  # type: ignore[assignment]

from maskwright.base.errors import UserError

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


@contextmanager
def room(path: str | Path) -> Iterator[None]:
    """Within it a disk that is full, and a place that cannot be written, is a UserError. Libraries tell of it in errors
    of their own."""
    try:
        yield
    except Exception as problem:
        number = _number(problem)
        if number is None:
            raise
        if number in FULL:
            raise UserError(
                f"There is no room left on the disk for {path}. What was written before is whole: free some space, "
                "then go on where it stopped (--resume)."
            ) from None
        raise UserError(
            f"{path} cannot be written: {os.strerror(number)}. Give another place, or make that one writable."
        ) from None


def check_room(path: Path) -> None:
    """Raises OSError where the system says that nothing may be made at `path`, before hours of work learn it."""
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))


def _number(problem: Exception) -> int | None:
    """What the system calls a failure: the error's own number, or the one that a library in Rust writes behind it."""
    if isinstance(problem, OSError):
        return problem.errno
    told = re.search(r"\(os error (\d+)\)", str(problem))
    return int(told[1]) if told else None


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` atomically: after a crash the file is the old one or the new one, never half of each."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with room(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        sync_folder(path.parent)


def write_text(path: str | Path, content: str) -> None:
    write_bytes(path, content.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """The value in a JSON file. Raises UserError when it is absent or cut short."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"There is no file {str(path)!r}.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as problem:
        raise UserError(f"{path} is not a JSON file: {problem}.") from None


def write_folder(path: str | Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a new folder, seal it with checksums, and put it in the place of `path` in one step.

    A crash leaves the old folder, the new one, or (between two renames) the old one under `.NAME.old`, from where
    `open_folder` brings it back.
    """
    path = Path(path)
    new, old = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")
    shutil.rmtree(new, ignore_errors=True)
    try:
        with room(path):
            new.mkdir(parents=True)
            fill(new)
            for file in (f for f in new.rglob("*") if f.is_file()):
                with open(file, "rb") as handle:
                    os.fsync(handle.fileno())
    except UserError:
        shutil.rmtree(new, ignore_errors=True)
        raise
    with room(path):
        write_json(new / "checksums.json", {str(f.relative_to(new)): sha256(f) for f in _files(new)})
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
            os.replace(path, old)
        os.replace(new, path)
        sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def open_folder(path: str | Path) -> Path | None:
    """A folder that `write_folder` wrote, or None when there is none. Raises UserError when a checksum is wrong."""
    path = Path(path)
    old = path.with_name(f".{path.name}.old")
    if not path.exists() and old.exists():
        os.replace(old, path)
    if not path.exists():
        return None
    check_sums(path)
    return path


def check_sums(folder: Path, ending: str = "") -> None:
    """Compare the files whose names end so with the checksums that were written with them.

    Raises UserError for one that is absent or has changed.
    """
    for name, digest in read_json(folder / "checksums.json").items():
        file = folder / name
        if name.endswith(ending) and (not file.is_file() or sha256(file) != digest):
            raise UserError(f"{file} is damaged: its checksum is not the one written with it. Use an older copy.")


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.is_file() and f.name != "checksums.json")


def can_lock() -> bool:
    return fcntl is not None


def lock(file: int | BinaryIO, busy: str) -> None:
    """Hold an open file or folder until it is closed, also by a kill; nothing where there are no locks.

    Raises UserError that says `busy` when another process holds it.
    """
    if not can_lock():
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(busy) from None
    except OSError:  # a file system without locks
        pass


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Within it no other process that asks for the same writes into this folder; waits until it may. Without locks, on
    some systems and file systems, it goes on at once."""
    with room(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if not can_lock():
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
