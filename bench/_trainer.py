"""The fine-tuning job, the peer's side of it (transformers' Trainer), and the search for the peer's fastest switches.

A cell names the Trainer's switches: precision, grouping, attention, threads, dataloader workers, compile.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from itertools import product
from typing import Any

from bench import _measure as measure
from bench._child import ArmFailed, Child

RECIPE: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 32,
    "max_length": 128,
    "lr": 5e-5,
    "warmup": 0.06,
    "weight_decay": 0.01,
    "clip": 1.0,
}
PROBE_STEPS = 50  #: one of the length-grouped sampler's megabatches, so that every cell sees the same texts
COMPILE_LIMIT = 240.0  #: seconds that one probe may take, compilation from an empty cache included
GRID_HEAD = ["grouping", "attention", "threads", "workers", "compile", "ms a step", "first step, s", "job, s", "note"]
NOT_COUNTED = "not counted"


# ---------------------------------------------------------------- the job, read alike on each side


def read(split: str, rows: int | None = None) -> tuple[list[str], list[str]]:
    """Texts and labels of one split of SST-2's whole sentences (TSV without a header)."""
    path = measure.data_folder("sst2_sentences") / f"{split}.tsv"
    pairs = [line.rsplit("\t", 1) for line in path.read_text(encoding="utf-8").split("\n") if line]
    return [text for text, _ in pairs][:rows], [label for _, label in pairs][:rows]


def accuracy(predicted: list[str], gold: list[str]) -> float:
    """Percent of labels that agree: the one judge of each side."""
    assert len(predicted) == len(gold), f"{len(predicted)} predictions for {len(gold)} labels"
    return 100.0 * sum(p == g for p, g in zip(predicted, gold, strict=True)) / len(gold)


def job_steps() -> int:
    return math.ceil(len(read("train")[0]) / RECIPE["batch_size"]) * int(RECIPE["epochs"])


# ---------------------------------------------------------------- the peer, in a process of its own


def train_peer(request: dict[str, Any]) -> dict[str, Any]:
    """One run of the Trainer. With `steps` it only times that many and answers with their seconds."""
    cell, rows = request["cell"], request["rows"]
    start = time.perf_counter()
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, set_seed

    if "threads" in cell:
        torch.set_num_threads(cell["threads"])
    assert Trainer is not None  # transformers is lazy: the name above has imported it
    seconds = {"import": time.perf_counter() - start}

    set_seed(request["seed"])
    start, folder = time.perf_counter(), measure.minilm_folder()
    asked = {"attn_implementation": cell["attention"]} if "attention" in cell else {}
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, **asked)
    dropout = (model.config.hidden_dropout_prob, model.config.attention_probs_dropout_prob)
    assert dropout == (0.1, 0.1), f"the peer's dropout is {dropout}"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    seconds["load"] = time.perf_counter() - start

    texts, labels = read("train", rows)
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        dataset = tokenized(tokenizer, texts, labels)
        seconds["tokenize"] = time.perf_counter() - start
        watch = watcher(None if request["steps"] else lambda: peer_scores(model, tokenizer, cell, rows))
        trainer = make_trainer(model, tokenizer, dataset, request, out, watch)
        trainer.train()
        seconds["span"] = time.perf_counter() - start - watch.judging
        seconds["train"] = seconds["span"] - seconds["tokenize"]
        if request["steps"]:
            return {**seconds, "by_step": watch.seconds}
        model.save_pretrained(out)
        seconds["whole"] = seconds["load"] + time.perf_counter() - start
    return {**seconds, "accuracy": max(watch.scores, key=lambda s: s["dev"]), "memory": measure.peak_memory()}


def tokenized(tokenizer: Any, texts: list[str], labels: list[str]) -> list[dict[str, Any]]:
    """The peer's dataset: one call over all texts, then one mapping a row, as its samplers and collators want it."""
    encoded = tokenizer(texts, truncation=True, max_length=RECIPE["max_length"])
    columns = {**encoded, "labels": [int(label) for label in labels]}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def make_trainer(model: Any, tokenizer: Any, dataset: Any, request: dict[str, Any], out: str, watch: Any) -> Any:
    """The Trainer with the recipe. What costs time and teaches nothing is off, unless the arm is the defaults."""
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    cell = request["cell"]
    quick = {
        "disable_tqdm": True,
        "logging_strategy": "no",
        "dataloader_pin_memory": False,
        "dataloader_persistent_workers": cell["workers"] > 0,
        "optim": "adamw_torch_fused",
    }
    arguments = TrainingArguments(
        output_dir=out,
        num_train_epochs=RECIPE["epochs"],
        max_steps=request["steps"] or -1,
        per_device_train_batch_size=RECIPE["batch_size"],
        learning_rate=RECIPE["lr"],
        lr_scheduler_type="linear",
        warmup_steps=RECIPE["warmup"],
        weight_decay=RECIPE["weight_decay"],
        max_grad_norm=RECIPE["clip"],
        seed=request["seed"],
        bf16=cell["precision"] == "bf16",
        use_cpu=True,
        train_sampling_strategy=cell["grouping"],
        torch_compile=cell["compile"],
        dataloader_num_workers=cell["workers"],
        save_strategy="no",
        report_to="none",
        **({} if cell.get("defaults") else quick),
    )
    collate = DataCollatorWithPadding(tokenizer)
    return Trainer(model=model, args=arguments, train_dataset=dataset, data_collator=collate, callbacks=[watch])


def watcher(judge: Callable[[], dict[str, float]] | None) -> Any:
    """A callback of the Trainer: seconds of each optimizer step, the first from the start of training; and, where a
    judge is given, its scores after each epoch with the seconds that it took, which are no part of the span."""
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):
        def __init__(self) -> None:
            self.seconds: list[float] = []
            self.scores: list[dict[str, float]] = []
            self.judging = 0.0

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.last = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            now = time.perf_counter()
            self.seconds.append(now - self.last)
            self.last = now

        def on_epoch_end(self, *_: Any, **__: Any) -> None:
            start = time.perf_counter()
            if judge is not None:
                self.scores.append(judge())
            self.judging += time.perf_counter() - start

    return Watcher()


def peer_scores(model: Any, tokenizer: Any, cell: dict[str, Any], rows: int | None) -> dict[str, float]:
    """Accuracy on dev and test."""
    splits = {split: read(split, rows) for split in ("dev", "test")}
    return {split: accuracy(peer_labels(model, tokenizer, cell, t), gold) for split, (t, gold) in splits.items()}


def peer_labels(model: Any, tokenizer: Any, cell: dict[str, Any], texts: list[str]) -> list[str]:
    """The peer's labels in the order of the texts: plain padded batches at the precision of its training."""
    import torch

    model.eval()
    found: list[int] = []
    settings = {"truncation": True, "max_length": RECIPE["max_length"], "padding": True, "return_tensors": "pt"}
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=cell["precision"] == "bf16"):
        for i in range(0, len(texts), 32):
            found += model(**tokenizer(texts[i : i + 32], **settings)).logits.argmax(-1).tolist()
    return [str(label) for label in found]


# ---------------------------------------------------------------- the peer's fastest switches


def search(quiet: measure.Quiet) -> list[dict[str, Any]]:
    """Probe the grid. Rows in the order tried; `estimate` is seconds for all steps of the job.

    First attention x workers on all cores, and one thread; then compile at the cell that won; last, the winner in
    random order, and with an allocator setting that is no switch of the peer.
    """
    rows: list[dict[str, Any]] = []

    def probe(cell: dict[str, Any], note: str = "", env: dict[str, str] | None = None) -> None:
        quiet.check("a probe")
        rows.append({"cell": cell, "note": note, **time_probe(cell, env or {})})
        print(measure.table(GRID_HEAD, [grid_row(rows[-1])]).splitlines()[-1], flush=True)

    print("\n".join(measure.table(GRID_HEAD, []).splitlines()))
    grid = [*product([measure.cores()], ("sdpa", "eager"), (0, 1)), (1, "sdpa", 0)]
    for threads, attention, workers in grid:
        switches = {"attention": attention, "threads": threads, "workers": workers, "compile": False}
        probe({"precision": "bf16", "grouping": "group_by_length", **switches})
    plain = fastest(rows)["cell"]
    probe({**plain, "compile": True})
    winner = fastest(rows)["cell"]
    probe({**winner, "grouping": "random"})
    kept = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}
    probe(winner, f"glibc told to keep freed memory, as ours does; no switch of the peer, {NOT_COUNTED}", kept)
    return rows


def time_probe(cell: dict[str, Any], env: dict[str, str]) -> dict[str, Any]:
    """Seconds of one cell. A compiled cell runs twice: what counts is the second, with its kernels in a warm cache."""
    request = {"arm": "peer", "cell": cell, "seed": 0, "rows": None, "steps": PROBE_STEPS}
    cold = None
    try:
        with tempfile.TemporaryDirectory() as kernels:
            env = {**peer_env(cell), "TORCHINDUCTOR_CACHE_DIR": kernels, **env}
            if cell["compile"]:
                cold = ask_once("probe", request, env, COMPILE_LIMIT)["by_step"][0]
            seconds = ask_once("probe", request, env, COMPILE_LIMIT)["by_step"]
    except ArmFailed as problem:
        return {"failed": str(problem)}
    warm = seconds[10:]
    estimate = sum(seconds) + (job_steps() - len(seconds)) * sum(warm) / len(warm)
    return {"step": measure.median(warm), "first": seconds[0], "cold": cold, "estimate": estimate}


def ask_once(name: str, request: dict[str, Any], env: dict[str, str], limit: float | None = None) -> dict[str, Any]:
    """One request to a fresh process of bench.finetune."""
    with Child("bench.finetune", name, env) as child:
        return child.ask(request, limit)


def peer_env(cell: dict[str, Any]) -> dict[str, str]:
    return {"OMP_NUM_THREADS": str(cell["threads"])} if "threads" in cell else {}


def fastest(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The row with the smallest estimate among those that ran and count."""
    counted = [row for row in rows if "estimate" in row and NOT_COUNTED not in row["note"]]
    if not counted:
        raise measure.Stop(f"No cell of the peer's grid ran. {rows[0]['failed'] if rows else ''}")
    return min(counted, key=lambda row: float(row["estimate"]))


def grid_row(row: dict[str, Any]) -> list[str]:
    cell = row["cell"]
    switches = [cell["grouping"], cell["attention"], str(cell["threads"]), str(cell["workers"])]
    switches.append("on" if cell["compile"] else "off")
    if "failed" in row:
        return [*switches, "-", "-", "-", "failed: " + " ".join(row["failed"].replace("|", "/").split())[:160]]
    first = measure.number(row["first"]) + (f" (cold {measure.number(row['cold'])})" if row["cold"] else "")
    return [*switches, measure.number(1000 * row["step"]), first, measure.number(row["estimate"]), row["note"]]
