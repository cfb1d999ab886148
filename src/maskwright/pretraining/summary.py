"""What a pre-training says in the end: figures on held-out text with intervals, and a few sentences."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from maskwright.base.words import counted
from maskwright.data.corpus import Corpus
from maskwright.data.corpus.statistics import REPEATED
from maskwright.pretraining.course import Course
from maskwright.pretraining.held_out import HeldOut
from maskwright.pretraining.judging import Forgotten, Judged
from maskwright.pretraining.objectives import PretrainingObjective
from maskwright.pretraining.start import Start
from maskwright.pretraining.zero_shot import tables
from maskwright.runs.shapes import Shape, Table
from maskwright.stats.intervals import bootstrap

PLATEAU = 0.2  #: nats below the plateau of word frequencies, from which on a network has left it
FEW = 100  #: masked pieces by which no network is known


def summary(
    judged: Judged,
    start: Start,
    course: Course,
    corpus: Corpus,
    objective: PretrainingObjective,
    unigram: float,
    seed: int,
) -> dict[str, Any]:
    """As JSON, for metrics.json. unigram: nats a piece of knowing how often each comes."""
    figures = _figures(judged)
    read = course.text / max(1, len(course.corpus.ids))
    return {
        "task": "pre-training",
        "base": f"{start.words} ({objective.name})",
        "main": "loss",
        "reported": {"split": "held-out", "source": str(corpus.folder), "rows": len(judged.counts), "of": "sequence"},
        "seeds": [seed],
        "saved": {"seed": seed, "why": "the last step's"},
        "figures": figures,
        "baselines": [_unigram(judged, unigram)],
        "verdict": _verdict(judged, figures, read, corpus, objective, unigram),
        "questions": _asked(judged.held),
        "learnt": objective.told(),
        "asked": {"who": objective.answering, "beside": list(judged.beside)},
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
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample may ask for nothing: there is no interval then
        found = {name: {**bootstrap(of, len(asked)).plain(), "over": "sequences"} for name, of in measures.items()}
    for name, (sums, of) in judged.beside.items():
        found[name] = _share(sums, of)
    if judged.forgotten is not None:
        known = judged.forgotten
        found["forgotten"] = _share(known.after - known.before, known.counts)
    if judged.pairs is not None:
        found["minimal_pairs"] = {**judged.pairs.overall.accuracy.plain(), "over": "pairs"}
    return found


def _share(sums: np.ndarray, of: np.ndarray) -> dict[str, Any]:
    """Of sums and counts of sequences, the quotient with its interval."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return {**bootstrap(lambda counts: (counts @ sums) / (counts @ of), len(of)).plain(), "over": "sequences"}


def _asked(held: HeldOut) -> dict[str, Any]:
    """Which questions these were: two figures are comparable where this is the same."""
    digest = hashlib.sha256()
    for one in held.asked:
        for part in (one.batch.ids, one.chosen.tokens, one.labels):
            digest.update(part.numpy().tobytes())
    longest = max(max(one.batch.lengths) for one in held.asked)
    return {"sequences": len(held.asked), "pieces": held.count, "longest": longest, "sha256": digest.hexdigest()}


def _unigram(judged: Judged, unigram: float) -> dict[str, Any]:
    nothing = {"low": None, "high": None, "level": 0.95, "over": "sequences"}
    return {
        "name": "how often each piece comes",
        "metric": "loss",
        "figures": {"loss": {"value": unigram, **nothing}},
        "sentence": _plateau(judged, unigram),
    }


def _plateau(judged: Judged, unigram: float) -> str:
    gain = unigram - judged.loss
    if gain > PLATEAU:
        return f"Knowing how often each piece comes gives {unigram:.2f} nats; the network is {gain:.2f} below."
    return (
        f"Knowing how often each piece comes gives {unigram:.2f} nats: the network has learnt no more than "
        "that yet. Give it a larger budget, or a smaller size, with which it sees more text."
    )


def _few(judged: Judged) -> list[str]:
    if judged.held.count >= FEW:
        return []
    return [
        f"{counted(judged.held.count, 'piece')} tell next to nothing of a network: build the corpus with a larger "
        "--held-out."
    ]


def _verdict(
    judged: Judged,
    figures: Mapping[str, Any],
    read: float,
    corpus: Corpus,
    objective: PretrainingObjective,
    unigram: float,
) -> list[str]:
    loss, bits, right = (figures[name] for name in ("loss", "bits_per_byte", "accuracy"))
    said = [
        f"On held-out text ({counted(judged.documents, 'document')}, {counted(len(judged.counts), 'sequence')}, "
        f"{judged.held.count:,} pieces asked for) it needs {loss['value']:.3f} nats a piece{_reach(loss)}, "
        f"{bits['value']:.3f} bits a byte, and its likeliest piece is right for {right['value']:.1%}.",
        *_few(judged),
        _plateau(judged, unigram),
        *objective.explained(figures),
        f"It read the training text {read:.2f} times.",
    ]
    if judged.before is not None and not objective.answering:
        change = judged.loss - judged.before.loss
        said.append(
            f"Before, it needed {judged.before.loss:.3f} nats a piece: {abs(change):.3f} "
            f"{'less' if change < 0 else 'more'} now."
        )
    if judged.forgotten is not None:
        said.append(_forgotten(judged.forgotten, figures["forgotten"]))
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


def _forgotten(known: Forgotten, figure: Mapping[str, Any]) -> str:
    was, now = (float(losses.sum() / known.counts.sum()) for losses in (known.before, known.after))
    fewer = now <= was
    if fewer and figure["low"] is not None:
        figure = {**figure, "low": -figure["high"], "high": -figure["low"]}
    return (
        f"On the held-out text of {known.text.source} ({counted(known.text.documents, 'document')}) it needed "
        f"{was:.3f} nats a piece before and {now:.3f} now: {abs(now - was):.3f}{_reach(figure)} "
        f"{'fewer, so that nothing was forgotten' if fewer else 'were forgotten'}."
    )


def _reach(figure: Mapping[str, Any]) -> str:
    return "" if figure["low"] is None else f" ({figure['low']:.3f} to {figure['high']:.3f})"
