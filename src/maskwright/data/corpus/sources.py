"""Which files are read: those given, and those in folders given, in an order that no file system changes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Literal

from maskwright.base.errors import UserError
from maskwright.base.files import sha256
from maskwright.data.readers._file import is_folder

Kind = Literal["text", "jsonl", "parquet", "zip"]
KINDS: dict[str, Kind] = {
    "": "text",
    ".txt": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".zip": "zip",
}
ALLOWED = "text (.txt or no suffix), .jsonl, .ndjson, the same with .gz behind, .parquet, .pq, and .zip of such files"
_NAMED = 3  # files that a note names


@dataclass(frozen=True, slots=True)
class Source:
    """One file: where it is, what its documents are named after, its size in bytes and when it was written."""

    path: Path
    name: str
    kind: Kind
    size: int
    written: int


@dataclass
class Found:
    """The files of a corpus, and what was seen in folders and left out, by reason."""

    sources: list[Source] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        out = []
        for reason, names in self.left_out.items():
            shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
            out.append(f"Left out, {reason}: {len(names):,} ({shown}).")
        return out

    def leave_out(self, reason: str, name: str) -> None:
        self.left_out.setdefault(reason, []).append(name)

    def facts(self) -> dict[str, int | str]:
        """How many files and bytes, and a digest of names and contents: what makes two inputs the same."""
        digest = hashlib.sha256()
        for source in self.sources:
            digest.update(f"{source.name}\0{_sum(source)}\n".encode("utf-8", "surrogateescape"))
        size = sum(source.size for source in self.sources)
        return {"files": len(self.sources), "bytes": size, "sha256": digest.hexdigest()}


def kind_of(name: str) -> Kind | None:
    """The kind of a file by its name's suffix; None for one that tells of no text."""
    return KINDS.get(PurePath(name.lower().removesuffix(".gz")).suffix)


def find(inputs: Sequence[str | Path]) -> Found:
    """The files that `inputs` name, folders walked in sorted order and links followed.

    A file's name is its path below the folder that was given, or its own name. Raises UserError for an input that is
    not there or no text, for two files of one name, and where nothing is found.
    """
    found = Found()
    for given in inputs:
        path = Path(given).expanduser()
        if is_folder(path):
            _walk(path, PurePath(), found, ())
        elif (kind := kind_of(path.name)) is None:
            raise UserError(f"{path}: its suffix tells of no text. Allowed: {ALLOWED}. Convert it, or rename it.")
        else:
            found.sources.append(_source(path, path.name, kind))
    if not found.sources:
        where = ", ".join(map(str, inputs)) or "no input"
        raise UserError(f"There is no text in {where}. Needed: {ALLOWED}. {' '.join(found.notes)}".strip())
    _distinct(found.sources)
    return found


def _walk(folder: Path, below: PurePath, found: Found, above: tuple[tuple[int, int], ...]) -> None:
    """above: what tells the folders on the way here, so that a link back to one is a loop and not a depth."""
    try:
        here = folder.stat()
        names = sorted(os.listdir(folder), key=os.fsencode)
    except OSError as problem:
        raise UserError(f"{str(folder)!r} cannot be read: {problem.strerror}. Give it the right to be read.") from None
    own = (here.st_dev, here.st_ino)
    if own in above:
        found.leave_out("links that lead back to a folder they are in", str(below))
        return
    for name in names:
        path, inner = folder / name, below / name
        reason = _reason(path)
        if reason is not None:
            found.leave_out(reason, str(inner))
        elif path.is_dir():
            _walk(path, inner, found, (*above, own))
        else:
            kind = kind_of(name)
            assert kind is not None
            found.sources.append(_source(path, inner.as_posix(), kind))


def _reason(path: Path) -> str | None:
    """Why what stands in a folder is not read, or None."""
    try:
        folder = is_folder(path)
    except UserError:
        return "links to nothing" if path.is_symlink() else "neither files nor folders"
    return None if folder and not path.name.startswith(".") else reason_to_pass(path.name)


def reason_to_pass(name: str) -> str | None:
    """Why a file in a folder or an archive is not read, by its name; None for one that is."""
    parts = PurePath(name).parts
    if any(part.startswith(".") or part == "__MACOSX" for part in parts):
        return "hidden"
    return None if kind_of(name) else "suffixes that tell of no text"


def _source(path: Path, name: str, kind: Kind) -> Source:
    if not os.access(path, os.R_OK):
        raise UserError(f"{str(path)!r} cannot be read: permission denied. Give it the right to be read, or move it.")
    if any("\ud800" <= c <= "\udfff" for c in name):  # bytes that the system could not decode
        raise UserError(f"{str(path)!r}: the name is not utf-8. Rename it.")
    told = path.stat()
    return Source(path, name, kind, told.st_size, told.st_mtime_ns)


def _distinct(sources: Sequence[Source]) -> None:
    seen: dict[str, Path] = {}
    for source in sources:
        other = seen.setdefault(source.name, source.path)
        if other is not source.path:
            raise UserError(
                f"{other} and {source.path} would both be named {source.name!r}. Give the folder that holds both, or "
                "rename one."
            )


def _sum(source: Source) -> str:
    try:
        return sha256(source.path)
    except OSError as problem:
        raise UserError(f"{str(source.path)!r} cannot be read: {problem.strerror}.") from None


def check_places(inputs: Sequence[str | Path], out: Path) -> None:
    """Raises UserError where a corpus would be written among its own inputs, or over them."""
    target = out.resolve()
    for place in _folders(inputs):
        if place == target or place in target.parents or target in place.parents:
            raise UserError(f"{out} lies in the input {place}, or holds it. Write the corpus beside it: --out corpus/.")


def _folders(inputs: Sequence[str | Path]) -> Iterator[Path]:
    return (path.resolve() for given in inputs if (path := Path(given).expanduser()).is_dir())
