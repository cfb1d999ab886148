"""The part of a text that answers a question (Devlin et al. 2019, sections 4.2 and 4.3), or that none does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from maskwright.base.errors import UserError
from maskwright.base.ragged import objects
from maskwright.base.words import counted
from maskwright.data.answered import answered
from maskwright.data.doubts import ID, empty
from maskwright.data.labels import Labels
from maskwright.data.table import Table
from maskwright.data.tagged import halves
from maskwright.nn.segments import log_sum_exp
from maskwright.stats import answers as measured
from maskwright.stats.measures import Measure
from maskwright.tasks._calibration import Calibration
from maskwright.tasks._given import Given, Inputs
from maskwright.tasks._task import Examples, Task
from maskwright.tasks.long import Long
from maskwright.text.encodings import Encodings
from maskwright.text.tokenizer import Tokenizer
from maskwright.text.windows import Windowed, first_text, windowed_pairs

NULL = -1.0  #: the place of having no answer
TITLE = "title"  #: column of the article that a context is from, as SQuAD has it


@dataclass(frozen=True)
class Found:
    """The best answer to a question: characters of its context (0, 0 for none), how likely it is among the best ones
    and none, how much likelier no answer is (nats), and the others."""

    start: int
    end: int
    probability: float
    doubt: float
    others: tuple[tuple[int, int, float], ...] = ()


class Answer(Task):
    """Cross-entropy over where the answer starts, and over where it ends, among the pieces of each window of the
    context; a window that does not hold it whole has both at its first piece, as a question has that has no answer.

    An answer's score is the sum of its start's and its end's; that of none is the sum at the first piece, the lowest of
    all windows. Where some training questions have no answer, none is given where none is likelier by more than a
    threshold that was fitted on the eval rows (0 without them).
    """

    head: ClassVar[str] = "question-answering"
    problem: ClassVar[str] = "question_answering"
    main: ClassVar[str] = "f1"
    answers: ClassVar[Any] = "span"
    labelled: ClassVar[bool] = False
    windows: ClassVar[bool] = True
    welcome: ClassVar[tuple[str, ...]] = (ID, TITLE)

    text: str = Field("question", description="column of the text")
    pair: str | None = Field("context", description="column of the second text, for pairs")
    label: str = Field("answers", description="column of the label or score")
    none: Literal["auto", "yes", "no"] = Field(
        "auto", description="answer: whether a question may have no answer; by the training rows"
    )
    longest: int = Field(30, ge=1, le=512, description="answer: the most pieces that an answer may have")
    best: int = Field(20, ge=1, le=1000, description="answer: how many answers are weighed against each other")
    stride: int = Field(128, ge=0, description="answer: pieces that windows of a context share, or half of their room")

    @model_validator(mode="after")
    def _has_a_context(self) -> Self:
        if not self.pair:
            raise UserError("A question is answered from a second text: name its column (pair).")
        return self

    # Rows

    def doubts(self, table: Table) -> list[str]:
        questions, contexts = self.spelled(table).texts(table)
        assert contexts is not None
        return [*super().doubts(table), *empty(table, questions, "question"), *empty(table, contexts, "context")]

    def together(self, table: Table) -> dict[str, list[str]]:
        """Questions on one article, and on one context: what it says is learnt with the others' answers."""
        contexts = self.texts(table)[1]
        assert contexts is not None
        titles = ["" if cell is None else str(cell) for cell in table.columns.get(TITLE, ())]
        known = {TITLE: titles} if titles and all(map(str.strip, titles)) else {}
        return {**known, str(self.pair): contexts}

    def examples(self, table: Table, labels: Labels | None) -> Examples:
        found = super().examples(table, labels)
        assert found.targets is not None
        moved = [i for i, one in enumerate(found.targets) if one.moved]
        if not moved:
            return found
        told = f"{counted(sum(found.targets[i].moved for i in moved), 'answer')} did not stand where they are said to"
        return replace(found, said=(f"{told} (first at {table.where(moved[0])}), and were found elsewhere.",))

    def targets(self, table: Table, labels: Labels | None) -> np.ndarray:
        """(B,) of `Answered`."""
        assert self.pair is not None
        contexts = self.texts(table)[1]
        assert contexts is not None
        return objects(table.each(answered, contexts, table.column(self.label)))

    def discover(self, table: Table) -> None:
        """There are no labels. Raises UserError where no question has an answer."""
        if not any(one.answers for one in self.targets(table, None)):
            raise UserError(
                f"{table.source}: none of {counted(len(table), 'question')} has an answer in {self.label!r}."
            )

    def settled_on(self, labels: Labels | None, table: Table | None = None) -> Self:
        if self.none != "auto" or table is None:
            return self
        some = any(not one.answers for one in self.targets(table, None))
        return self.model_copy(update={"none": "yes" if some else "no"})

    def notes(self, examples: Examples, labels: Labels | None) -> list[str]:
        targets = examples.targets
        assert targets is not None
        without = sum(not one.answers for one in targets)
        told = f"{counted(len(targets), 'question')}"
        out = [f"{told}, {without:,} of them without an answer." if without else f"{told}, each with an answer."]
        if without and self.none != "yes":
            out.append(
                "The model always gives an answer, so those without one cannot be right; where it was trained to give "
                "none, say so: --set task.none=yes."
            )
        return [*out, *examples.said]

    def marks(self, pieces: Encodings) -> np.ndarray:
        """The question, and what stands before it, as transformers' Longformer has it."""
        assert pieces.words is not None
        template = np.cumsum(pieces.words < 0)
        before = np.concatenate([[0], template])[pieces.offsets[:-1]]  # template's pieces in front of each sequence
        return np.asarray(template - np.repeat(before, pieces.lengths) < 2)

    def lost(self, targets: np.ndarray, inputs: Inputs) -> list[str]:
        """Answers that the network cannot learn: longer than it may give, or in no window whole."""
        assert isinstance(inputs, Windowed)
        wanted, whole = self.wanted(targets, inputs), 0
        long = sum(int(one[0, 1] - one[0, 0] >= self.longest) for one in wanted)
        for row, true in enumerate(targets):
            windows = wanted[inputs.sequences[row] : inputs.sequences[row + 1]]
            whole += bool(true.answers) and not any(one.any() for one in windows)
        out = []
        if long:
            out.append(f"In {counted(long, 'window')} the answer has more than task.longest = {self.longest} pieces.")
        if whole:
            are = f"{counted(whole, 'answer')} {'is' if whole == 1 else 'are'} in no window as a whole"
            out.append(f"{are}; a larger --max-length or task.stride helps.")
        return out

    # The network

    def inputs(self, tokenizer: Tokenizer, examples: Examples, max_length: int, long: Long | None = None) -> Inputs:
        """Windows of the context, each behind the question, of which at most half of the length is kept where both do
        not fit; `long` has nothing to decide."""
        assert examples.pairs is not None
        firsts = [tokenizer.prepare(text) for text in examples.texts]
        if any(tokenizer.prepare(text) != text for text in examples.pairs):
            raise UserError(
                "This tokenizer normalises texts before they are cut, so that pieces do not tell where an answer "
                "stands. Switch that off (normalise=False), or take another encoder."
            )
        whole = tokenizer.encode(firsts, examples.pairs, details=True, prepared=True)
        return windowed_pairs(_readable(whole, examples.pairs), max_length, self.stride)

    def shortened(self, long: Long) -> str:
        return "cut at the end of the question"

    def wanted(self, targets: np.ndarray, inputs: Inputs) -> np.ndarray:
        """(S,) of (1, 2): among the pieces that are asked of a window the one that the first true answer starts at, and
        the one that it ends with."""
        assert isinstance(inputs, Windowed)
        spans, windows = inputs.encodings.spans, inputs.by_window
        assert spans is not None
        out = []
        for row, true in enumerate(targets):
            for window in range(inputs.sequences[row], inputs.sequences[row + 1]):
                asked = spans[inputs.asked[windows.asks[window] + 1 : windows.asks[window + 1]]]
                out.append(np.array([_inside(asked, true.answers[:1])], np.int64))
        return objects(out)

    def classes(self, labels: Labels | None) -> int:
        return 2

    def loss(self, scores: Tensor, targets: Tensor, given: Given | None = None) -> Tensor:
        """scores: (R, 2) of all pieces that were asked; targets: (S, 2) among those of their windows. The mean of both
        ends, summed over windows."""
        assert given is not None
        assert given.asked is not None
        window = given.batch.sequence[given.asked]
        numbers, window = torch.unique_consecutive(window, return_inverse=True)
        first = torch.zeros(len(numbers), dtype=torch.int64, device=scores.device)
        first.scatter_reduce_(0, window, torch.arange(len(window), device=scores.device), "amin", include_self=False)
        scores = scores.float()
        right = scores.gather(0, first[:, None] + targets)
        return (log_sum_exp(scores, window, len(numbers)) - right).sum() / 2

    def condensed(self, scores: np.ndarray, inputs: Inputs) -> np.ndarray:
        """(B,) of (1 + K, 3) float64: first and last (exclusive) character and score; the first row is having none."""
        assert isinstance(inputs, Windowed)
        spans, windows = inputs.encodings.spans, inputs.by_window
        assert spans is not None
        out = []
        for row, own in enumerate(scores):
            begin = int(inputs.asks[row])
            parts = []
            for window in range(inputs.sequences[row], inputs.sequences[row + 1]):
                first, last = int(windows.asks[window]), int(windows.asks[window + 1])
                parts.append((own[first - begin : last - begin], spans[inputs.asked[first:last]]))
            out.append(self._best(parts))
        return objects(out)

    def _best(self, windows: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """The likeliest answers of all windows, each once."""
        null = min((float(scores[0].sum()) for scores, _ in windows), default=0.0)
        found: dict[tuple[int, int], float] = {}
        for scores, spans in windows:
            for start, end, score in _likeliest(scores[1:], spans[1:], self.longest, self.best):
                found[start, end] = max(score, found.get((start, end), -np.inf))
        ranked = sorted(found.items(), key=lambda each: (-each[1], each[0]))[: self.best]
        return np.array([[NULL, NULL, null], *([*place, score] for place, score in ranked)], np.float64)

    # Answers

    def found(self, scores: np.ndarray, calibration: Calibration | None = None) -> Found:
        """What one question's scores say."""
        null, rest = float(scores[0, 2]), scores[1:]
        odds = np.exp(scores[:, 2].astype(np.float64) - scores[:, 2].max())
        odds /= odds.sum()
        if not len(rest):
            return Found(0, 0, float(odds[0]), np.inf)
        doubt = null - float(rest[0, 2])
        others = tuple((int(a), int(b), float(p)) for (a, b, _), p in zip(rest, odds[1:], strict=True))
        if self.none == "yes" and doubt > _threshold(calibration):
            return Found(0, 0, float(odds[0]), doubt, others)
        return Found(*others[0], doubt, others[1:])

    def decode(
        self,
        scores: np.ndarray,
        labels: Labels | None,
        calibration: Calibration | None = None,
        examples: Examples | None = None,
    ) -> list[dict[str, Any]]:
        """Each answer with its characters and how likely it is among the best ones (and none), and the next best ones;
        an empty text stands for none."""
        assert examples is not None
        assert examples.pairs is not None
        out = []
        for one, context in zip(scores, examples.pairs, strict=True):
            best = self.found(one, calibration)
            others = [_told(context, start, end, p) for start, end, p in best.others[:NEXT]]
            told = _told(context, best.start, best.end, best.probability)
            out.append({"answer": told.pop("text"), **told, "none": _chance(best.doubt), "others": others})
        return out

    def blank(self, labels: Labels | None) -> dict[str, Any]:
        return {"answer": "", "start": 0, "end": 0, "probability": 0.0, "none": 0.0, "others": []}

    def truths(self, targets: np.ndarray, labels: Labels | None) -> list[Any]:
        return [one.texts for one in targets]

    def said(self, scores: np.ndarray, targets: np.ndarray, calibration: Calibration | None = None) -> list[str]:
        """The answers' texts, "" for none."""
        found = [self.found(one, calibration) for one in scores]
        return [true.context[best.start : best.end].strip() for best, true in zip(found, targets, strict=True)]

    def measures(
        self, scores: np.ndarray, targets: np.ndarray, calibration: Calibration | None = None
    ) -> dict[str, Measure]:
        return measured.answers([one.texts for one in targets], self.said(scores, targets, calibration))

    def calibrate(self, scores: np.ndarray, targets: np.ndarray, split: str) -> Calibration | None:
        """The threshold with the best F1, where a question may have no answer."""
        if self.none != "yes":
            return None
        always = self.model_copy(update={"none": "no"})
        texts = [one.texts for one in targets]
        f1 = [measured.overlap(said, golds) for said, golds in zip(always.said(scores, targets), texts, strict=True)]
        doubts = [self.found(one).doubt for one in scores]
        fitted = measured.threshold(f1, [bool(golds) for golds in texts], doubts)
        return Calibration(split, len(targets), thresholds=(fitted,))

    def settled(self, scores: np.ndarray, calibration: Calibration | None, metric: str) -> np.ndarray:
        """None is likelier than the best answer where it was by more than the threshold."""
        return objects([_moved(one, _threshold(calibration)) for one in scores])

    def describe(self, labels: Labels | None) -> dict[str, Any]:
        return {}


NEXT = 4  #: how many further answers are told


def _readable(whole: Encodings, contexts: Sequence[str]) -> Encodings:
    """Pairs whose pieces of the second text stand for what a person reads: with the marks behind them that the
    tokenizer drops, and without white space, where a piece has nothing else."""
    assert whole.spans is not None
    assert whole.words is not None
    spans = whole.spans.copy()
    for (first, end), context in zip(pairwise(whole.offsets.tolist()), contexts, strict=True):
        own = spans[first + first_text(whole.words[first:end])[1] : end - 1]
        if len(own) and not context.isascii():
            for i, following in enumerate([*own[1:, 0].tolist(), len(context)]):
                while own[i, 1] < following and halves(context, int(own[i, 1])):
                    own[i, 1] += 1
        last = 0
        for i, (start, stop) in enumerate(own.tolist()):
            if context[start:stop].isspace():
                own[i] = last
            last = max(last, int(own[i, 1]))
    return replace(whole, spans=spans)


def _threshold(calibration: Calibration | None) -> float:
    return calibration.thresholds[0] if calibration is not None and calibration.thresholds else 0.0


def _moved(scores: np.ndarray, least: float) -> np.ndarray:
    """One question's scores, as `condensed` has them, with `least` taken off that of none; what is rounded there never
    turns the answer."""
    out = scores.astype(np.float64)
    if len(out) > 1:
        none, best = out[:2, 2]
        withheld = none - best > least
        out[0, 2] = max(none - least, np.nextafter(best, np.inf)) if withheld else min(none - least, best)
    return out


def _chance(doubt: float) -> float:
    """Of none against the best answer alone."""
    return float(1 / (1 + np.exp(-np.clip(doubt, -500, 500))))


def _told(context: str, start: int, end: int, p: float) -> dict[str, Any]:
    text = context[start:end]
    first = start + len(text) - len(text.lstrip())
    return {"text": text.strip(), "start": first, "end": first + len(text.strip()), "probability": float(p)}


def _inside(spans: np.ndarray, answers: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Among the pieces that are asked the first and the last of the answer; the first piece, 0, where they do not hold
    it whole. spans: (n, 2) characters of the pieces behind that first one."""
    if not answers or not len(spans):
        return 0, 0
    ((start, end),) = answers
    if start < spans[0, 0] or end > spans[-1, 1]:
        return 0, 0
    first = int(np.searchsorted(spans[:, 1], start, side="right"))
    last = int(np.searchsorted(spans[:, 0], end, side="left")) - 1
    return (1 + first, 1 + last) if last >= first else (0, 0)


def _likeliest(scores: np.ndarray, spans: np.ndarray, longest: int, most: int) -> list[tuple[int, int, float]]:
    """The answers with the highest sums: characters and score. scores: (n, 2) of starts and ends; spans: (n, 2)."""
    count = len(scores)
    if not count:
        return []
    starts, sizes = np.meshgrid(np.arange(count), np.arange(min(longest, count)), indexing="ij")
    ends = starts + sizes
    there = ends < count
    starts, ends = starts[there], ends[there]
    told = spans[ends, 1] > spans[starts, 0]  # what has no character is no answer
    starts, ends = starts[told], ends[told]
    sums = scores[starts, 0] + scores[ends, 1]
    least = np.partition(sums, len(sums) - most)[len(sums) - most] if len(sums) > most else -np.inf
    some = np.flatnonzero(sums >= least)
    best = some[np.argsort(-sums[some], kind="stable")][:most]
    return [(int(spans[starts[i], 0]), int(spans[ends[i], 1]), float(sums[i])) for i in best]
