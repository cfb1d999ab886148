"""The sides of the measurement of pre-training's speed: one network in one process, ours or transformers'."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench import _measure as measure
from bench import _novels as novels
from bench._pretrain_grid import BATCH, WARM

#: What ours does where it does as the peer: network, dropout, masks, optimizer.
SAME: dict[str, Any] = {
    "family": "bert",
    "dropout": 0.1,
    "objective": {"name": "mlm", "masking": {"name": "token", "rate": 0.15, "masked": 0.8, "random": 0.1}},
    "train": {
        "lr": 1e-4,
        "optimizer": {"name": "adamw", "weight_decay": 0.01},
        "schedule": {"name": "linear", "warmup": 0.06},
        "averaging": "none",
    },
}
RECIPES: dict[str, dict[str, Any]] = {"same": SAME, "modern": {"recipe": "modern"}}
WORKS = {"blocks": novels.blocks, "sentences": novels.sentences}
PLANNED = 2000  #: steps of the course of which the first ones are made


@dataclass(frozen=True)
class Stamped:
    """The first steps of a plan, each with the moment at which it began."""

    course: Any
    total: int
    stamps: list[float] = field(default_factory=list)

    def rows(self, step: int) -> np.ndarray:
        self.stamps.append(time.perf_counter())
        found: np.ndarray = self.course.rows(step)
        return found

    def moment(self, step: int) -> Any:
        from maskwright.training.objective import Moment

        return Moment(step, self.total, 0)

    def evaluates(self, done: int, evaluations: int) -> bool:
        return False


class Watched:
    """A feed that notes what it gives, and how long that took."""

    def __init__(self, feed: Any) -> None:
        self.feed = feed
        self.told: list[dict[str, float]] = []

    def vocabulary(self) -> Any:
        return self.feed.vocabulary()

    def pieces(self, rows: np.ndarray) -> Any:
        start = time.perf_counter()
        found = self.feed.pieces(rows)
        self.told.append({"seconds": time.perf_counter() - start, "tokens": 0, "scored": 0})
        return found

    def fetch(self, rows: np.ndarray, device: Any, at: Any) -> Any:
        start = time.perf_counter()
        asked, size = self.feed.fetch(rows, device, at)
        now = self.told[-1]
        now["seconds"] += time.perf_counter() - start
        now["tokens"] += size
        now["scored"] += len(asked.labels)
        return asked, size


class Ours:
    """maskwright's loop on its own plan and feed."""

    def __init__(self, made: novels.Novels, request: dict[str, Any]) -> None:
        from maskwright.base import runtime
        from maskwright.nn.dropout import noise
        from maskwright.pretraining.course import Course
        from maskwright.pretraining.settings import gather
        from maskwright.pretraining.start import fresh
        from maskwright.pretraining.vocabulary import vocabulary_of

        runtime.settle_memory(kernels=256)  # as `pretrain` does
        runtime.set_threads()
        runtime.set_seed(0)
        noise.seed(0)
        tokenizer = made.read_tokenizer()
        corpus = WORKS[request["work"]](made.pieces("train"))
        starts, ends = novels.sequences(corpus)
        batch = round(BATCH * float((ends - starts + 2).mean()))
        phases = [{"length": novels.LENGTH, "batch_tokens": batch}]
        given = {"text": "-", "size": request["size"], **RECIPES[request["recipe"]], "phases": phases}
        asked = gather(given, {}, {"train": {"precision": request["precision"], "device": "cpu"}})
        self.settings = asked.train.model_copy(update={"checkpoint_minutes": None})
        self.start = fresh(asked, tokenizer)
        self.objective = asked.objective.prepared(tokenizer)
        self.built = self.objective.build(self.start.network, self.start.kind, self.start.config)
        began = time.perf_counter()
        specials = tokenizer.cls_id, tokenizer.sep_id
        vocabulary = vocabulary_of(tokenizer)
        self.course = Course(corpus, self.objective, vocabulary, specials, PLANNED * batch, asked.phases)
        self.planned = time.perf_counter() - began

    def timed(self, steps: int) -> dict[str, Any]:
        """Seconds, pieces and scored pieces of each of so many steps of a training that starts now, and of them the
        seconds in which masks and batches are made."""
        from maskwright.training.loop import Loop

        plan, feed = Stamped(self.course, steps), Watched(self.course)
        with tempfile.TemporaryDirectory() as folder:
            Loop(self.built, feed, self.settings, Path(folder), plan=plan, quiet=True, keep_best=False).run()  # type: ignore[arg-type]
        seconds = np.diff([*plan.stamps, time.perf_counter()]).tolist()
        told = {name: [one[name] for one in feed.told] for name in ("tokens", "scored")}
        return {"seconds": seconds, **told, "cells": told["tokens"], "feeding": [one["seconds"] for one in feed.told]}

    def operations(self, tokens: float, scored: float) -> dict[str, float]:
        """Floating-point operations of a step over blocks, backward counted as twice forward: the network's, scores at
        the asked pieces alone; and those that are left where the last block too gives states for them alone."""
        from maskwright.models._flops import between_tokens, flops, products

        network: Any = self.start.network
        length, parts = novels.LENGTH, flops(self.start.network, novels.LENGTH)
        texts, asked = tokens / length, scored * length / tokens  # asked: of one text
        encoder = sum(count for part, count in parts.items() if part.startswith("encoder."))
        head = sum(parts.values()) - encoder
        block, width = network.encoder.layers[-1], network.encoder.width
        every = sum(products(module, 1) for module in block.modules())
        between = sum(between_tokens(module, length) for module in block.modules())
        saved = (every - 4 * width * width) * (length - asked) + between * (1 - asked / length)
        whole = texts * encoder + scored / length * head
        return {"model": 3 * whole, "computed": 3 * (whole - texts * saved)}

    def judged(self, held: Any) -> dict[str, float]:
        from maskwright.pretraining.held_out import judge

        return judge(self.objective.answers(self.built), held)

    def save(self, folder: Path) -> None:
        from maskwright.models import save_network

        save_network(folder, self.start.network, self.start.kind, self.start.config, {})


class Peer:
    """transformers' BertForMaskedLM, with the weights that ours begins with."""

    def __init__(self, made: novels.Novels, request: dict[str, Any]) -> None:
        from transformers import BertForMaskedLM

        from bench._masked_peer import MaskedPeer, Rows

        cell, self.tokenizer = request["cell"], made.read_tokenizer()
        corpus = WORKS[cell["work"]](made.pieces("train"))
        rows = Rows(corpus.ids, novels.sequences(corpus), self.tokenizer.cls_id, self.tokenizer.sep_id)
        network = BertForMaskedLM.from_pretrained(request["network"], attn_implementation=cell["attention"])
        rates = network.config.hidden_dropout_prob, network.config.attention_probs_dropout_prob
        assert rates == (0.1, 0.1), f"the peer's dropout is {rates}"
        self.peer = MaskedPeer(network, made.tokenizer, rows, cell)

    def timed(self, steps: int) -> dict[str, Any]:
        return self.peer.timed(steps, BATCH)

    def judged(self, held: Any) -> dict[str, float]:
        from bench._masked_peer import Answers
        from maskwright.pretraining.held_out import judge

        return judge(Answers(self.peer.network, self.tokenizer.pad_id), held)  # type: ignore[arg-type]


class Side:
    """What a child process answers with."""

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if "open" in request:
            self.made = novels.Novels(Path(request["corpus"]), Path(request["tokenizer"]))
            self.side: Any = (Ours if request["open"] == "ours" else Peer)(self.made, request)
            return {"planned": getattr(self.side, "planned", None)}
        if "memory" in request:
            return measure.peak_memory()
        if "probe" in request:
            return {"rates": probe(self.side.start.config, request["probe"])}
        if "operations" in request:
            return self.side.operations(*request["operations"])
        if "save" in request:
            self.side.save(Path(request["save"]))
            return {"parameters": self.side.start.parameters}
        if "judge" in request:
            return self._judge(request["judge"])
        found = self.side.timed(WARM + request["steps"])
        return {name: values[WARM:] for name, values in found.items()}

    def _judge(self, sequences: int) -> dict[str, float]:
        """The loss on a few held-out sequences, in fp32: by it the two sides are seen to be one network."""
        from maskwright.pretraining.held_out import frozen
        from maskwright.pretraining.vocabulary import vocabulary_of

        tokenizer = self.made.read_tokenizer()
        held = frozen(self.made.pieces("held-out"), tokenizer, vocabulary_of(tokenizer), sequences=sequences)
        found: dict[str, float] = self.side.judged(held)
        return found


@torch.no_grad()
def probe(config: Any, precision: str, tokens: int = 4096, rounds: int = 5, least: float = 0.2) -> dict[str, float]:
    """Floating-point operations a second of matrix products of the network's own shapes, each the best of five rounds
    and of two libraries (what `F.linear` calls, and oneDNN)."""
    from maskwright.nn.linear import linear

    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    scored = round(0.15 * tokens)
    shapes = {
        "queries, keys, values": (tokens, config.width, 3 * config.width),
        "out of attention": (tokens, config.width, config.width),
        "into the feed-forward": (tokens, config.width, config.inner),
        "out of the feed-forward": (tokens, config.inner, config.width),
        "scores": (scored, config.width, config.vocabulary),
    }
    found = {}
    for name, (rows, terms, out) in shapes.items():
        x, weight = torch.randn(rows, terms, dtype=kind), torch.randn(out, terms, dtype=kind)
        best = 0.0
        for product in (torch.nn.functional.linear, linear):
            for _ in range(rounds):
                times, start = 0, time.perf_counter()
                while time.perf_counter() - start < least:
                    product(x, weight)
                    times += 1
                best = max(best, 2 * rows * terms * out * times / (time.perf_counter() - start))
        found[name] = best
    return found
