"""A corpus on disk: Arrow shards of documents, `corpus.json` with what is known of them, and checksums."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

import pyarrow as pa

from maskwright.base.errors import UserError, unknown
from maskwright.base.files import read_json, sha256

FORMAT = 1  #: of corpus.json; a number that this file does not know is refused
FACTS = "corpus.json"
SUMS = "checksums.json"
DERIVED = ("tokenizers", "pieces")  #: folders in which pre-training keeps what it has made of a corpus

Split = Literal["train", "held-out"]
SPLITS: tuple[Split, ...] = get_args(Split)
SHARD = pa.schema({"name": pa.string(), "sentences": pa.list_(pa.string())})


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its name: sentences in order, each without line ends."""

    name: str
    sentences: list[str]


@dataclass(frozen=True)
class Corpus:
    """A corpus that was built. `facts` is the content of corpus.json."""

    folder: Path
    facts: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path, verify: bool = True) -> Corpus:
        """The corpus in a folder.

        Each shard is compared with its size, and with its SHA-256 unless `verify` is False (a second for 1 GB or so).
        Raises UserError where there is no corpus, or a file of it is missing, cut short or changed.
        """
        folder = Path(folder)
        old = folder.with_name(f".{folder.name}.old")
        if not folder.exists() and old.exists():  # a kill between the two steps of putting a new one in its place
            os.replace(old, folder)
        if not (folder / FACTS).is_file():
            raise UserError(_no_corpus(folder))
        sums = read_json(folder / SUMS)
        _check_sum(folder / FACTS, sums)
        facts = read_json(folder / FACTS)
        if facts["format"] != FORMAT:
            raise UserError(f"{folder} has the format {facts['format']} of another version. Build it again.")
        for shard in (shard for split in SPLITS for shard in facts["shards"][split]):
            path = folder / shard["file"]
            if not path.is_file():
                raise UserError(f"{path} is missing. Copy the whole folder again, or build it again (--overwrite).")
            if (size := path.stat().st_size) != shard["file_bytes"]:
                raise UserError(
                    f"{path} has {size:,} bytes, not the {shard['file_bytes']:,} that were written: it was cut short "
                    "or changed. Copy it again, or build the corpus again (--overwrite)."
                )
            if verify:
                _check_sum(path, sums)
        return cls(folder, facts)

    @property
    def fingerprint(self) -> str:
        """Equal for corpora of the same input and settings: 64 hexadecimal digits."""
        return str(self.facts["fingerprint"])

    def shards(self, split: str) -> list[Path]:
        """The files of a split (train, held-out) in order: record batches with the columns name and sentences."""
        if split not in SPLITS:
            raise UserError(unknown("split", split, SPLITS))
        return [self.folder / shard["file"] for shard in self.facts["shards"][split]]

    def documents(self, split: str) -> Iterator[Document]:
        """The documents of a split in order, some at a time in memory."""
        return (document for path in self.shards(split) for document in read_shard(path))


def read_shard(path: Path) -> Iterator[Document]:
    """The documents of a shard, one record batch of it at a time."""
    with pa.memory_map(str(path)) as file:
        content = pa.ipc.open_file(file)
        for number in range(content.num_record_batches):
            batch = content.get_batch(number)
            for name, sentences in zip(batch.column("name"), batch.column("sentences"), strict=True):
                yield Document(name.as_py(), sentences.as_py())


class Shards:
    """Writes the shards of a split, one after the other. A context: it closes the last."""

    def __init__(self, folder: Path, split: Split, most: int) -> None:
        self.folder, self.split, self.most = folder, split, most
        self.written: list[dict[str, Any]] = []  #: of each shard its file, documents and bytes of the file
        self._writer: Any = None
        self._bytes = self._documents = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Some documents, in a batch of `SHARD`. A shard is closed behind the batch that fills it."""
        if not len(batch):
            return
        if self._writer is None:
            self._writer = pa.ipc.new_file(str(self._path), SHARD)
            self._bytes = self._documents = 0
        self._writer.write_batch(batch)
        self._bytes += batch.nbytes
        self._documents += len(batch)
        if self._bytes >= self.most:
            self._close()

    @property
    def _path(self) -> Path:
        return self.folder / f"{self.split}-{len(self.written):05}.arrow"

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            size = self._path.stat().st_size
            self.written.append({"file": self._path.name, "documents": self._documents, "file_bytes": size})
            self._writer = None

    def __enter__(self) -> Shards:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self._close()
        elif self._writer is not None:
            self._writer = None  # the folder is thrown away; closing would write, and a full disk say so twice


def part_of(folder: Path) -> Path:
    """Where the blocks of an unfinished build are kept."""
    return folder.with_name(f"{folder.name}.part")


def _no_corpus(folder: Path) -> str:
    if part_of(folder).is_dir():
        return f"The corpus {folder} is not finished. Give the command that began it again, with --resume."
    if folder.is_file():
        return f"{folder} is a file. A corpus is a folder: maskwright corpus build {folder} --out corpus/."
    if folder.is_dir():
        return f"{folder} holds no corpus ({FACTS}). Build one from text: maskwright corpus build {folder} --out ..."
    return f"There is no corpus {str(folder)!r}. Build one: maskwright corpus build TEXTS --out {folder}."


def _check_sum(path: Path, sums: dict[str, str]) -> None:
    if sha256(path) != sums.get(path.name):
        raise UserError(f"{path} was changed since it was written. Copy it again, or build it again (--overwrite).")
