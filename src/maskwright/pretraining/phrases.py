"""The collocations of a corpus, for the masking `pmi`: counted over its pieces on disk, in constant memory."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.base.errors import UserError
from maskwright.data.corpus import Corpus
from maskwright.pretraining.collocations import Collocations, collocations
from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.masking import Pieces
from maskwright.pretraining.masking._words import words_of
from maskwright.pretraining.reading import pieces_of
from maskwright.pretraining.vocabulary import vocabulary_of
from maskwright.text.tokenizer import Tokenizer

BLOCK = 2**20  #: pieces that are counted at once


def phrases(
    corpus: Corpus,
    tokenizer: Tokenizer,
    out: Path,
    *,
    size: int = 800_000,
    least: int = 11,
    overwrite: bool = False,
    quiet: bool = False,
) -> Collocations:
    """Count the collocations of the training documents (`collocations.collocations`) and write them to `out`.

    The pieces stand in a temporary folder beside `out` meanwhile, 4 bytes each; they are read some eight times. Raises
    UserError where `out` is there already, or no run of words comes often enough.
    """
    if out.is_dir() or (out.exists() and not overwrite):
        remedy = "Give a file." if out.is_dir() else "Give another --out, or --overwrite to replace it."
        raise UserError(f"{out} is there already. {remedy}")
    vocabulary = vocabulary_of(tokenizer)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as work:
        pieces = pieces_of(corpus, "train", tokenizer, Path(work) / "pieces")
        blocks = Blocks(pieces, quiet or not sys.stderr.isatty())
        found = collocations(blocks, vocabulary, tokenizer.fingerprint(), size=size, least=least)
    found.save(out)
    return found


@dataclass
class Blocks:
    """The documents of a corpus, some at a time, as often as they are asked for, with a bar on a terminal."""

    corpus: Encoded
    quiet: bool = True
    reads: int = 0

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        self.reads += 1
        bounds = self.corpus.sentences[self.corpus.documents]
        ranges = _ranges(bounds)
        for first, last in ranges if self.quiet else _shown(ranges, f"reading, {self.reads}"):
            start, stop = bounds[first], bounds[last]
            yield np.asarray(self.corpus.ids[start:stop]), bounds[first : last + 1] - start


def _ranges(bounds: np.ndarray) -> list[tuple[int, int]]:
    """Documents from one to before another, of BLOCK pieces or one longer document."""
    out, first = [], 0
    while first < len(bounds) - 1:
        last = max(first + 1, int(np.searchsorted(bounds, bounds[first] + BLOCK, side="right")) - 1)
        out.append((first, last))
        first = last
    return out


def _shown(ranges: list[tuple[int, int]], doing: str) -> Iterator[tuple[int, int]]:
    from rich.console import Console
    from rich.progress import track

    yield from track(ranges, doing, console=Console(stderr=True), transient=True)


def lines(found: Collocations, tokenizer: Tokenizer, examples: int = 5) -> list[str]:
    """What was found, for a terminal: how many collocations of how many words, and the strongest of each."""
    pieces = Pieces(found.ids, found.offsets, np.arange(len(found)))
    sizes = np.bincount(words_of(pieces, vocabulary_of(tokenizer)).rows, minlength=len(found))
    out = []
    for n in np.unique(sizes):
        of = np.flatnonzero(sizes == n)
        best = [tokenizer.decode(found.ids[found.offsets[i] : found.offsets[i + 1]]).strip() for i in of[:examples]]
        out.append(f"{len(of):,} of {n} words, such as {'; '.join(best)}")
    return out
