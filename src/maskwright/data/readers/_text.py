"""A file as text, or a sentence that says where and why it is none."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from pathlib import Path

from maskwright.base.errors import UserError
from maskwright.data.readers._file import read_bytes

_GZIP = b"\x1f\x8b"  # no text begins so
_MARKS = (  # byte order marks; the longer ones first, as one of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(path: str | Path, encoding: str) -> tuple[str, list[str]]:
    """The whole text of a file, without its byte order mark, and notes on what was detected.

    Line ends are kept as they are. A gzip file is unpacked. A file with the mark of UTF-16 or UTF-32, with which no
    UTF-8 begins, is read as such when UTF-8 is what was asked for; this is noted.
    """
    return decode_bytes(read_bytes(Path(path)), str(path), encoding)


def decode_bytes(content: bytes, path: str, encoding: str) -> tuple[str, list[str]]:
    """`decode` of what was read from `path` already."""
    data = _unpacked(content, path)
    notes = []
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if marked and codecs.lookup(encoding).name == "utf-8":
        notes.append(f"{path}: read as {marked}, as its byte order mark says.")
        encoding = marked
    end = "\n" if b"\n" in data else "\r"
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as problem:
        line = problem.object[: problem.start].decode(encoding, "ignore").count(end) + 1
        byte = problem.object[problem.start]
        raise UserError(
            f"{path} line {line}: byte 0x{byte:02x} is not {encoding} ({problem.reason})."
            f"{_wide(data, encoding) or _narrow(byte, encoding)}"
        ) from None
    if "\0" in text:
        line = text.count(end, 0, text.index("\0")) + 1
        hint = _wide(data, encoding) or " It is not a text file, or it is damaged: write it again without NUL."
        raise UserError(f"{path} line {line}: there is a NUL character.{hint}")
    # A file with carriage returns alone (old Macintosh) would be one endless line.
    return text if "\n" in text else text.replace("\r", "\n"), notes


def _unpacked(data: bytes, path: str) -> bytes:
    if not data.startswith(_GZIP):
        if path.lower().endswith(".gz"):
            raise UserError(f"{path} is not a gzip file. If it is not compressed, take .gz off its name.")
        return data
    try:
        return gzip.GzipFile(fileobj=io.BytesIO(data)).read()
    except EOFError:
        raise UserError(f"{path} is a gzip file that was cut short. Copy it again.") from None
    except (OSError, zlib.error) as problem:
        raise UserError(f"{path} is a damaged gzip file ({problem}). Copy it again.") from None


def _wide(data: bytes, encoding: str) -> str:
    """What to state for a file of two or four bytes a character that is read as something else; empty if it is not."""
    stated = codecs.lookup(encoding).name
    for mark, name in _MARKS:
        if data.startswith(mark):
            state = f" It begins like {name.upper()}: state --set data.encoding={name}."
            return state if stated != name else f" It begins like {name.upper()}, but is damaged or cut short."
    # Without a mark: every second byte of a text that is mostly ASCII is NUL then.
    head = data[:1000]
    for name, half in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if stated != name and 2 * half.count(0) > len(half):
            return f" It looks like UTF-16 without a byte order mark: state --set data.encoding={name}."
    return ""


def _narrow(byte: int, encoding: str) -> str:
    if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        return f" It is damaged, cut short, or not {encoding}."
    # 0x80 to 0x9f hold quotes and dashes in Windows' encoding, and nothing that is ever written in latin-1.
    older = "cp1252" if 0x80 <= byte <= 0x9F else "latin-1"
    return f" If it is an older Western file, state --set data.encoding={older}."
