"""Text from a masked-LM network: masks behind a prompt are filled, and those it is least sure of are filled anew.

Shapes: N pieces that are to be written, of T in the whole sequence, V the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import Field

from maskwright.base import draws
from maskwright.base.config import Config, parse
from maskwright.base.errors import UserError
from maskwright.nn.batch import Batch
from maskwright.nn.cross_entropy import drawn

if TYPE_CHECKING:
    from maskwright.tasks._masked_lm import MaskedLM

LIMITS = (
    "An encoder is no generator: the number of pieces is fixed beforehand, pieces that are drawn in one pass do not "
    "know of each other, and no pass gives the probability of the text."
)


class Generation(Config):
    """How a text is written."""

    length: int = Field(12, ge=1, description="pieces to write")
    steps: int = Field(10, ge=1, description="iterations; of gibbs, sweeps over all pieces")
    temperature: float = Field(
        1.0, ge=0, description="above 1 more varied, below 1 more likely pieces; 0: the likeliest"
    )
    seed: int = Field(0, ge=0, description="all chance follows from it")
    method: Literal["mask-predict", "gibbs"] = Field(
        "mask-predict", description="mask-predict: many pieces a pass; gibbs: one piece a pass"
    )


@dataclass(frozen=True)
class Step:
    """One iteration. seen: the text that its first pass read; remasked: which of the N pieces were asked for; text:
    what came out; log_prob: the mean over the N pieces of log p, each as it was when the piece was drawn."""

    seen: str
    remasked: tuple[int, ...]
    text: str
    log_prob: float


@dataclass(frozen=True)
class Generated:
    """The prompt and what follows it, as the tokenizer joins pieces, and how it came about."""

    text: str
    trace: tuple[Step, ...]


def generate(model: MaskedLM, prompt: str, settings: Mapping[str, Any]) -> Generated:
    """A text of `length` pieces behind a prompt, which stays as it is. The same settings give the same text.

    mask-predict (Ghazvininejad et al. 2019, section 3): the first iteration fills all N masks at once; iteration t of
    T, from 0, masks the N (T - t) / T pieces of the lowest probability and fills these; where that is less than one it
    ends. gibbs (Wang and Cho 2019): from all masks, each sweep masks and draws one piece after the other.

    Special pieces are never written. Probabilities by which pieces are kept are those at temperature 1.
    """
    how = parse(Generation, dict(settings), "generation")
    ids, written = _laid_out(model, prompt, how.length)
    slots = np.flatnonzero(ids == model.tokenizer.mask_id)
    log_probs, trace = np.zeros(how.length), list[Step]()
    with model.judging():
        for number, groups in enumerate(_rounds(how, log_probs)):
            seen = ids.copy()
            seen[slots[groups[0]]] = model.tokenizer.mask_id
            for which in groups:
                ids[slots[which]] = model.tokenizer.mask_id
                ids[slots[which]], log_probs[which] = _draw(model, ids, slots[which], how, number)
            texts = [model.tokenizer.decode(some[written], skip_specials=False).strip() for some in (seen, ids)]
            remasked = tuple(np.concatenate(groups).tolist())
            trace.append(Step(texts[0], remasked, texts[1], float(log_probs.mean())))
    return Generated(trace[-1].text, tuple(trace))


def _laid_out(model: MaskedLM, prompt: str, length: int) -> tuple[np.ndarray, np.ndarray]:
    """(T,) ids with the masks behind the prompt, and which of them are text."""
    found = model.tokenizer.encode([prompt], details=True)
    assert found.words is not None, "encoded with details"
    ids, words = found.ids.astype(np.int64), found.words >= 0
    special = model.tokenizer.special_ids - {found.unknown_id}
    wrong = next((i for i in ids[words].tolist() if i in special), None)
    if wrong is not None:
        raise UserError(
            f"The prompt {prompt!r:.60} holds the special piece {model.tokenizer.tokens([wrong])[0]}. Masks within a "
            "text are filled by maskwright fill; here give text alone."
        )
    if len(ids) + length > model.max_length:
        room = model.max_length - len(ids)
        raise UserError(
            f"length = {length}: the prompt has {len(ids):,} pieces, special ones counted, and the model reads "
            f"{model.max_length:,}. " + (f"Give at most {room}." if room > 0 else "Give a shorter prompt.")
        )
    begins = int(ids[0] == model.tokenizer.cls_id)
    at = int(words.nonzero()[0][-1]) + 1 if words.any() else begins
    return np.insert(ids, at, np.full(length, model.tokenizer.mask_id)), np.insert(words, at, np.full(length, True))


def _rounds(how: Generation, log_probs: np.ndarray) -> Iterator[list[np.ndarray]]:
    """Of each iteration the groups of pieces that are drawn together. log_probs (N,) is read as it then is."""
    every = np.arange(how.length)
    for step in range(how.steps):
        if how.method == "gibbs":
            yield list(every[:, None])
            continue
        count = how.length * (how.steps - step) // how.steps
        if count:
            yield [np.sort(np.argsort(log_probs, kind="stable")[:count])]


def _draw(
    model: MaskedLM, ids: np.ndarray, places: np.ndarray, how: Generation, step: int
) -> tuple[np.ndarray, np.ndarray]:
    """A piece for each of the M masked places and its log p, each for itself. ids (T,), places (M,) rising."""
    picks, found = np.empty(len(places), np.int64), np.empty(len(places))
    lots = torch.from_numpy(draws.uniform(how.seed, step, places))
    special = torch.from_numpy(~model.ordinary).to(model.device)
    for part, scores in model.scores(Batch.packed(torch.from_numpy(ids), [len(ids)]), places):
        scores = scores.masked_fill(special, -torch.inf)
        if how.temperature:
            best = drawn((scores / how.temperature).softmax(1), lots[part].to(scores.device))
        else:
            best = scores.argmax(1)
        picks[part] = best.cpu().numpy()
        found[part] = (scores.gather(1, best[:, None])[:, 0] - scores.logsumexp(1)).cpu().numpy()
    return picks, found
