"""A corpus as pieces: all sentences of all documents end to end.

Shapes: N pieces of S sentences of D documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.text.encodings import Encodings
from maskwright.text.tokenizer import Tokenizer


@dataclass(frozen=True, eq=False)
class Encoded:
    """ids (N,) int32, without special pieces; sentences (S + 1,) int64: where each sentence begins among the pieces;
    documents (D + 1,) int64: where each document begins among the sentences. unknown: how many pieces are [UNK]."""

    ids: np.ndarray
    sentences: np.ndarray
    documents: np.ndarray
    unknown: int = 0

    def __len__(self) -> int:
        """How many documents."""
        return len(self.documents) - 1


def encode(documents: Iterable[Sequence[str]], tokenizer: Tokenizer) -> Encoded:
    """Documents, each its sentences, as pieces. A sentence of which nothing is left is left out.

    Where pieces show the space before a word, each sentence but a document's first has one, as in a text.
    """
    sentences: list[str] = []
    counts = [0]
    before = " " if tokenizer.word_mark == ("begins", "Ġ") else ""
    for document in documents:
        sentences.extend(before * (i > 0) + sentence for i, sentence in enumerate(document))
        counts.append(len(sentences))
    ids, lengths, unknown = plain(tokenizer.encode(sentences), tokenizer)
    kept = lengths > 0
    ends = np.concatenate([[0], np.cumsum(kept)])[np.array(counts)]
    return Encoded(
        ids, np.concatenate([[0], np.cumsum(lengths[kept])]).astype(np.int64), ends.astype(np.int64), unknown
    )


def plain(found: Encodings, tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray, int]:
    """The pieces of encoded texts without [CLS] before and [SEP] behind them, and how many each text has left."""
    first, last = found.offsets[:-1], found.offsets[1:] - 1
    dropped = np.zeros(len(found.ids), bool)
    dropped[first[found.ids[first] == tokenizer.cls_id]] = True
    dropped[last[found.ids[last] == tokenizer.sep_id]] = True
    owner = np.repeat(np.arange(len(found)), found.lengths)
    return found.ids[~dropped], np.bincount(owner[~dropped], minlength=len(found)), found.unknown


def join(parts: Sequence[Encoded]) -> Encoded:
    """Encoded corpora one behind the other."""
    pieces = np.cumsum([0, *(len(p.ids) for p in parts)])
    sentences = np.cumsum([0, *(len(p.sentences) - 1 for p in parts)])
    return Encoded(
        np.concatenate([p.ids for p in parts]),
        np.concatenate([[0], *(p.sentences[1:] + at for p, at in zip(parts, pieces, strict=False))]),
        np.concatenate([[0], *(p.documents[1:] + at for p, at in zip(parts, sentences, strict=False))]),
        sum(p.unknown for p in parts),
    )
