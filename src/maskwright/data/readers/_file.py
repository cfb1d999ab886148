"""A path as something to read: what is missing, locked, or no file at all is said before it is opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from maskwright.base.errors import UserError, nearest

_OTHERS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def is_folder(path: Path) -> bool:
    """Whether `path`, links followed, is a folder; if not, it is a file.

    Raises UserError for what is neither, or not there. A pipe must not even be opened: that waits for a writer.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise UserError(_missing(path)) from None
    except OSError as problem:
        raise UserError(_refused(path, problem)) from None
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        kind = _OTHERS.get(stat.S_IFMT(mode), "something else")
        raise UserError(f"{str(path)!r} is {kind}, not a file. Write its content to a file and give that.")
    return stat.S_ISDIR(mode)


def open_file(path: Path) -> BinaryIO:
    """A file opened to read its bytes. Raises UserError for what is no file, or may not be read."""
    if is_folder(path):
        raise UserError(f"{str(path)!r} is a folder; give one file of rows.")
    try:
        return open(path, "rb")
    except OSError as problem:
        raise UserError(_refused(path, problem)) from None


def read_bytes(path: Path) -> bytes:
    """The whole content of a file. Raises UserError as `open_file` does."""
    with open_file(path) as file:
        try:
            return file.read()
        except OSError as problem:
            raise UserError(_refused(path, problem)) from None


def listing(path: Path) -> tuple[list[Path], list[Path], int]:
    """The folders and the files in a folder, each sorted by name, and how many hidden ones (`.name`) it has besides."""
    try:
        names = sorted(os.listdir(path))
    except OSError as problem:
        raise UserError(_refused(path, problem)) from None
    shown = [name for name in names if not name.startswith(".")]
    for name in shown:
        if any("\ud800" <= c <= "\udfff" for c in name):  # bytes that the system could not decode
            raise UserError(f"{str(path)!r}: the name {name!r} is not utf-8. Rename it.")
    inner = [path / name for name in shown]
    folders = [p for p in inner if is_folder(p)]
    held = set(folders)
    return folders, [p for p in inner if p not in held], len(names) - len(shown)


def _missing(path: Path) -> str:
    if path.is_symlink():
        return f"{str(path)!r} is a link to {os.readlink(path)!r}, which is not there."
    try:
        beside = os.listdir(path.parent)
    except OSError:
        beside = []
    close = nearest(path.name, beside)
    hint = f" Did you mean {str(path.with_name(close))!r}?" if close else ""
    return f"There is no file {str(path)!r}.{hint}"


def _refused(path: Path, problem: OSError) -> str:
    return f"{str(path)!r} cannot be read: {problem.strerror or problem}."
