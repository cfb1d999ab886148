"""The two sides of the forward measurement. A side holds one model in one process and runs workloads over it.

Each side has `open` (a context for all batches of a workload), `batches(name of texts, rows)`, which cuts them as suits
it, and `states(name of texts, rows)`, which builds a batch and computes; only that is timed.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any

import numpy as np
import torch

from bench import _measure as measure
from bench import _texts as texts
from bench.forward import ORDERS

SHOWN = 32  #: texts of each range whose hidden states are compared
LONGEST = 512  #: positions that MiniLM has


class Ours:
    """maskwright's encoder over packed batches."""

    def __init__(self, cell: dict[str, Any]) -> None:
        from maskwright.models import load_encoder
        from maskwright.nn import Batch, precision
        from maskwright.text.tokenizer import Tokenizer

        self.encoder = load_encoder("minilm").encoder.eval()
        tokenizer = Tokenizer.from_folder(measure.minilm_folder())
        self.encodings = {name: tokenizer.encode(found, max_length=LONGEST) for name, found in texts.load().items()}
        self.pack = Batch.from_encodings
        self.open: Any = lambda: precision(cell["precision"], torch.device("cpu"))

    def batches(self, name: str, rows: list[int]) -> list[list[int]]:
        """As a prediction cuts its texts."""
        from maskwright.data.batching import by_tokens
        from maskwright.tasks._stream import TOKENS

        return [some.tolist() for some in by_tokens(np.array(rows), self.encodings[name].lengths, TOKENS)]

    def ids(self, name: str) -> list[list[int]]:
        found = self.encodings[name]
        return [found.ids[a:b].tolist() for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]

    def states(self, name: str, rows: list[int]) -> torch.Tensor:
        """(N, H)."""
        hidden: torch.Tensor = self.encoder(self.pack(self.encodings[name], rows))
        return hidden

    def flat(self, name: str, rows: list[int]) -> torch.Tensor:
        return self.states(name, rows)


class Peer:
    """transformers' AutoModel over padded batches."""

    def __init__(self, cell: dict[str, Any]) -> None:
        from transformers import AutoModel, AutoTokenizer

        torch.set_num_threads(cell["threads"])
        folder = measure.minilm_folder()
        attention = cell["attention"]
        self.texts = cell["texts"]
        self.model = AutoModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation=attention).eval()
        if cell["way"] == "cast":
            self.model = self.model.to(torch.bfloat16)
        low = cell["way"] == "autocast"
        self.open: Any = (lambda: torch.autocast("cpu", torch.bfloat16)) if low else contextlib.nullcontext
        self.run: Any = torch.compile(self.model, dynamic=True) if cell["compile"] else self.model
        tokenizer = AutoTokenizer.from_pretrained(folder)
        self.encoded = {
            name: tokenizer(found, truncation=True, max_length=LONGEST)["input_ids"]
            for name, found in texts.load().items()
        }

    def batches(self, name: str, rows: list[int]) -> list[list[int]]:
        return [rows[i : i + self.texts] for i in range(0, len(rows), self.texts)]

    def ids(self, name: str) -> list[list[int]]:
        return [list(ids) for ids in self.encoded[name]]

    def states(self, name: str, rows: list[int]) -> torch.Tensor:
        """(B, T, H)."""
        chosen = [self.encoded[name][row] for row in rows]
        ids = np.zeros((len(chosen), max(map(len, chosen))), np.int64)
        mask = np.zeros_like(ids)
        for i, sequence in enumerate(chosen):
            ids[i, : len(sequence)] = sequence
            mask[i, : len(sequence)] = 1
        hidden: torch.Tensor = self.run(
            input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)
        ).last_hidden_state
        return hidden

    def flat(self, name: str, rows: list[int]) -> torch.Tensor:
        hidden = self.states(name, rows)
        return torch.cat([hidden[i, : len(self.encoded[name][row])] for i, row in enumerate(rows)])


class Side:
    """What a child process answers with: it is opened once as ours or the peer, and then runs workloads."""

    side: Any = None

    @torch.inference_mode()
    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if "open" in request:
            with torch.inference_mode(False):  # weights made in inference mode could not be cached by autocast
                self.cell = request["cell"]
                self.side = (Ours if request["open"] == "ours" else Peer)(self.cell)
            return {}
        if "memory" in request:
            return measure.peak_memory()
        if "states" in request:
            return self._states(request["states"])
        return self._time(*ORDERS[request["workload"]], request["batches"])

    def _time(self, name: str, order: str, count: int | None) -> dict[str, Any]:
        """Seconds for all batches of a workload, or for `count` of them that stand evenly over it."""
        found = self.side.ids(name)
        rows = list(range(len(found)))
        if order == "sorted":
            rows.sort(key=lambda row: len(found[row]))
        batches = self.side.batches(name, rows)
        if count is not None:
            count = min(count, len(batches))
            step = (len(batches) - 1) / max(1, count - 1)
            batches = [batches[round(i * step)] for i in range(count)]
        with self.side.open():
            # Before the clock, for whatever is made at a first call; a compiled model may compile for any new shape.
            for batch in batches if self.cell.get("compile") else (batches[0], batches[-1]):
                self.side.states(name, batch)
            start = time.perf_counter()
            for batch in batches:
                self.side.states(name, batch)
            seconds = time.perf_counter() - start
        tokens = sum(len(found[row]) for batch in batches for row in batch)
        return {"seconds": seconds, "tokens": tokens, "ids": measure.config_hash(found)}

    def _states(self, path: str) -> dict[str, Any]:
        """Write the hidden states (N, H) of 64 texts of both ranges to `path`, sequence after sequence."""
        with self.side.open():
            found = [self.side.flat(name, list(range(SHOWN))).float().numpy() for name in ("short", "long")]
        np.save(path, np.concatenate(found))
        return {"states": path}
