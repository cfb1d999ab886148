"""A file as text, or a sentence that says where and why it is none."""

from __future__ import annotations

import codecs
from pathlib import Path

from maskwright.base.errors import UserError, nearest

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode(path: str | Path, encoding: str) -> str:
    """The whole text of a file, without its byte order mark; line ends are kept as they are."""
    data = _load(Path(path))
    utf16 = " It begins like UTF-16: state --set data.encoding=utf-16." if data.startswith(_UTF16) else ""
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        hint = utf16 or " If it is an older Western file, state --set data.encoding=latin-1."
        raise UserError(
            f"{path} line {line}: byte 0x{data[problem.start]:02x} is not {encoding} ({problem.reason}).{hint}"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        hint = utf16 or " It is not a text file, or it is damaged: write it again without NUL."
        raise UserError(f"{path} line {line}: there is a NUL character.{hint}")
    # A file with carriage returns alone (old Macintosh) would be one endless line.
    return text if "\n" in text else text.replace("\r", "\n")


def _load(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        beside = [f.name for f in path.parent.iterdir() if f.is_file()] if path.parent.is_dir() else []
        close = nearest(path.name, beside)
        hint = f" Did you mean {str(path.with_name(close))!r}?" if close else ""
        raise UserError(f"There is no file {str(path)!r}.{hint}") from None
    except IsADirectoryError:
        raise UserError(f"{str(path)!r} is a folder; give one file of rows.") from None
    except OSError as problem:
        raise UserError(f"{str(path)!r} cannot be read: {problem.strerror}.") from None
