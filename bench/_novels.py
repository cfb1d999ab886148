"""The text of both measurements of pre-training: novels as a corpus, a tokenizer learnt from it, and its pieces.

Made once and kept under bench/.cache, by the hash of what makes it; the children read it from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bench import _measure as measure

#: Kept for judging: every twentieth novel in the order of their names, from the first on.
HELD_OUT = (
    "Anon_Clara_1864.txt.gz",
    "Dickens_Oliver_1839.txt.gz",
    "James_Roderick_1875.txt.gz",
    "Trollope_Warden_1855.txt.gz",
)
EVERY = 20
VOCABULARY = 8192
LENGTH = 128  #: most pieces of a sequence, [CLS] and [SEP] counted
MADE_BY = ("base", "data", "text", "pretraining/reading.py", "pretraining/encoded.py")


@dataclass(frozen=True)
class Novels:
    """corpus: the folder of `maskwright corpus build`; tokenizer: the folder of the one learnt from its training text.

    Opened by name in each process; `train` and `held_out` are `pretraining.encoded.Encoded`.
    """

    corpus: Path
    tokenizer: Path

    def read_tokenizer(self) -> Any:
        from maskwright.text.tokenizer import Tokenizer

        return Tokenizer.from_folder(self.tokenizer)

    def pieces(self, split: str) -> Any:
        from maskwright.data.corpus import Corpus
        from maskwright.pretraining.reading import beside, pieces_of

        corpus = Corpus.open(self.corpus)
        return pieces_of(corpus, split, self.read_tokenizer(), beside(corpus, self.corpus))


def prepare(texts: Path | None = None, held_out: tuple[str, ...] = HELD_OUT, vocabulary: int = VOCABULARY) -> Novels:
    """Build the corpus, learn the tokenizer and cut both splits into pieces, unless that was done.

    texts: the folder of the texts, by default english_novels. Raises Stop where they are missing.
    """
    texts = texts or measure.data_folder("english_novels")
    names = sorted(path.name for path in texts.iterdir())
    missing = [name for name in held_out if name not in names]
    if missing:
        raise measure.Stop(f"{missing[0]}, which is held out, is not in {texts}.")
    from maskwright.data.corpus import build
    from maskwright.pretraining.reading import beside, learn

    made_of = {"names": names, "held out": held_out, "source": measure.source(*MADE_BY)}
    folder = measure.cache_folder("novels") / measure.config_hash(made_of)
    corpus = build(texts, folder, {"held_out_names": held_out}, resume=True, quiet=True)  # at once where it is there
    kept = beside(corpus, folder)
    learn(corpus, vocabulary, False, kept)
    found = Novels(folder, kept / "tokenizers" / f"{vocabulary}-uncased")
    for split in ("train", "held-out"):
        found.pieces(split)
    return found


def summary(novels: Novels) -> str:
    """What the text is, in two sentences."""
    train, held = (novels.pieces(split) for split in ("train", "held-out"))
    return (
        f"`english_novels`: {len(train)} novels to learn from ({len(train.ids):,} pieces) and {len(held)} held out "
        f"({len(held.ids):,} pieces), every {EVERY}th by name: "
        f"{', '.join(name.removesuffix('.txt.gz') for name in HELD_OUT)}. "
        f"One uncased WordPiece vocabulary of {VOCABULARY:,}, learnt from the former, on both sides."
    )


def blocks(encoded: Any, length: int = LENGTH) -> Any:
    """A corpus cut into blocks of exactly `length` pieces with [CLS] and [SEP], each a document of its own, none across
    two documents. The end of a document that fills no block is left out, on both sides alike."""
    room = length - 2
    bounds = encoded.sentences[encoded.documents]
    ids = [encoded.ids[a : a + (b - a) // room * room] for a, b in pairwise(bounds.tolist())]
    joined = np.concatenate(ids).astype(np.int32)
    count = np.arange(len(joined) // room + 1, dtype=np.int64)
    return type(encoded)(joined, count * room, count)


def sentences(encoded: Any) -> Any:
    """A corpus in which each sentence is a document of its own, so that nothing is joined to a sequence."""
    return type(encoded)(encoded.ids, encoded.sentences, np.arange(len(encoded.sentences), dtype=np.int64))


def sequences(encoded: Any, length: int = LENGTH) -> tuple[np.ndarray, np.ndarray]:
    """Where each sequence begins and ends among the pieces, as our format of whole sentences cuts them: both sides read
    these."""
    from maskwright.pretraining.formats.doc_sentences import DocSentences

    found = DocSentences().sequences(encoded, length, 0, 0)
    return found.starts, found.ends
