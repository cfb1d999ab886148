"""Documents from files, one after the other, as they stand; a file of any size, or a line of it, fits in memory."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import IO, Any, NamedTuple

from maskwright.base.errors import UserError, unknown
from maskwright.data.corpus.settings import CorpusSettings
from maskwright.data.corpus.sources import Found, kind_of, reason_to_pass
from maskwright.data.readers.jsonl import _object

CHUNK = 2**20  #: bytes read at once
LIMIT = 2**22  #: characters of a document; a longer one becomes several
ROW = 2**26  #: characters of a row of JSONL; a longer line has lost its end

_MARKS = (  # byte order marks; the longer ones first, as one of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_ENDS = {"lines": re.compile("\n"), "blank-lines": re.compile(r"\n[^\S\n]*\n")}


class Raw(NamedTuple):
    """A document as it was read. `origin` names the whole of which it is a part, where it was too long: held-out text
    must not be the other half of what is trained on."""

    name: str
    origin: str
    source: str
    text: str


class Reading:
    """The documents of files in order. `position` is how many bytes of the files are behind them, for a progress bar.

    Raises UserError, with file and line, for what is not the text it is said to be.
    """

    def __init__(self, found: Found, settings: CorpusSettings) -> None:
        self.found, self.settings = found, settings
        self.position = 0

    def __iter__(self) -> Iterator[Raw]:
        before = 0
        for source in self.found.sources:
            with _told(str(source.path)), open(source.path, "rb") as file:
                seen = source.path.stat()
                if (seen.st_size, seen.st_mtime_ns) != (source.size, source.written):
                    raise UserError(f"{source.path} was changed since the build began. Start again when it is written.")
                for raw in self._documents(file, source.name, str(source.path)):
                    self.position = before + min(file.tell(), source.size)
                    yield raw
            before += source.size

    def _documents(self, file: IO[bytes], name: str, where: str) -> Iterator[Raw]:
        """name: what documents are named after; where: what a person finds the file by."""
        kind = kind_of(name)
        if kind == "zip":
            yield from self._members(file, name, where)
        elif kind == "parquet":
            yield from self._parquet(file, name, where)
        else:
            pieces = _characters(_unpacked(file, where), where, self.settings.encoding)
            yield from self._jsonl(pieces, name, where) if kind == "jsonl" else self._texts(pieces, name)

    def _members(self, file: IO[bytes], name: str, where: str) -> Iterator[Raw]:
        try:
            archive = zipfile.ZipFile(file)
        except zipfile.BadZipFile as problem:
            raise UserError(f"{where} is not a zip file, or a damaged one ({problem}). Copy it again.") from None
        inner = sorted((m for m in archive.infolist() if not m.is_dir()), key=lambda member: member.filename)
        for member in inner:
            place = f"{where}/{member.filename}"
            reason = reason_to_pass(member.filename)
            if reason is not None or kind_of(member.filename) == "zip":
                self.found.leave_out(reason or "zip files in zip files", f"{name}/{member.filename}")
                continue
            with _told(place):
                try:
                    opened = archive.open(member)
                except (RuntimeError, NotImplementedError) as problem:  # a password, or a packing that Python lacks
                    raise UserError(f"{place} cannot be unpacked: {problem}. Unpack the file and give that.") from None
                with opened as stream:
                    yield from self._documents(stream, f"{name}/{member.filename}", place)

    def _texts(self, pieces: Iterator[str], name: str) -> Iterator[Raw]:
        whole, empty = self.settings.documents == "file", True
        for number, part, text in _units(pieces, _ENDS.get(self.settings.documents)):
            empty = False
            yield _raw(name if whole else f"{name}#{number}", name, text, part)
        if empty and whole:  # a document without text, which is counted as such
            yield _raw(name, name, "", 0)

    def _jsonl(self, pieces: Iterator[str], name: str, where: str) -> Iterator[Raw]:
        for number, part, line in _units(pieces, _ENDS["lines"], ROW):
            if part:
                raise UserError(f"{where} line {number} is longer than {ROW:,} characters. Write one row a line.")
            place = f"{where} line {number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = _object(line, place)  # says what is wrong
            if not isinstance(row, dict) or self.settings.text not in row:
                row = row if isinstance(row, dict) else _object(line, place)
                said = unknown("key", self.settings.text, row)
                raise UserError(f"{place}: {said} State which key holds the text: --text NAME.")
            yield from self._row(row, name, number, place)

    def _parquet(self, file: IO[bytes], name: str, where: str) -> Iterator[Raw]:
        import pyarrow as arrow  # only who has such a file waits for it
        from pyarrow import parquet, types

        wanted = [column for column in (self.settings.text, self.settings.name) if column is not None]
        try:
            content = parquet.ParquetFile(file)
            for column in wanted:
                if column not in content.schema_arrow.names:
                    said = unknown("column", column, content.schema_arrow.names)
                    raise UserError(f"{where}: {said} State the columns: --text NAME, --name NAME.")
            kind = content.schema_arrow.field(self.settings.text).type
            kind = kind.value_type if types.is_dictionary(kind) else kind
            if not (types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)):
                raise UserError(f"{where}: the column {self.settings.text!r} is of the type {kind}; text is needed.")
            number = 0
            for batch in content.iter_batches(batch_size=256, columns=wanted):
                for row in batch.to_pylist():
                    number += 1
                    yield from self._row(row, name, number, f"{where} row {number}")
        except MemoryError:  # Arrow's own is an ArrowException too
            raise
        except arrow.ArrowException as problem:
            first = str(problem).partition("\n")[0].rstrip(".")
            raise UserError(f"{where} cannot be read as Parquet: {first}. It may be cut short.") from None

    def _row(self, row: dict[str, Any], name: str, number: int, place: str) -> Iterator[Raw]:
        text, own = row[self.settings.text], f"{name}#{number}"
        if text is None:  # a missing value is an empty document, which is counted as such
            text = ""
        if not isinstance(text, str):
            raise UserError(f"{place}: {self.settings.text!r} is {text!r:.40}, not a text. State another: --text NAME.")
        if self.settings.name is not None:
            if row.get(self.settings.name) is None:
                raise UserError(f"{place} has no {self.settings.name!r} to name the document by.")
            own = str(row[self.settings.name])
            if any("\ud800" <= c <= "\udfff" for c in own):
                raise UserError(f"{place}: the name {own!r} holds half of a surrogate pair, which is no character.")
        if len(text) <= LIMIT:
            yield Raw(own, own, name, text)
            return
        yield from (_raw(own, name, piece, part) for _, part, piece in _units(iter([text]), None))


def _raw(origin: str, source: str, text: str, part: int) -> Raw:
    return Raw(f"{origin} (part {part})" if part else origin, origin, source, text)


def _units(
    pieces: Iterator[str], end: re.Pattern[str] | None, limit: int | None = None
) -> Iterator[tuple[int, int, str]]:
    """What `end` parts (nothing: the whole), as number from 1, part from 1 (0: it is whole), and text.

    A unit without a word is passed over; a line of that kind has its number nevertheless. A longer unit than `limit`
    comes in parts. Where the pieces are cut makes no difference.
    """
    limit = limit or LIMIT
    held, number, part = "", 1, 0
    for piece in chain(pieces, [None]):  # None: nothing follows
        held += piece or ""
        *whole, held = end.split(held) if end else [held]
        if piece is None:
            whole, held = [*whole, held], ""
        for unit in whole:
            *front, last = _parts(unit, limit)
            for text in front:
                part += 1
                yield number, part, text
            blank = not last or last.isspace()
            if not blank:
                yield number, part and part + 1, last
            number += not blank or bool(part) or end is _ENDS["lines"]
            part = 0
        *front, held = _parts(held, limit)
        for text in front:
            part += 1
            yield number, part, text


def _parts(text: str, limit: int) -> list[str]:
    out, start = [], 0
    while len(text) - start > limit:
        end = _cut(text, start, limit)
        out.append(text[start:end])
        start = end
    return [*out, text[start:]]


def _cut(text: str, start: int, limit: int) -> int:
    """Where to end a part of a long text: behind its last blank line, line or blank in the second half, or at the
    limit."""
    for end in ("\n\n", "\n", " "):
        at = text.rfind(end, start + limit // 2, start + limit)
        if at >= 0:
            return at + len(end)
    return start + limit


def _unpacked(file: IO[bytes], where: str) -> IO[bytes]:
    """The file itself, or what is in it where it begins like gzip, as no text does."""
    begins = file.read(2)
    file.seek(0)
    if begins == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=file)
    if where.lower().endswith(".gz"):
        raise UserError(f"{where} is not a gzip file. If it is not compressed, take .gz off its name.")
    return file


def _characters(file: IO[bytes], where: str, encoding: str) -> Iterator[str]:
    """The text of a file piece by piece, with line feeds alone as line ends. A byte order mark wins over `encoding`."""
    chunk = file.read(CHUNK)
    encoding = next((name for mark, name in _MARKS if chunk.startswith(mark)), encoding)
    # With translation every line end is one line feed, also where it lies across two pieces.
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)
    lines = 1
    while True:
        after = file.read(CHUNK) if chunk else b""
        try:
            text = decoder.decode(chunk, final=not after)
        except UnicodeDecodeError as problem:
            good = problem.object[: problem.start].decode(encoding, "ignore")
            line = lines + good.count("\n") + (0 if "\n" in good else good.count("\r"))
            raise UserError(_undecodable(where, line, problem, encoding)) from None
        if "\0" in text:
            line = lines + text.count("\n", 0, text.index("\0"))
            raise UserError(f"{where} line {line}: there is a NUL character. {_not_text(chunk, encoding)}")
        lines += text.count("\n")
        yield text
        if not after:
            return
        chunk = after


def _undecodable(where: str, line: int, problem: UnicodeDecodeError, encoding: str) -> str:
    byte, encoding = problem.object[problem.start], encoding.removesuffix("-sig")
    said = f"{where} line {line}: byte 0x{byte:02x} is not {encoding} ({problem.reason}). "
    if encoding.startswith(("utf-16", "utf-32")):
        return f"{said}It is damaged or cut short. Copy it again."
    if b"\0" in problem.object:
        return said + _not_text(problem.object, encoding)
    # 0x80 to 0x9f hold quotes and dashes in Windows' encoding, and nothing that is ever written in latin-1.
    older = "cp1252" if 0x80 <= byte <= 0x9F else "latin-1"
    return (
        f"{said}If it is an older Western file, convert it (iconv -f {older} -t utf-8), or, if all files are such, "
        f"state --encoding {older}."
    )


def _not_text(head: bytes, encoding: str) -> str:
    # Without a mark: every second byte of a text that is mostly ASCII is NUL then.
    for name, half in (("utf-16-le", head[1:1000:2]), ("utf-16-be", head[0:1000:2])):
        if encoding != name and 2 * half.count(0) > len(half) and _reads_as(head[:1000], name):
            return f"It looks like UTF-16 without a byte order mark: convert it, or state --encoding {name}."
    return "It is a binary file, or a damaged one: take it out of the input, or write it again as text."


def _reads_as(head: bytes, encoding: str) -> bool:
    """Whether bytes are, but for a few, letters and signs in an encoding; programs have as many NULs as UTF-16 has."""
    text = head[: len(head) // 2 * 2].decode(encoding, "replace")
    return sum(c.isprintable() or c.isspace() for c in text) > 0.95 * len(text)


@contextmanager
def _told(where: str) -> Iterator[None]:
    """What the system or a decompressor says of a file, as a sentence."""
    try:
        yield
    except EOFError:
        raise UserError(f"{where} was cut short. Copy it again.") from None
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as problem:
        raise UserError(f"{where} is damaged: {problem}. Copy it again.") from None
    except OSError as problem:
        if problem.errno is None:
            raise
        raise UserError(f"{where} cannot be read: {problem.strerror}.") from None
