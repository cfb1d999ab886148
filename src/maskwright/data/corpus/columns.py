"""What is known of all documents of all blocks, a column at a time: numbers stand in one array, once; texts stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from maskwright.data._near import BANDS
from maskwright.data._same import key
from maskwright.data.corpus.blocks import SCHEMA, column, read_block


class Columns:
    """The K documents of the blocks in `paths`, end to end.

    Arrays are filled block by block in their final place: concatenating what each block has would hold all twice.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.starts = np.cumsum([0, *(len(read_block(path)) for path in paths)])  #: where each block begins

    def __len__(self) -> int:
        return int(self.starts[-1])

    def _blocks(self) -> Iterator[tuple[int, int, pa.RecordBatch]]:
        for path, (start, end) in zip(self.paths, pairwise(self.starts.tolist()), strict=True):
            yield start, end, read_block(path)

    def numbers(self, name: str) -> np.ndarray:
        """(K,) a number of each document."""
        out = np.empty(len(self), SCHEMA.field(name).type.to_pandas_dtype())
        for start, end, batch in self._blocks():
            out[start:end] = column(batch, name)
        return out

    def texts(self, name: str) -> Iterator[str]:
        """A text of each document, those of one block at a time in memory."""
        for _, _, batch in self._blocks():
            yield from batch.column(name).to_pylist()

    def bands(self, stays: np.ndarray) -> np.ndarray:
        """(len(stays), BANDS) uint64 of documents in order, none of which a filter took: those have none.

        Each band lies end to end in memory, as they are compared.
        """
        out = np.empty((BANDS, len(stays)), np.uint64)
        chosen = np.zeros(len(self), bool)
        chosen[stays] = True
        at = 0
        for start, end, batch in self._blocks():
            own = chosen[start:end][column(batch, "reason") == 0]
            found = column(batch, "bands").reshape(-1, BANDS)[own]
            out[:, at : at + len(found)] = found.T
            at += len(found)
        return out.T

    def key_reader(self, stays: np.ndarray) -> Callable[[int], str]:
        """What reads the key of one of the documents that stay from its block."""
        block = lru_cache(maxsize=8)(read_block)

        def read(document: int) -> str:
            place = int(np.searchsorted(self.starts, stays[document], side="right")) - 1
            sentences = block(self.paths[place]).column("sentences")[int(stays[document] - self.starts[place])]
            return key(" ".join(sentences.as_py()))

        return read
