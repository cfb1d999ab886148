"""A file that grows block by block beside its place, and that goes on behind its last whole block after a kill."""

from __future__ import annotations

import json
import os
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from maskwright.base.errors import UserError
from maskwright.base.files import lock, room, sync_folder


class GrowingFile:
    """`NAME.part`, which becomes `NAME` in one step when it is finished.

    `NAME.part.log` is its journal: a line with the `facts` that it follows from, then a line for each block with its
    size, its CRC-32 and its counts. A block is written before its line, so that after a kill every block with a line
    is whole; after a power cut, which may lose either, the CRC tells. Use it as a context: leaving it without
    `finish` keeps both files, and opening it again with `resume` cuts off what is not whole and goes on.

    Raises UserError when a part is there and `resume` is not said, when its facts are others, when another process
    writes it, or where nothing can be written.
    """

    def __init__(self, path: str | Path, facts: Mapping[str, Any], resume: bool = False) -> None:
        self.path = Path(path)
        self.part = self.path.with_name(f"{self.path.name}.part")
        self.log = self.path.with_name(f"{self.path.name}.part.log")
        self.counts: Counter[str] = Counter()  #: the sums of what the blocks count
        self.size = 0  #: bytes of all whole blocks
        self.resumed = False  #: whether it goes on behind rows that were there
        if self.path.is_dir():
            raise UserError(f"{self.path} is a folder; give the name of a file.")
        with room(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.replaces = self.path.exists()  #: whether a file was in its place before
            self.begun = self.part.exists()  #: whether a part was there, even one without a row
            self._file = open(self.part, "ab", buffering=0)  # noqa: SIM115 (held until __exit__)
            try:
                lock(self._file, f"Another process writes {self.part}. Wait until it ends, or give another name.")
                self._journal = self._open(json.loads(json.dumps(facts)), resume)
            except BaseException:
                self._file.close()
                raise

    def _open(self, facts: dict[str, Any], resume: bool) -> BinaryIO:
        was, kept = self._read()
        if was is None and os.path.getsize(self.part):
            raise UserError(f"{self.part} is there, but no journal of it. Delete it, or give another name.")
        held = {name: count for name, count in self.counts.items() if count}
        if held and not resume:
            told = ", ".join(f"{count:,} {name}" for name, count in held.items())
            raise UserError(
                f"{self.part} holds {told} of a job that did not finish. Go on with it by --resume, or delete it to "
                "start anew."
            )
        if held and was != facts:
            raise UserError(
                f"{self.part} was begun otherwise: {_differences(was or {}, facts)}. Go on with the same, or delete it "
                "to start anew."
            )
        self.resumed = bool(held)
        if not held:  # a head without a row is no work to be lost, and may be of another job
            self.size = kept = 0
        self._file.truncate(self.size)
        journal = open(self.log, "ab", buffering=0)  # noqa: SIM115 (held until __exit__)
        journal.truncate(kept)
        if not kept:
            _write(journal, _line({"facts": facts}))
        return journal

    def _read(self) -> tuple[dict[str, Any] | None, int]:
        """The facts of an earlier session, None without one, and the bytes of its journal that speak of
        whole blocks."""
        try:
            lines = self.log.read_bytes().splitlines(keepends=True)
            facts, kept = json.loads(lines[0])["facts"], len(lines[0])
        except (FileNotFoundError, IndexError, KeyError, TypeError, ValueError):
            return None, 0
        with open(self.part, "rb") as part:
            for line in lines[1:]:
                try:
                    entry = json.loads(line)
                    size, crc, counts = entry["bytes"], entry["crc32"], entry["counts"]
                except (ValueError, TypeError, KeyError):  # the kill came in the middle of a line
                    break
                block = part.read(size)
                if len(block) < size or zlib.crc32(block) != crc or not line.endswith(b"\n"):
                    break
                self.size += size
                self.counts.update(counts)
                kept += len(line)
        return facts, kept

    def append(self, block: bytes, **counts: int) -> None:
        """Add a block and what it counts, such as rows. Raises UserError when the disk does not take it."""
        entry = {"bytes": len(block), "crc32": zlib.crc32(block), "counts": counts}
        try:
            _write(self._file, block)
            _write(self._journal, _line(entry))
        except OSError as problem:
            raise UserError(
                f"{self.part} cannot be written: {problem.strerror}. What it holds is kept; mend that and go on by "
                "--resume."
            ) from None
        self.size += len(block)
        self.counts.update(counts)

    def finish(self, convert: Callable[[Path, Path], None] | None = None) -> None:
        """Put the part in its place; or what `convert(part, new)` makes of it, where the whole has another form."""
        with room(self.path):
            self._finish(convert)

    def _finish(self, convert: Callable[[Path, Path], None] | None) -> None:
        os.fsync(self._file.fileno())
        if convert is None:
            os.replace(self.part, self.path)
        else:
            new = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
            try:
                convert(self.part, new)
                with open(new, "rb") as file:
                    os.fsync(file.fileno())
                os.replace(new, self.path)
            finally:
                new.unlink(missing_ok=True)
            self.part.unlink()
        self.log.unlink()
        sync_folder(self.path.parent)

    def __enter__(self) -> GrowingFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._journal.close()
        self._file.close()


def _write(file: BinaryIO, block: bytes) -> None:
    """All of a block; a single write of an unbuffered file may take less."""
    left = memoryview(block)
    while left:
        left = left[file.write(left) :]


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry).encode() + b"\n"


def _differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    changed = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    return "; ".join(f"{name} was {was.get(name)!r} and is {now.get(name)!r}" for name in changed)
