"""The sides of the families' measurement: one network with random weights, ours or transformers', in one process."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from bench import _measure as measure
from bench import _texts as texts
from bench.families import LAYERS, PROBED, VOCABULARY

CLASSES = 2
SHOWN = 4  #: texts whose states are compared


def config_of(name: str, **more: Any) -> Any:
    """The family's base shape with few layers, and the vocabulary of the texts."""
    from maskwright.models import family

    config = {"layers": LAYERS, "vocabulary": VOCABULARY, "padding": 0, **more}
    kind = family(name)
    config = {k: v for k, v in config.items() if k in kind.Config.model_fields}
    return kind.Config(**config)


def encoded() -> dict[str, list[list[int]]]:
    """The ids of all texts."""
    from maskwright.text.tokenizer import Tokenizer

    tokenizer = Tokenizer.from_folder(measure.minilm_folder())
    out = {}
    for name, found in texts.load().items():
        e = tokenizer.encode(found)
        out[name] = [e.ids[a:b].tolist() for a, b in zip(e.offsets[:-1], e.offsets[1:], strict=True)]
    return out


class Ours:
    """maskwright's network over packed batches."""

    def __init__(self, name: str, pattern: str = "") -> None:
        from maskwright.models import family, random_network
        from maskwright.nn import Batch, precision

        kind = family(name)
        config = config_of(name, positions=8300) if name == "longformer" else config_of(name)
        if pattern == "full":
            kind = family("roberta")
            fields = {k: getattr(config, k) for k in kind.Config.model_fields}
            config = kind.Config(**fields)
        torch.manual_seed(0)
        self.network = random_network(kind, config, "classification", CLASSES)
        self.make = Batch.packed
        self.open: Any = lambda way: precision("fp32" if way == "fp32" else "bf16", torch.device("cpu"))
        self.kind, self.config = kind, config

    def batch(self, rows: list[list[int]]) -> Any:
        return self.make(torch.tensor([i for row in rows for i in row]), [len(row) for row in rows])

    def forward(self, rows: list[list[int]]) -> torch.Tensor:
        states: torch.Tensor = self.network.encoder(self.batch(rows))
        return states

    def scores(self, rows: list[list[int]]) -> torch.Tensor:
        scores: torch.Tensor = self.network(self.batch(rows))
        return scores

    def choose(self, attention: str) -> None:
        """There is one way."""


class Peer:
    """transformers' network over padded batches, with the weights that ours has."""

    def __init__(self, name: str, pattern: str = "") -> None:
        import transformers

        from maskwright.models import save_network

        ours = Ours(name, "sliding" if pattern else "")
        with tempfile.TemporaryDirectory() as folder:
            labels = {"id2label": {i: str(i) for i in range(CLASSES)}, "label2id": {str(i): i for i in range(CLASSES)}}
            save_network(Path(folder), ours.network, ours.kind, ours.config, labels)
            self.networks: dict[str, Any] = {}
            reference = getattr(transformers, ours.kind.HEADS["classification"].architecture)
            for attention in ("sdpa", "eager"):
                with contextlib.suppress(ValueError):
                    self.networks[attention] = reference.from_pretrained(folder, attn_implementation=attention)
        self.network = next(iter(self.networks.values()))
        low = torch.autocast("cpu", torch.bfloat16)
        self.open: Any = lambda way: low if way == "autocast" else contextlib.nullcontext()

    def choose(self, attention: str) -> None:
        self.network = self.networks[attention]

    def padded(self, rows: list[list[int]]) -> dict[str, torch.Tensor]:
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)], mask[i, : len(row)] = row, 1
        return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}

    def forward(self, rows: list[list[int]]) -> torch.Tensor:
        states: torch.Tensor = self.network.base_model(**self.padded(rows)).last_hidden_state
        return states

    def scores(self, rows: list[list[int]]) -> torch.Tensor:
        scores: torch.Tensor = self.network(**self.padded(rows)).logits
        return scores


class Side:
    """What a child process answers with."""

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if "open" in request:
            side, name = request["open"], request["family"]
            self.ours = side != "peer"
            curve = {"longformer": "sliding", "full": "full"}.get(side, "")
            self.side: Any = Ours(name, curve) if self.ours else Peer(name, "sliding" if name == "longformer" else "")
            self.texts, self.optimizer = encoded(), None
            return {}
        if "memory" in request:
            return measure.peak_memory()
        if "states" in request:
            return self._states(request["states"])
        if "length" in request:
            return self._length(request["length"])
        self.side.choose(request["attention"])
        rows = self.texts[request["texts"]]
        size, way = request["size"], request["way"]
        batches = [rows[i * size : (i + 1) * size] for i in range(request["batches"])]
        work = self._steps if request["work"] == "step" else self._forward
        work([rows[:PROBED]], way)  # what is compiled or packed once is not timed
        return {"seconds": work(batches, way)}

    def _forward(self, batches: list[list[list[int]]], way: str) -> float:
        cast = way == "cast" and not self.ours
        self.side.network.to(torch.bfloat16 if cast else torch.float32).eval()
        with torch.inference_mode(), self.side.open(way):
            start = time.perf_counter()
            for rows in batches:
                self.side.forward(rows)
            return time.perf_counter() - start

    def _steps(self, batches: list[list[list[int]]], way: str) -> float:
        network = self.side.network.float().train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5, fused=True)
        start = time.perf_counter()
        for rows in batches:
            with self.side.open(way):
                scores = self.side.scores(rows)
            F.cross_entropy(scores.float(), torch.arange(len(rows)) % CLASSES).backward()
            optimizer.step()
            optimizer.zero_grad()
        return time.perf_counter() - start

    def _states(self, path: str) -> dict[str, Any]:
        """In fp32 (N, H) of the first texts. Asked before anything else: what is timed changes the weights."""
        rows = self.texts["short"][:SHOWN]
        self.side.network.eval()
        with torch.inference_mode():
            # The peer one text at a time: its MobileBERT reads [PAD]'s vector behind a text that is padded.
            states = self.side.forward(rows) if self.ours else torch.cat([self.side.forward([row])[0] for row in rows])
        np.save(path, states.numpy())
        return {}

    def _length(self, length: int) -> dict[str, Any]:
        whole = [i for row in self.texts["long"] for i in row]
        if not self.ours:
            self.side.network.to(torch.bfloat16)
        self.side.network.eval()
        with torch.inference_mode(), self.side.open("cast"):
            start = time.perf_counter()
            self.side.forward([whole[:length]])
            return {"seconds": time.perf_counter() - start}
