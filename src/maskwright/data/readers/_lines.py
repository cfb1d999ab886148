"""A file's lines one by one. Bytes that are no text are marked, so that they cost their own line and no other."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from maskwright.base.errors import UserError
from maskwright.data.readers._text import decode
from maskwright.data.rows import STDIN, source_of

HEAD = 2**20  #: bytes that are looked at before the first line, where the source has them at once
_MARK = "maskwright-mark"
_MARKED = re.compile("[\udc00-\udcff]")  # a half of a surrogate pair: no decoder gives one by itself


def _mark(problem: UnicodeError) -> tuple[str, int]:
    """Each byte that cannot be decoded as U+DC00 and its value: Python's surrogateescape, but for every encoding."""
    assert isinstance(problem, UnicodeDecodeError)
    return "".join(chr(0xDC00 + byte) for byte in problem.object[problem.start : problem.end]), problem.end


codecs.register_error(_MARK, _mark)


def open_lines(path: str | Path, encoding: str) -> Iterator[str]:
    """Lines with the line feed that ends them, of a file (gzip or not) or of standard input (`-`), without a byte order
    mark. What stands in front of the line feed is kept, carriage returns too. `flaw` tells the lines that are no text.

    Raises UserError at once for a file that cannot be opened or begins like UTF-16 and is not stated to be it.
    """
    file = _open(path, encoding)
    with _told(source_of(path)):
        head = file.peek(HEAD)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and codecs.lookup(encoding).name == "utf-8":
        raise UserError(f"{source_of(path)} begins like UTF-16, not like {encoding}: state --set data.encoding=utf-16.")
    # A file with carriage returns alone (old Macintosh) would be one endless line. In a pipe more may come at any time.
    end = "\r" if file.seekable() and b"\r" in head and b"\n" not in head else "\n"
    return _lines(file, source_of(path), encoding, end, keep_open=str(path) == STDIN)


def flaw(line: str, encoding: str) -> str | None:
    """Why a line is no text, or None."""
    if "\0" in line:
        return "there is a NUL character. It is not a text file, or it is damaged: write it again without NUL."
    found = None if line.isascii() else _MARKED.search(line)
    if found is None:
        return None
    return (
        f"byte 0x{ord(found.group()) - 0xDC00:02x} at character {found.start() + 1} is not {encoding}. If it is an "
        "older Western file, state --set data.encoding=latin-1."
    )


def _open(path: str | Path, encoding: str) -> Any:
    """A buffered reader of bytes."""
    if str(path) == STDIN:
        return sys.stdin.buffer
    try:
        file = open(path, "rb", buffering=HEAD)  # noqa: SIM115 (the caller closes it)
    except OSError:
        decode(path, encoding)  # meets the same obstacle and says what it is
        raise
    if file.peek(2).startswith(b"\x1f\x8b"):
        return io.BufferedReader(gzip.GzipFile(fileobj=file), HEAD)
    return file


def _lines(file: Any, source: str, encoding: str, end: str, keep_open: bool) -> Iterator[str]:
    text = io.TextIOWrapper(file, encoding, errors=_MARK, newline=end)
    try:
        with _told(source):
            first = text.readline().removeprefix("\ufeff")
            for line in chain([first] if first else [], text):
                yield line if end == "\n" else line.removesuffix(end) + "\n"
    finally:
        text.detach() if keep_open else text.close()


@contextmanager
def _told(source: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise UserError(f"{source} is damaged: {problem}. Pack it again, or use another copy.") from None
    except OSError as problem:
        raise UserError(f"{source} cannot be read on: {problem.strerror}.") from None
