"""From blocks to shards: which documents stay, which are held out, and what there is to know of them all."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute

from maskwright.base.errors import UserError
from maskwright.base.files import write_json
from maskwright.data.corpus.blocks import REASONS, column, hash64, read_block
from maskwright.data.corpus.columns import Columns
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
        "repeated_sentences": repeated_share(np.frombuffer(tally.hashes, np.uint64)),
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
    known = Columns(paths)
    reasons = known.numbers("reason")
    filtered = {name: int((reasons == i).sum()) for i, name in enumerate(REASONS) if name}
    stays = np.flatnonzero(reasons == 0)
    if not len(stays):
        told = ", ".join(f"{count:,} {name}" for name, count in filtered.items() if count)
        raise UserError(
            f"No document is left of {len(reasons):,}: {told}. Lower --min-words ({settings.min_words}), raise "
            "--max-words, drop --language, or give other text."
        )
    first = repeats(known.numbers("key")[stays])
    owns = first == np.arange(len(stays))
    duplicates = {"exact": int((~owns).sum()), "near": 0, "crowded": 0}
    if settings.duplicates == "keep":
        lead = stays[first]  # copies go to one side: held-out text must not be trained on
    else:
        lead = stays = stays[owns]
    if settings.duplicates == "near":
        owner, duplicates["crowded"] = near_repeats(known.bands(stays), known.key_reader(stays))
        owns = owner == np.arange(len(stays))
        duplicates["near"] = int((~owns).sum())
        lead = stays = stays[owns]
    sides = np.full(len(reasons), _GONE, np.int8)
    sides[stays] = np.where(_held_out(known, lead, settings), _HELD_OUT, _TRAIN)
    return Sides(sides, duplicates, filtered)


def _held_out(known: Columns, lead: np.ndarray, settings: CorpusSettings) -> np.ndarray:
    """(K,) bool: which of K documents are held out; `lead` (K,) says which document of all blocks speaks for each."""
    if not settings.held_out and not settings.held_out_names:
        return np.zeros(len(lead), bool)
    if not settings.held_out_names:
        return draw(places(known.texts("origin"), settings.seed)[lead], settings.held_out)
    speaks, chosen = np.zeros(len(known), bool), np.zeros(len(known), bool)
    speaks[lead] = True
    documents = compress(zip(known.texts("origin"), known.texts("source"), strict=True), speaks)
    chosen[speaks] = named(documents, settings.held_out_names)
    return chosen[lead]


class _Tally:
    """Sums over the documents that stay."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.splits: dict[Split, Counter[str]] = {split: Counter() for split in SPLITS}
        self.histogram = np.zeros(1, np.int64)  #: how many sentences have 0, 1, ... words
        self.hashes = array("Q")  #: of all sentences; it grows in place, where a list of arrays would be joined
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
        self.hashes.frombytes(column(batch, "hashes").tobytes())
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
