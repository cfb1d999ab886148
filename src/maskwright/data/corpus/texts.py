"""Running text from files or a corpus, line by line or sentence by sentence, so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from maskwright.base.errors import UserError
from maskwright.data.corpus.shards import Corpus
from maskwright.text.wordpiece import lines


@dataclass(frozen=True)
class Texts:
    """The lines of text files in UTF-8 and the sentences of corpora, as often as they are asked for. split: which
    documents of a corpus, train or held-out.

    Going through them raises UserError for a folder that is no corpus, and naming the line where a file is not UTF-8.
    """

    places: Sequence[Path]
    split: str = "train"

    def __iter__(self) -> Iterator[str]:
        for place in self.places:
            if place.is_dir():
                for document in Corpus.open(place).documents(self.split):
                    yield from document.sentences
            elif place.exists():
                yield from lines([place])
            else:
                raise UserError(f"There is no file or folder {str(place)!r}. Give text files, or a corpus.")
