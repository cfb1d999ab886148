"""The likeliest pieces at the masks of a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from maskwright.base.errors import UserError
from maskwright.data import batching
from maskwright.nn.batch import Batch
from maskwright.text.encodings import Encodings

if TYPE_CHECKING:
    from maskwright.tasks._masked_lm import MaskedLM

MASK = "[MASK]"  #: how a mask may be written whatever the tokenizer calls it
TOKENS = 8192  #: tokens at once


@dataclass(frozen=True)
class Candidate:
    """A piece that may stand at a mask; text: the text with it, as the tokenizer joins pieces, other masks left."""

    piece: str
    probability: float
    text: str


@dataclass(frozen=True)
class Filled:
    """A text, and of each of its masks the likeliest pieces, the likeliest first."""

    text: str
    masks: tuple[tuple[Candidate, ...], ...]


def fill(model: MaskedLM, texts: Sequence[str], top: int) -> list[Filled]:
    """See `MaskedLM.fill`. Probabilities are over the whole vocabulary, special pieces too."""
    most = int(model.pieces.sum())
    if not 1 <= top <= most:
        raise UserError(f"top = {top}: give a number from 1 to {most:,}, the pieces of the vocabulary.")
    names = [f"Text {n} ({text!r:.60})" for n, text in enumerate(texts, 1)]
    encodings = model.whole([str(text).replace(MASK, model.mask) for text in texts], names)
    asked = np.flatnonzero(encodings.ids == model.tokenizer.mask_id)
    rows = np.searchsorted(encodings.offsets, asked, side="right") - 1
    for row in np.setdiff1d(np.arange(len(texts)), rows)[:1]:
        own = "" if model.mask == MASK else f", or {model.mask},"
        raise UserError(f"{names[row]} holds no mask. Write {MASK}{own} in the place of the word that you ask for.")
    ids, likely = _likeliest(model, encodings, asked, top)
    filled: list[list[tuple[Candidate, ...]]] = [[] for _ in texts]
    for row, at, best, chances in zip(rows, asked, ids, likely, strict=True):
        filled[row].append(tuple(_candidates(model, encodings, row, at, best, chances)))
    return [Filled(text, tuple(masks)) for text, masks in zip(texts, filled, strict=True)]


def _likeliest(model: MaskedLM, encodings: Encodings, asked: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """(M, top) the ids of the likeliest pieces at the places `asked` (M,), and their probabilities."""
    ids, likely = np.empty((len(asked), top), np.int64), np.empty((len(asked), top))
    absent = torch.from_numpy(~model.pieces).to(model.device)
    with model.judging():
        for some in batching.by_tokens(np.argsort(encodings.lengths, kind="stable"), encodings.lengths, TOKENS):
            batch, origin = Batch.from_encodings(encodings, some), _places(encodings, some)
            at = np.flatnonzero(np.isin(origin, asked))
            row = np.searchsorted(asked, origin[at])
            for part, scores in model.scores(batch, at):
                best = scores.masked_fill(absent, -torch.inf).topk(top)
                ids[row[part]] = best.indices.cpu().numpy()
                likely[row[part]] = (best.values - scores.logsumexp(1, keepdim=True)).exp().cpu().numpy()
    return ids, likely


def _places(encodings: Encodings, rows: np.ndarray) -> np.ndarray:
    """Where each piece of the texts `rows`, one behind the other, stands among all pieces."""
    lengths = encodings.lengths[rows]
    before = np.repeat(encodings.offsets[rows] - np.cumsum(lengths) + lengths, lengths)
    return before + np.arange(len(before))


def _candidates(
    model: MaskedLM, encodings: Encodings, row: int, at: int, best: np.ndarray, chances: np.ndarray
) -> Iterator[Candidate]:
    assert encodings.words is not None, "encoded with details"
    part = slice(*encodings.offsets[row : row + 2])
    ids, written = encodings.ids[part].astype(np.int64), encodings.words[part] >= 0
    for number, chance in zip(best.tolist(), chances.tolist(), strict=True):
        ids[at - encodings.offsets[row]] = number
        said = model.tokenizer.decode(ids[written], skip_specials=False)
        yield Candidate(model.tokenizer.tokens([number])[0], chance, said.strip())
