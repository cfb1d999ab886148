"""How well an encoder fills masks in text that it has not read: one frozen set of masks for all who are compared.

Shapes: M masked pieces, V the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from maskwright.base.errors import UserError
from maskwright.data import batching
from maskwright.nn.precision import precision
from maskwright.pretraining.encoded import Encoded
from maskwright.pretraining.formats import Format
from maskwright.pretraining.formats.doc_sentences import DocSentences
from maskwright.pretraining.masking import Draw, Vocabulary
from maskwright.pretraining.objectives import Asked, PretrainingObjective
from maskwright.pretraining.objectives.mlm import Mlm
from maskwright.text.tokenizer import Tokenizer
from maskwright.training.objective import Objective

TOKENS = 8192  #: pieces that are judged at once
EPOCH = 2**31  #: a pass that no training reaches, so that these masks are nobody's training masks


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The questions, and how many bytes of text each of the M labels stands for."""

    asked: list[Asked]
    sizes: np.ndarray  #: (V,) bytes of each piece

    @property
    def count(self) -> int:
        return sum(len(one.labels) for one in self.asked)

    @property
    def bytes(self) -> int:
        return int(sum(self.sizes[one.labels.numpy()].sum() for one in self.asked))


def frozen(
    corpus: Encoded,
    tokenizer: Tokenizer,
    vocabulary: Vocabulary,
    length: int = 128,
    sequences: int | None = 1000,
    seed: int = 0,
    questions: PretrainingObjective | None = None,
    tokens: int = TOKENS,
    format: Format | None = None,
) -> HeldOut:
    """Masks over `sequences` sequences of the held-out documents (None: all), the same for the same corpus and seed.

    questions: what is asked, by default masked pieces (`PretrainingObjective.questions`); tokens: pieces that are
    judged at once, 1 for one sequence after the other; format: how sequences are cut, by default as `DocSentences`.

    Raises UserError for a corpus that holds nothing.
    """
    questions = questions or Mlm().questions()
    found = (format or DocSentences()).sequences(corpus, length, seed, EPOCH)
    if not len(found):
        raise UserError("No held-out text is left to judge by. Build the corpus with a larger --held-out.")
    rows = np.sort(batching.order(len(found), seed, EPOCH)[:sequences])
    rows = rows[np.argsort(found.lengths[rows], kind="stable")]
    asked = []
    for some in batching.by_tokens(rows, found.lengths, tokens):
        pieces = found.assemble(some, corpus.ids, tokenizer.cls_id, tokenizer.sep_id)
        asked.append(questions.ask(pieces, vocabulary, Draw(seed, EPOCH), 0.0))
    return HeldOut(asked, sizes_of(tokenizer))


def sizes_of(tokenizer: Tokenizer) -> np.ndarray:
    """(V,) bytes in UTF-8 of what each piece stands for in a text, without the mark of its continuation."""
    out = np.zeros(tokenizer.size, np.int64)
    bytewise = tokenizer.word_mark == ("begins", "Ġ")  # each character of such a piece is a byte
    for piece, number in tokenizer.vocabulary.items():
        bare = piece.removeprefix("##").removesuffix("@@").lstrip("▁Ġ")
        out[number] = len(bare) if bytewise else len(bare.encode())
    return out


def judge(
    answers: Objective, held: HeldOut, device: torch.device | str = "cpu", format: Literal["fp32", "bf16"] = "fp32"
) -> dict[str, float]:
    """The loss in nats a masked piece (`loss`), in bits a byte of the masked text, and how often the likeliest piece is
    the right one. answers: who gives the scores (`PretrainingObjective.answers`). `likelihood`, the negative loss,
    stands first, since more of it is better."""
    losses, counts, right = judge_each(answers, held, device, format)
    loss = float(losses.sum()) / held.count
    bits = float(losses.sum()) / math.log(2) / max(held.bytes, 1)
    return {"likelihood": -loss, "loss": loss, "bits_per_byte": bits, "accuracy": float(right.sum() / counts.sum())}


@torch.inference_mode()
def judge_each(
    answers: Objective, held: HeldOut, device: torch.device | str = "cpu", format: Literal["fp32", "bf16"] = "fp32"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each batch of the questions the sum of the losses, how many were asked, and how many answers are right."""
    training = next(answers.children()).training  # of the network; what holds it may be new
    answers.to(device).eval()
    found = []
    with precision(format, device):
        for one in held.asked:
            loss, count, facts = answers(one.to(device))
            found.append((float(loss), count, facts["accuracy"]))
    answers.train(training)
    losses, counts, right = (np.array(column) for column in zip(*found, strict=True))
    return losses, counts, right


def unigram(corpus: Sequence[Encoded], held: HeldOut, vocabulary: int) -> float:
    """Nats a masked piece of knowing how often each piece comes in these corpora, one added to each count: the plateau
    that a network must leave."""
    counts = np.ones(vocabulary)
    for one in corpus:
        counts += np.bincount(one.ids, minlength=vocabulary)
    costs = -np.log(counts / counts.sum())
    return float(sum(costs[one.labels.numpy()].sum() for one in held.asked) / held.count)
