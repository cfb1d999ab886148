"""The peer of both measurements of pre-training: transformers' BertForMaskedLM with its collator, in one process.

Two loops around it: a bare one, and the Trainer. A cell names its switches: precision, loop, attention, threads,
data-loading workers, compile, and how sentences are grouped.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from bench import _trainer as trainer

RATE, DECAY, CLIP, WARMUP = 1e-4, 0.01, 1.0, 0.06
MASKED = 0.15  #: the collator's own 80/10/10


class Rows(Dataset):  # type: ignore[type-arg]
    """Sequences of a corpus on disk: [CLS] pieces [SEP] as the tokenizer of transformers would give them, with the mask
    of special pieces, which the collator would else ask for piece by piece."""

    def __init__(self, ids: np.ndarray, bounds: tuple[np.ndarray, np.ndarray], cls: int, sep: int) -> None:
        self.ids, (self.starts, self.ends), self.cls, self.sep = ids, bounds, cls, sep

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: int) -> dict[str, list[int]]:
        inside = self.ids[self.starts[row] : self.ends[row]].tolist()
        special = [1, *(0 for _ in inside), 1]
        return {"input_ids": [self.cls, *inside, self.sep], "special_tokens_mask": special}

    @property
    def lengths(self) -> list[int]:
        found: list[int] = (self.ends - self.starts + 2).tolist()
        return found


class Ordered:
    """A sampler: passes over the rows in a given order each, one after the other without end."""

    def __init__(self, order: Callable[[int], Any]) -> None:
        self.order = order

    def __iter__(self) -> Iterator[int]:
        number = 0
        while True:
            yield from map(int, self.order(number))
            number += 1


def order_of(rows: Rows, grouping: str, batch: int, seed: int) -> Callable[[int], Any]:
    """By the number of a pass: rows shuffled as ours are, or grouped by length as the Trainer's sampler does it."""
    if grouping == "grouped":
        from transformers.trainer_pt_utils import get_length_grouped_indices

        lengths = rows.lengths

        def grouped(number: int) -> Any:
            return get_length_grouped_indices(lengths, batch, generator=torch.Generator().manual_seed(seed + number))

        return grouped
    from maskwright.data import batching

    return lambda number: batching.order(len(rows), seed, number)


class MaskedPeer:
    """Network, collator and rows; `cell`: see the top."""

    def __init__(self, network: Any, tokenizer: Path, rows: Rows, cell: dict[str, Any], seed: int = 0) -> None:
        from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

        torch.set_num_threads(cell["threads"])
        torch.manual_seed(seed)
        self.network, self.rows, self.cell, self.seed = network, rows, cell, seed
        named = {f"{name}_token": f"[{name.upper()}]" for name in ("cls", "sep", "mask", "pad", "unk")}
        fast = PreTrainedTokenizerFast(tokenizer_file=str(tokenizer / "tokenizer.json"), **named)
        self.collate = DataCollatorForLanguageModeling(fast, mlm_probability=MASKED)
        # Sentences differ in length, so that a compiled network must take any.
        dynamic = True if cell["work"] == "sentences" else None
        self.run: Any = torch.compile(network, dynamic=dynamic) if cell["compile"] else network

    def batches(self, batch: int) -> Iterator[dict[str, torch.Tensor]]:
        """Batches without end. A worker prepares the next ones while the network computes."""
        order = order_of(self.rows, self.cell["grouping"], batch, self.seed)
        sampler: Any = Ordered(order)
        loader = DataLoader(
            self.rows, batch, sampler=sampler, collate_fn=self.collate, num_workers=self.cell["workers"], drop_last=True
        )
        return iter(loader)

    def optimizer(self, rate: float) -> torch.optim.Optimizer:
        """Fused AdamW, which leaves biases and norms undecayed, as the Trainer has it."""
        sides = [[], []]  # type: list[list[Any]]
        for parameter in self.network.parameters():
            sides[parameter.dim() < 2].append(parameter)
        groups = [{"params": sides[0], "weight_decay": DECAY}, {"params": sides[1], "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=rate, fused=True)

    def step(self, batch: dict[str, torch.Tensor], optimizer: Any, rate: float) -> None:
        """Forward, backward, clip, move."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.cell["precision"] == "bf16"):
            loss = self.run(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad()

    def timed(self, steps: int, batch: int) -> dict[str, Any]:
        """Seconds, pieces (padding not counted) and cells (padding counted) of each of so many steps of a training that
        starts now."""
        self.network.train()
        return self._trainer(steps, batch) if self.cell["loop"] == "trainer" else self._bare(steps, batch)

    def _bare(self, steps: int, batch: int) -> dict[str, Any]:
        optimizer, batches = self.optimizer(RATE), self.batches(batch)
        seconds, tokens, cells = [], [], []
        last = time.perf_counter()
        for step in range(steps):
            inputs = next(batches)
            self.step(inputs, optimizer, linear(step / steps, RATE, WARMUP))
            now = time.perf_counter()
            seconds.append(now - last)
            tokens.append(int(inputs["attention_mask"].sum()))
            cells.append(inputs["input_ids"].numel())
            last = time.perf_counter()  # counting is no work of the peer's
        return {"seconds": seconds, "tokens": tokens, "cells": cells}

    def _trainer(self, steps: int, batch: int) -> dict[str, Any]:
        """The same by transformers' Trainer, on blocks of one length, so that every step reads as many pieces."""
        from transformers import Trainer, TrainingArguments

        assert self.cell["work"] == "blocks", "the Trainer is timed on blocks"
        watch = trainer.watcher(None)
        with tempfile.TemporaryDirectory() as out:
            arguments = TrainingArguments(
                output_dir=out, max_steps=steps, per_device_train_batch_size=batch, learning_rate=RATE,
                lr_scheduler_type="linear", warmup_steps=WARMUP, weight_decay=DECAY, max_grad_norm=CLIP,
                seed=self.seed, bf16=self.cell["precision"] == "bf16", use_cpu=True, optim="adamw_torch_fused",
                torch_compile=self.cell["compile"], dataloader_num_workers=self.cell["workers"],
                dataloader_pin_memory=False, disable_tqdm=True, logging_strategy="no", save_strategy="no",
                report_to="none", remove_unused_columns=False,
            )  # fmt: skip
            Trainer(
                model=self.network, args=arguments, train_dataset=self.rows, data_collator=self.collate,
                callbacks=[watch],
            ).train()  # fmt: skip
        sizes = [batch * self.rows.lengths[0]] * steps
        return {"seconds": watch.seconds, "tokens": sizes, "cells": sizes}


class Answers(torch.nn.Module):
    """The peer asked what ours is asked: the same batches of masked pieces, in its dense form.

    forward: `pretraining.objectives.Asked` -> (loss summed over the M asked pieces, M, facts). Scores are made at those
    alone, which changes none of them.
    """

    def __init__(self, network: Any, padding: int) -> None:
        super().__init__()
        self.network, self.padding = network, padding

    def forward(self, asked: Any) -> tuple[torch.Tensor, int, dict[str, float]]:
        batch, chosen = asked.batch, asked.chosen.tokens
        lengths = np.diff(batch.offsets.numpy())
        ids = torch.full((len(lengths), int(lengths.max())), self.padding)
        mask = torch.arange(ids.shape[1])[None, :] < torch.from_numpy(lengths)[:, None]
        ids[mask] = batch.ids
        states = self.network.bert(input_ids=ids, attention_mask=mask.long()).last_hidden_state[mask]
        scores = self.network.cls(states[chosen]).float()
        right = (scores.argmax(-1) == asked.labels).sum()
        loss = F.cross_entropy(scores, asked.labels, reduction="sum")
        return loss, len(asked.labels), {"accuracy": float(right)}


def linear(progress: float, peak: float, warmup: float) -> float:
    """The rate at a share of a training: up in a straight line, then down to 0."""
    return peak * min(progress / warmup if warmup else 1.0, (1 - progress) / (1 - warmup))
