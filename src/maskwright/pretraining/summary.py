"""What a pre-training says in the end: figures on held-out text with intervals, and a few sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskwright.base.words import counted
from maskwright.data.corpus import Corpus
from maskwright.data.corpus.statistics import REPEATED
from maskwright.pretraining.course import Course
from maskwright.pretraining.held_out import HeldOut
from maskwright.pretraining.start import Start
from maskwright.pretraining.zero_shot import tables
from maskwright.runs.shapes import Shape, Table
from maskwright.stats.intervals import bootstrap

PLATEAU = 0.2  #: nats below the plateau of word frequencies, from which on a network has left it


@dataclass(frozen=True, eq=False)
class Judged:
    """The trained network on held-out text: of each of S sequences its loss, how many pieces were asked, and how many
    answers were right. unigram: nats a piece of knowing how often each comes; before: of the network at the start,
    where it was a trained one."""

    held: HeldOut
    losses: np.ndarray
    counts: np.ndarray
    right: np.ndarray
    unigram: float
    documents: int
    before: dict[str, float] | None = None
    pairs: Any = None  #: `tasks.MaskedLM.judge` of minimal pairs, where there are some

    @property
    def loss(self) -> float:
        return float(self.losses.sum() / self.counts.sum())


def summary(judged: Judged, start: Start, course: Course, corpus: Corpus, objective: str, seed: int) -> dict[str, Any]:
    """As JSON, for metrics.json."""
    figures = _figures(judged)
    read = course.text / max(1, len(course.corpus.ids))
    return {
        "task": "pre-training",
        "base": f"{start.words} ({objective})",
        "main": "loss",
        "reported": {"split": "held-out", "source": str(corpus.folder), "rows": len(judged.counts), "of": "sequence"},
        "seeds": [seed],
        "saved": {"seed": seed, "why": "the last step's"},
        "figures": figures,
        "baselines": [_unigram(judged, figures)],
        "verdict": _verdict(judged, figures, read, corpus),
        "parameters": start.parameters,
        "read": {"tokens": course.tokens, "steps": course.total, "passes": read},
    }


def facts(judged: Judged, start: Start, course: Course, corpus: Corpus) -> list[Shape]:
    """Tables for the page."""
    computed = sum(int(one.batch.offsets[-1]) for one in judged.held.asked)
    total = corpus.facts["splits"]
    rows: list[tuple[str, Any]] = [
        ("parameters", start.parameters),
        ("pieces in the vocabulary", start.tokenizer.size),
        ("training documents", total["train"]["documents"]),
        ("training words", total["train"]["words"]),
        ("training pieces", len(course.corpus.ids)),
        ("of them unknown", course.corpus.unknown),
        ("held-out documents", total["held-out"]["documents"]),
        ("held-out pieces that are read", computed),
        ("held-out pieces that are asked for", judged.held.count),
        ("steps", course.total),
        ("pieces read", course.tokens),
        ("passes over the text", course.text / max(1, len(course.corpus.ids))),
        ("pieces of a sequence, on average", course.tokens / max(1, course.read)),
    ]
    one = course.passes[0]
    first = course.sequences(one.phase.length, one.epoch)
    if first.labels is not None:
        rows.append(("pieces left out of the first pass: documents of one sentence", first.single))
        rows.append(("pieces left out of the first pass: pairs that were too long", first.cut))
    read = Table("What was read", ["", "number"], [list(row) for row in rows])
    return [read, *([] if judged.pairs is None else tables(judged.pairs))]


def _figures(judged: Judged) -> dict[str, dict[str, Any]]:
    losses, asked, right = judged.losses, judged.counts, judged.right
    sizes = np.array([judged.held.sizes[one.labels.numpy()].sum() for one in judged.held.asked])
    measures = {
        "loss": lambda counts: (counts @ losses) / (counts @ asked),
        "bits_per_byte": lambda counts: (counts @ losses) / (counts @ sizes) / math.log(2),
        "accuracy": lambda counts: (counts @ right) / (counts @ asked),
    }
    found = {name: {**bootstrap(of, len(asked)).plain(), "over": "sequences"} for name, of in measures.items()}
    if judged.pairs is not None:
        found["minimal_pairs"] = {**judged.pairs.overall.accuracy.plain(), "over": "pairs"}
    return found


def _unigram(judged: Judged, figures: Mapping[str, Any]) -> dict[str, Any]:
    nothing = {"low": None, "high": None, "level": 0.95, "over": "sequences"}
    return {
        "name": "how often each piece comes",
        "metric": "loss",
        "figures": {"loss": {"value": judged.unigram, **nothing}},
        "sentence": _plateau(judged),
    }


def _plateau(judged: Judged) -> str:
    gain = judged.unigram - judged.loss
    if gain > PLATEAU:
        return f"Knowing how often each piece comes gives {judged.unigram:.2f} nats; the network is {gain:.2f} below."
    return (
        f"Knowing how often each piece comes gives {judged.unigram:.2f} nats: the network has learnt no more than "
        "that yet. Give it a larger budget, or a smaller size, with which it sees more text."
    )


def _verdict(judged: Judged, figures: Mapping[str, Any], read: float, corpus: Corpus) -> list[str]:
    loss, bits, right = (figures[name] for name in ("loss", "bits_per_byte", "accuracy"))
    said = [
        f"On held-out text ({counted(judged.documents, 'document')}, {counted(len(judged.counts), 'sequence')}, "
        f"{judged.held.count:,} pieces asked for) it needs {loss['value']:.3f} nats a piece{_reach(loss)}, "
        f"{bits['value']:.3f} bits a byte, and its likeliest piece is right for {right['value']:.1%}.",
        _plateau(judged),
        f"It read the training text {read:.2f} times.",
    ]
    if judged.before is not None:
        change = judged.loss - judged.before["loss"]
        said.append(
            f"Before, it needed {judged.before['loss']:.3f} nats a piece: {abs(change):.3f} "
            f"{'less' if change < 0 else 'more'} now."
        )
    if judged.pairs is not None:
        found = judged.pairs.overall
        said.append(
            f"Of {found.pairs:,} minimal pairs it finds the good sentence likelier for {found.accuracy.value:.1%} "
            f"({found.accuracy.low:.1%} to {found.accuracy.high:.1%}), chance being 50 %."
        )
    share = corpus.facts["repeated_sentences"]
    if share >= REPEATED:
        said.append(
            f"{share:.0%} of the sentences repeat an earlier one: where the loss stalled, that is the first reason to "
            "look at."
        )
    return said


def _reach(figure: Mapping[str, Any]) -> str:
    return "" if figure["low"] is None else f" ({figure['low']:.3f} to {figure['high']:.3f})"
