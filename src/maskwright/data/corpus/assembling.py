"""From blocks to shards: which documents stay, which are held out, and what there is to know of them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute

from maskwright.base.errors import UserError
from maskwright.base.files import write_json
from maskwright.data._near import BANDS
from maskwright.data._same import key
from maskwright.data.corpus.blocks import REASONS, column, hash64, read_block
from maskwright.data.corpus.duplicates import near_repeats, repeats
from maskwright.data.corpus.held_out import draw, named, places
from maskwright.data.corpus.settings import CorpusSettings
from maskwright.data.corpus.shards import FACTS, SHARD, SPLITS, Shards, Split
from maskwright.data.corpus.statistics import repeated_share, warnings, words_of_sentences

_GONE, _TRAIN, _HELD_OUT = -1, 0, 1  # a document's side; the others are indices into SPLITS


@dataclass(frozen=True)
class Sides:
    """sides (K,) int8, the split of each of K documents or -1; and what was counted on the way."""

    sides: np.ndarray
    duplicates: dict[str, int]
    filtered: dict[str, int]


def assemble(
    paths: Sequence[Path], folder: Path, plan: Mapping[str, Any], settings: CorpusSettings, notes: Sequence[str]
) -> None:
    """Write shards and `corpus.json` of the blocks in `paths` into a new folder.

    Raises UserError where no document stays, or nothing can be held out.
    """
    decided = decide(paths, settings)
    tally, shards = _write(paths, folder, decided.sides, settings)
    counted = ("documents", "sentences", "words", "bytes", "single")  # the last: documents of one sentence
    splits = {split: {name: tally.splits[split][name] for name in counted} for split in SPLITS}
    facts: dict[str, Any] = {
        **plan,
        "splits": splits,
        "total": {name: sum(splits[split][name] for split in SPLITS) for name in counted},
        "words_per_sentence": words_of_sentences(tally.histogram),
        "duplicates": decided.duplicates,
        "filtered": decided.filtered,
        "repeated_sentences": repeated_share(np.concatenate(tally.hashes)),
        "specials": tally.counts["specials"],
        "control": tally.counts["control"],
        "cut": {"documents": len(tally.parted), "sentences": tally.counts["cut"]},
        "shards": shards,
    }
    facts["notes"] = [*notes, *warnings(facts)]
    write_json(folder / FACTS, facts)


def decide(paths: Sequence[Path], settings: CorpusSettings) -> Sides:
    """The side of each document: filters first, then equal documents, then near ones, then what is held out."""
    if not paths:
        raise UserError("The input holds no text: its files are empty, or hold white space alone.")
    reasons, keys = _gathered(paths, "reason"), _gathered(paths, "key")
    filtered = {name: int((reasons == i).sum()) for i, name in enumerate(REASONS) if name}
    stays = np.flatnonzero(reasons == 0)
    if not len(stays):
        told = ", ".join(f"{count:,} {name}" for name, count in filtered.items() if count)
        raise UserError(
            f"No document is left of {len(reasons):,}: {told}. Lower --min-words ({settings.min_words}), raise "
            "--max-words, drop --language, or give other text."
        )
    first = repeats(keys[stays])
    owns = first == np.arange(len(stays))
    duplicates = {"exact": int((~owns).sum()), "near": 0, "crowded": 0}
    if settings.duplicates == "keep":
        lead = stays[first]  # copies go to one side: held-out text must not be trained on
    else:
        lead = stays = stays[owns]
    if settings.duplicates == "near":
        owner, duplicates["crowded"] = near_repeats(_bands(paths, stays), _key_reader(paths, stays))
        owns = owner == np.arange(len(stays))
        duplicates["near"] = int((~owns).sum())
        lead = stays = stays[owns]
    sides = np.full(len(reasons), _GONE, np.int8)
    sides[stays] = np.where(_held_out(paths, lead, settings), _HELD_OUT, _TRAIN)
    return Sides(sides, duplicates, filtered)


def _held_out(paths: Sequence[Path], lead: np.ndarray, settings: CorpusSettings) -> np.ndarray:
    """(K,) bool: which of K documents are held out; `lead` (K,) says which document of all blocks speaks for each."""
    if not settings.held_out and not settings.held_out_names:
        return np.zeros(len(lead), bool)
    origins = _texts(paths, "origin")
    if settings.held_out_names:
        sources = _texts(paths, "source")
        return named([(origins[i], sources[i]) for i in lead], settings.held_out_names)
    return draw(places(origins, settings.seed)[lead], settings.held_out)


class _Tally:
    """Sums over the documents that stay."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.splits: dict[Split, Counter[str]] = {split: Counter() for split in SPLITS}
        self.histogram = np.zeros(1, np.int64)  #: how many sentences have 0, 1, ... words
        self.hashes: list[np.ndarray] = [np.empty(0, np.uint64)]
        self.parted: set[int] = set()  #: hashes of the names of documents that stand in parts

    def add(self, split: Split, batch: pa.RecordBatch) -> None:
        words, sentences = column(batch, "words"), batch.column("sentences")
        self.splits[split].update(
            documents=len(batch),
            sentences=len(words),
            words=int(words.sum()),
            bytes=compute.sum(compute.binary_length(sentences.flatten())).as_py() or 0,
            single=int((compute.list_value_length(sentences).to_numpy() == 1).sum()),
        )
        self.counts.update({name: int(column(batch, name).sum()) for name in ("specials", "control", "cut")})
        found = np.bincount(words, minlength=len(self.histogram))
        found[: len(self.histogram)] += self.histogram
        self.histogram = found
        self.hashes.append(column(batch, "hashes").copy())
        self.parted.update(map(hash64, batch.filter(batch.column("part")).column("origin").to_pylist()))


def _write(
    paths: Sequence[Path], folder: Path, sides: np.ndarray, settings: CorpusSettings
) -> tuple[_Tally, dict[str, list[dict[str, Any]]]]:
    tally, start = _Tally(), 0
    with ExitStack() as stack:
        writers = [stack.enter_context(Shards(folder, split, settings.shard_bytes)) for split in SPLITS]
        for path in paths:
            batch = read_block(path)
            own = sides[start : start + len(batch)]
            start += len(batch)
            for side, writer in enumerate(writers):
                if (own == side).any():
                    some = batch.filter(pa.array(own == side))
                    writer.add(some.select(SHARD.names))
                    tally.add(writer.split, some)
    return tally, {writer.split: writer.written for writer in writers}


def _gathered(paths: Sequence[Path], name: str) -> np.ndarray:
    """(K,) a number of each document of all blocks."""
    return np.concatenate([column(read_block(path), name).copy() for path in paths])


def _texts(paths: Sequence[Path], name: str) -> list[str]:
    return [text for path in paths for text in read_block(path).column(name).to_pylist()]


def _bands(paths: Sequence[Path], stays: np.ndarray) -> np.ndarray:
    """(len(stays), BANDS) uint64. Documents that a filter took have none: the others are counted through."""
    whole = _gathered(paths, "bands").reshape(-1, BANDS)
    rank = np.cumsum(_gathered(paths, "reason") == 0) - 1
    return whole[rank[stays]]


def _key_reader(paths: Sequence[Path], stays: np.ndarray) -> Callable[[int], str]:
    """What reads the key of one of the documents that stay from its block."""
    starts = np.cumsum([0, *(len(read_block(path)) for path in paths)])
    block = lru_cache(maxsize=8)(read_block)

    def read(document: int) -> str:
        place = int(np.searchsorted(starts, stays[document], side="right")) - 1
        sentences = block(paths[place]).column("sentences")[int(stays[document] - starts[place])]
        return key(" ".join(sentences.as_py()))

    return read
