"""How likely a text is to a masked-LM network: its pseudo-log-likelihood, in constant memory however many texts come.

Texts are taken in windows. All masked copies of a window's texts, one for each piece that is asked for, are sorted by
length and cut into batches of a budget of tokens; a copy is made when its batch is. Neither windows nor batches change
a figure by more than rounding.

Shapes: B texts, N pieces of them, Q questions, one masked copy each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from maskwright.base import runtime
from maskwright.base.errors import UserError, unknown
from maskwright.data import batching
from maskwright.data.rows import STDIN, Rows
from maskwright.data.stream import LINES, open_rows
from maskwright.nn.batch import Batch
from maskwright.text.encodings import Encodings

if TYPE_CHECKING:
    from maskwright.tasks._masked_lm import MaskedLM

Method = Literal["plain", "within-word"]
METHODS = ("plain", "within-word")
WINDOW = 1024  #: texts whose copies are sorted by length together
SQUARES = 2**25  #: a window ends sooner where its texts' characters, squared, sum to this: some 2 million tokens
TOKENS = 8192  #: tokens at once
TEXT_FILES = ("", ".txt", ".text")  #: suffixes of files that hold a text on each line


@dataclass(frozen=True)
class Sum:
    """What texts come to. Add them up for a whole file."""

    log_prob: float = 0.0  #: in nats: the sum of log p(piece | the masked text) over the pieces
    pieces: int = 0  #: special ones not counted
    words: int = 0  #: what white space parts, so that it is the same for every vocabulary
    unknown: int = 0  #: how many of the pieces stand for what the vocabulary cannot write

    def __add__(self, other: Sum) -> Sum:
        return Sum(
            self.log_prob + other.log_prob,
            self.pieces + other.pieces,
            self.words + other.words,
            self.unknown + other.unknown,
        )

    @property
    def per_piece(self) -> float:
        """Pseudo-perplexity, exp(-log_prob / pieces) (Salazar et al. 2020). Only models of one vocabulary compare."""
        return _perplexity(self.log_prob, self.pieces)

    @property
    def per_word(self) -> float:
        """exp(-log_prob / words)."""
        return _perplexity(self.log_prob, self.words)

    def plain(self) -> dict[str, Any]:
        """As JSON; a perplexity that is too large for a number is null."""
        counts = {"log_prob": self.log_prob, "pieces": self.pieces, "words": self.words, "unknown": self.unknown}
        found = {"perplexity_per_piece": self.per_piece, "perplexity_per_word": self.per_word}
        return {**counts, **{name: value if math.isfinite(value) else None for name, value in found.items()}}


@dataclass(frozen=True, eq=False, kw_only=True)
class Likelihood(Sum):
    """Of one text. ids (pieces,): its pieces, special ones not among them; values (pieces,): log p of each."""

    text: str
    ids: np.ndarray
    values: np.ndarray


def stream(model: MaskedLM, texts: Iterable[tuple[str, str]], method: Method) -> Iterator[Likelihood]:
    """See `MaskedLM.stream`."""
    if method not in METHODS:
        raise UserError(unknown("method of scoring", method, METHODS))
    for some in _windows(texts):
        encodings = model.tokenizer.encode([text for _, text in some], details=True)
        flaws = (_flaw(model, encodings, row) for row in range(len(some)))
        row, flaw = next(((row, flaw) for row, flaw in enumerate(flaws) if flaw), (len(some), None))
        sound = _values(model, encodings.select(np.arange(row)), method) if row else ([], [])
        for (_, text), ids, values in zip(some[:row], *sound, strict=True):
            yield Likelihood(
                log_prob=float(values.sum()),
                pieces=len(ids),
                words=len(text.split()),
                unknown=int((ids == encodings.unknown_id).sum()),
                text=text,
                ids=ids,
                values=values,
            )
        if flaw:
            raise UserError(f"{some[row][0]} {flaw}")
        runtime.release_memory()


def open_texts(path: str | Path, column: str = "text") -> Rows:
    """The texts of a file: each line of a .txt file or of standard input (`-`), else a column of its rows."""
    lines = str(path) == STDIN or PurePath(str(path).lower().removesuffix(".gz")).suffix in TEXT_FILES
    return open_rows(path, needs=(column,), format=LINES if lines else None)


def texts_of(rows: Rows, column: str = "text") -> Iterator[tuple[str, str]]:
    """Each text with its place. Raises UserError for a row that is none."""
    for row in rows:
        where, text = f"{rows.source} line {row.line}", row.cells.get(column)
        if row.error or not isinstance(text, str):
            raise UserError(f"{where}: {row.error or f'{column} is {text!r}, not a text.'}")
        yield where, text


def _windows(texts: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    some: list[tuple[str, str]] = []
    squares = 0
    for where, text in texts:
        if not isinstance(text, str):
            raise UserError(f"{where} is {text!r}, a {type(text).__name__}; give a text.")
        some.append((where, text))
        squares += len(text) ** 2
        if len(some) >= WINDOW or squares >= SQUARES:
            yield some
            some, squares = [], 0
    if some:
        yield some


def _flaw(model: MaskedLM, encodings: Encodings, row: int) -> str | None:
    """Why a text cannot be scored, as the end of a sentence that begins with its place."""
    part = slice(*encodings.offsets[row : row + 2])
    ids, written = encodings.ids[part], encodings.words[part] >= 0  # type: ignore[index]
    if len(ids) > model.max_length:
        return model.too_long(len(ids))
    if not written.any():
        return "has no pieces to score. Give a text, or remove it."
    special = model.tokenizer.special_ids - {encodings.unknown_id}
    wrong = next((i for i in ids[written].tolist() if i in special), None)
    if wrong is not None:
        return f"holds the special piece {model.tokenizer.tokens([wrong])[0]}, which is no text to score. Remove it."
    return None


def _values(model: MaskedLM, encodings: Encodings, method: Method) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Of each text the ids of its pieces and log p of each, float64."""
    assert encodings.words is not None, "encoded with details"
    owner = np.repeat(np.arange(len(encodings)), encodings.lengths)
    asked = np.flatnonzero(encodings.words >= 0)
    rows, ids = owner[asked], encodings.ids[asked]
    places, labels = asked - encodings.offsets[rows], torch.from_numpy(ids.astype(np.int64))
    lengths, out = encodings.lengths[rows], np.empty(len(asked))
    with model.judging():
        for some in batching.by_tokens(np.argsort(lengths, kind="stable"), lengths, TOKENS):
            batch, at = _copies(model, encodings.select(rows[some]), places[some], method)
            for part, scores in model.scores(batch, at):
                wanted = labels[some[part]].to(scores.device)
                out[some[part]] = (scores.gather(1, wanted[:, None])[:, 0] - scores.logsumexp(1)).cpu().numpy()
    if not np.isfinite(out).all():
        raise UserError("The model gives no finite number for these texts; its weights may be damaged.")
    cuts = np.cumsum(np.bincount(rows, minlength=len(encodings)))[:-1]
    return np.split(ids, cuts), np.split(out, cuts)


def _copies(model: MaskedLM, copies: Encodings, places: np.ndarray, method: Method) -> tuple[Batch, np.ndarray]:
    """Q copies with the piece at `places` (Q,) of each masked, and where these stand among all; within words also all
    later pieces of the word."""
    at = copies.offsets[:-1] + places
    ids = copies.ids.astype(np.int64)
    ids[at] = model.tokenizer.mask_id
    if method == "within-word":
        words, owner = copies.words, np.repeat(np.arange(len(copies)), copies.lengths)
        assert words is not None
        ids[(np.arange(len(ids)) > at[owner]) & (words == words[at][owner])] = model.tokenizer.mask_id
    segments = torch.from_numpy(copies.segments.astype(np.int64))
    return Batch.packed(torch.from_numpy(ids), copies.lengths.tolist(), segments), at


def _perplexity(log_prob: float, count: int) -> float:
    if not count:
        return math.nan
    try:
        return math.exp(-log_prob / count)
    except OverflowError:
        return math.inf
