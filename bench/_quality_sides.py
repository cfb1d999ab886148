"""One arm of the measurement of quality per minute, in a process of its own: a training, its curve, its judgements.

Both sides answer the same questions (`pretraining.held_out.frozen`) by the same judge, and the same minimal pairs by
the same scorer, which reads the folder that each side saved.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench import _measure as measure
from bench import _novels as novels

HEAD_WIDTH = 64


class Arm:
    """What a child process answers with: one request, one training."""

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.made = novels.Novels(Path(request["corpus"]), Path(request["tokenizer"]))
        self.tokenizer = self.made.read_tokenizer()
        from maskwright.pretraining.held_out import frozen
        from maskwright.pretraining.vocabulary import vocabulary_of

        vocabulary = vocabulary_of(self.tokenizer)
        self.held = frozen(self.made.pieces("held-out"), self.tokenizer, vocabulary, sequences=request["judged"])
        train = ours if request["side"] == "ours" else peer
        began = time.perf_counter()
        found = train(self, request)
        whole = time.perf_counter() - began
        return {
            **found,
            "whole": whole,
            "unigram": self.unigram(),
            "text_pieces": len(self.made.pieces("train").ids),
            "asked": self.held.count,
            "questions": fingerprint(self.held),
            "pairs": pairs(Path(request["out"]) / "model", request["pairs"]),
            "memory": measure.peak_memory(),
        }

    def unigram(self) -> float:
        from maskwright.pretraining.held_out import unigram

        return unigram([self.made.pieces("train")], self.held, self.tokenizer.size)


def fingerprint(held: Any) -> str:
    """Twelve hexadecimal digits of what is asked, in order: masked ids, places and labels."""
    digest = hashlib.sha256()
    for one in held.asked:
        for tensor in (one.batch.ids, one.batch.offsets, one.chosen.tokens, one.labels):
            digest.update(tensor.numpy().astype(np.int64).tobytes())
    return digest.hexdigest()[:12]


def pairs(model: Path, limit: int | None) -> dict[str, Any] | None:
    """BLiMP by the plain pseudo-log-likelihood: the first `limit` pairs of each of its paradigms, 0 for none of it."""
    if limit == 0:
        return None
    from maskwright.data.pairs import read_pairs
    from maskwright.tasks import MaskedLM

    taken, _ = read_pairs(measure.data_folder("blimp"), limit)
    found: dict[str, Any] = MaskedLM.load(model, "cpu").judge(taken, "plain").plain()
    return found


# ---------------------------------------------------------------- ours


def ours(arm: Arm, request: dict[str, Any]) -> dict[str, Any]:
    """`maskwright.pretrain` with a budget of minutes, in which all counts: reading, probing, judging, saving.

    A point of the curve says how many seconds had passed since the call, judging left out.
    """
    from maskwright.base import runtime
    from maskwright.models import load_network
    from maskwright.pretraining.held_out import judge
    from maskwright.pretraining.objectives.mlm import MaskedWords
    from maskwright.pretraining.run import pretrain

    called = time.time()
    run = pretrain(
        text=str(arm.made.corpus),
        tokenizer=str(arm.made.tokenizer),
        budget=f"{60 * request['minutes']:g}s",
        seed=request["seed"],
        out=request["out"],
        judge_sequences=request["judged"],
        overwrite=True,
        quiet=True,
        settings=request["settings"],
    )
    place = run.folder / "seeds" / str(request["seed"])
    points, lead = curve(place, called)
    network = load_network(run.model, "masked-lm").network
    final = judge(MaskedWords(network), arm.held, "cpu", runtime.resolve_precision("auto", runtime.device("cpu")))
    said = run.summary["metrics"]["held-out"]["loss"]
    assert abs(final["loss"] - said) < 0.01, f"the run told a loss of {said}, judged again it is {final['loss']}"
    told = json.loads((run.folder / "config.json").read_text())
    return {
        "curve": points,
        "lead": lead,
        "final": final,
        "steps": run.summary["read"]["steps"],
        "tokens": run.summary["read"]["tokens"],
        "parameters": run.summary["parameters"],
        "shape": told["settings"]["size"],
        "phases": told["settings"]["phases"],
        "notes": run.notes,
    }


def curve(place: Path, called: float) -> tuple[list[dict[str, float]], float]:
    """The held-out figures of a seed's log with the seconds since `called` (as of `time.time()`) and the pieces read;
    and the seconds from the call to the first step. Judging is in neither."""
    facts, clocks = (read_lines(place / name) for name in ("log.jsonl", "timings.jsonl"))
    start = next(line["time"] for line in clocks if line.get("event") == "start")
    lead = start - called
    seconds = {0: 0.0} | {line["step"]: line["seconds"] for line in clocks if "seconds" in line}
    tokens, read = {0: 0.0}, 0.0
    for line in facts:
        if "tokens" in line and "lr" in line:
            read += line["tokens"]
            tokens[line["step"]] = read

    def at(step: int, of: dict[int, float]) -> float:
        return float(np.interp(step, list(of), list(of.values())))

    points = [
        {"seconds": lead + at(line["step"], seconds), "tokens": at(line["step"], tokens), **line["evaluation"]}
        for line in facts
        if "evaluation" in line
    ]
    return points, lead


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# ---------------------------------------------------------------- the peer


def peer(arm: Arm, request: dict[str, Any]) -> dict[str, Any]:
    """BertForMaskedLM with the collator in a bare loop, for so many minutes of steps: imports, reading, compiling and
    judging are not counted. The rate follows the share of the minutes that has passed, so that the schedule ends when
    they do."""
    import torch
    from transformers import BertForMaskedLM

    from bench._masked_peer import Answers, MaskedPeer, Rows, linear
    from maskwright.pretraining.held_out import judge

    cell, corpus = request["cell"], novels.blocks(arm.made.pieces("train"))
    rows = Rows(corpus.ids, novels.sequences(corpus), arm.tokenizer.cls_id, arm.tokenizer.sep_id)
    torch.manual_seed(request["seed"])
    network = BertForMaskedLM(network_config(cell, arm.tokenizer))
    side = MaskedPeer(network, arm.made.tokenizer, rows, request["switches"], request["seed"])
    batches, optimizer = side.batches(cell["batch"]), side.optimizer(cell["lr"])
    warm(side, next(batches))
    answers, precision = Answers(network, arm.tokenizer.pad_id), request["switches"]["precision"]
    points: list[dict[str, float]] = []
    whole, seconds, tokens, steps = 60 * request["minutes"], 0.0, 0, 0
    due = marks(whole, request["evaluations"])
    mark = next(due)
    while seconds < whole:
        start = time.perf_counter()
        inputs = next(batches)
        side.step(inputs, optimizer, linear(seconds / whole, cell["lr"], cell["warmup"]))
        seconds += time.perf_counter() - start
        steps, tokens = steps + 1, tokens + int(inputs["attention_mask"].sum())
        if seconds >= mark:
            points.append({"seconds": seconds, "tokens": tokens, **judge(answers, arm.held, "cpu", precision)})  # type: ignore[arg-type]
            mark = next(moment for moment in due if moment > seconds)
    model = Path(request["out"]) / "model"
    network.save_pretrained(model)
    arm.tokenizer.save(model)
    final = {name: value for name, value in points[-1].items() if name not in ("seconds", "tokens")}
    parameters = sum(p.numel() for p in network.parameters())
    return {"curve": points, "lead": 0.0, "final": final, "steps": steps, "tokens": tokens, "parameters": parameters,
            "shape": cell["size"], "notes": []}  # fmt: skip


def marks(whole: float, evaluations: int) -> Iterator[float]:
    """Seconds after which the peer is judged, the last at the end; then never again."""
    yield from (whole * (i + 1) / evaluations for i in range(evaluations))
    yield float("inf")


def network_config(cell: dict[str, Any], tokenizer: Any) -> Any:
    """BERT's network in the cell's size (layers x width), heads 64 wide, the feed-forward four times as wide."""
    from transformers import BertConfig

    layers, width = map(int, cell["size"].split("x"))
    return BertConfig(
        vocab_size=tokenizer.size,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // HEAD_WIDTH),
        intermediate_size=4 * width,
        hidden_dropout_prob=cell["dropout"],
        attention_probs_dropout_prob=cell["dropout"],
        pad_token_id=tokenizer.pad_id,
    )


def warm(side: Any, inputs: dict[str, Any]) -> None:
    """What is made at a first step (kernels, a compiled graph), without a move of the weights."""
    import torch

    side.network.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=side.cell["precision"] == "bf16"):
        side.run(**inputs).loss.backward()
    side.network.zero_grad()
