"""A block of documents, cleaned and cut into sentences: the work of one process, and a file that a kill leaves whole.

A block also holds what is needed to decide on its documents without their text: see `SCHEMA`. Blocks depend on the
input and on settings alone (all but `LATER`), so that it does not matter which process makes one, or when.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from maskwright.base.errors import UserError, unknown
from maskwright.base.files import write_bytes
from maskwright.data._same import key
from maskwright.data.corpus.cleaning import clean, limited, neutralise, paragraphs, special_pattern, unbroken
from maskwright.data.corpus.duplicates import signatures
from maskwright.data.corpus.reading import Raw
from maskwright.data.corpus.settings import CorpusSettings
from maskwright.text.sentences import split

SIZE = 2**20  #: characters after which a block is closed
MOST = 4096  #: documents of a block
REASONS = ("", "empty", "short", "long", "language")  #: why a document is left out; the first: it is not
LATER = ("held_out", "held_out_names", "seed", "shard_bytes")  #: settings that no block depends on
SAMPLE = 10_000  #: characters that tell a document's language

SCHEMA = pa.schema(
    {
        "name": pa.string(),
        "sentences": pa.list_(pa.string()),
        "words": pa.list_(pa.int32()),  # of each sentence
        "hashes": pa.list_(pa.uint64()),  # of each sentence, without case
        "reason": pa.int8(),  # an index into REASONS
        "key": pa.uint64(),  # equal for documents that say the same
        "bands": pa.list_(pa.uint64()),  # for near duplicates; null where they are not looked for
        "origin": pa.string(),  # the document of which it is a part, else its own name
        "source": pa.string(),  # its file
        "specials": pa.int32(),  # how many were neutralised
        "control": pa.int32(),  # characters taken out
        "cut": pa.int32(),  # sentences that were too long and cut
        "part": pa.bool_(),  # whether it is a part of a document that was too long
    }
)


@dataclass(frozen=True)
class Task:
    """What a process is given: the documents of a block, and the file it writes."""

    raws: tuple[Raw, ...]
    path: Path
    settings: CorpusSettings


def blocks(raws: Iterable[Raw]) -> Iterator[tuple[Raw, ...]]:
    """Documents in order, so many at a time that their characters fill a block."""
    held: list[Raw] = []
    size = 0
    for raw in raws:
        held.append(raw)
        size += len(raw.text)
        if size >= SIZE or len(held) >= MOST:
            yield tuple(held)
            held, size = [], 0
    if held:
        yield tuple(held)


def make(task: Task) -> None:
    """Write the file of a block. Raises UserError when the disk does not take it."""
    rows = [_document(raw, task.settings) for raw in task.raws]
    if task.settings.duplicates == "near":
        kept = [row for row in rows if not row["reason"]]
        for row, bands in zip(kept, signatures([row["text"] for row in kept]), strict=True):
            row["bands"] = bands
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_batch(batch)
    write_bytes(task.path, sink.getvalue())


def _document(raw: Raw, settings: CorpusSettings) -> dict[str, Any]:
    """A row of `SCHEMA`, and the key's text; one that is left out has no sentences."""
    text, control = clean(raw.text)
    text, specials = neutralise("\n".join(paragraphs(text)), special_pattern(settings.specials))
    parts = [unbroken(paragraph) for paragraph in text.split("\n")]
    whole = [sentence for paragraph, _ in parts for part in paragraph for sentence in split(part)]
    sentences = [part for sentence in whole for part in limited(sentence)]
    cut = len(sentences) - len(whole) + sum(cuts for _, cuts in parts)
    words = [len(sentence.split()) for sentence in sentences]
    reason = _reason(sentences, sum(words), settings)
    row = {"name": raw.name, "reason": REASONS.index(reason), "part": raw.name != raw.origin, "key": 0}
    row |= {"origin": raw.origin, "source": raw.source}
    row |= {"sentences": [], "words": [], "hashes": [], "specials": 0, "control": 0, "cut": 0}
    if reason:
        return row
    joined = key(" ".join(sentences))
    row |= {"sentences": sentences, "words": words, "hashes": [hash64(s.lower()) for s in sentences]}
    row |= {"specials": specials, "control": control, "cut": cut}
    return row | {"key": hash64(joined), "text": joined}


def _reason(sentences: Sequence[str], words: int, settings: CorpusSettings) -> str:
    if not words:
        return "empty"
    if words < settings.min_words:
        return "short"
    if settings.max_words is not None and words > settings.max_words:
        return "long"
    if settings.language is not None and _language(sentences) != settings.language:
        return "language"
    return ""


def hash64(text: str) -> int:
    """64 bits: of 10 million texts two are the same by chance with a probability of 3 in a million."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _language(sentences: Sequence[str]) -> str:
    """The likeliest language of the first characters, as its code of two letters."""
    text, size = [], 0
    for sentence in sentences:
        text.append(sentence[:SAMPLE])
        size += len(sentence)
        if size >= SAMPLE:
            break
    found: str = _languages().classify(" ".join(text))[0]
    return found


@cache
def _languages() -> Any:
    try:
        import py3langid
    except ImportError:
        raise UserError("language needs the package py3langid: pip install 'maskwright[corpus]'.") from None
    return py3langid


def check_language(language: str | None) -> None:
    """Raises UserError, before anything is read, for a language that the filter does not know, or without it."""
    if language is None:
        return
    known = [str(code) for code, _ in _languages().rank("any text ranks them all")]
    if language not in known:
        raise UserError(unknown("language", language, known))


def read_block(path: Path) -> pa.RecordBatch:
    """A block, its columns mapped from the file and not read until they are used."""
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).get_batch(0)


def column(batch: pa.RecordBatch, name: str) -> np.ndarray:
    """A column of numbers; of one that holds lists, the numbers of all rows end to end."""
    values = batch.column(name)
    found: np.ndarray = (values.flatten() if pa.types.is_list(values.type) else values).to_numpy(zero_copy_only=False)
    return found
