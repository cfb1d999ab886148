"""Running text from files or a corpus, line by line or sentence by sentence, so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from maskwright.base.errors import UserError
from maskwright.data.corpus.shards import Corpus
from maskwright.text.wordpiece import lines


def texts_of(places: Sequence[Path], split: str = "train") -> Iterator[str]:
    """The lines of text files in UTF-8 and the sentences of corpora. split: which documents of a corpus, train or
    held-out.

    Raises UserError for a folder that is no corpus, and naming the line where a file is not UTF-8.
    """
    for place in places:
        if place.is_dir():
            for document in Corpus.open(place).documents(split):
                yield from document.sentences
        elif place.exists():
            yield from lines([place])
        else:
            raise UserError(f"There is no file or folder {str(place)!r}. Give text files, or a corpus.")
