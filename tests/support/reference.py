"""What a network of transformers says of a packed batch, as rows of real tokens or of sequences."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from maskwright.nn import Batch

#: Its trigrams read the vector of [PAD] behind a text where the batch has padding there, and 0 where not: what a text
#: gives depends on its neighbours. Ours is always the latter, so the reference reads one text at a time.
ALONE = ("mobilebert",)


def theirs(network: nn.Module, batch: Batch, head: str, padding: int) -> Any:
    """What the reference says of a padded batch, as rows of real tokens or sequences: hidden states and outputs."""
    dense = batch.to_dense(padding=padding)
    shape = (len(batch), max(batch.lengths))
    assert dense.real is not None
    given = {"input_ids": dense.ids, "attention_mask": dense.real.long(), "token_type_ids": dense.segments}
    if dense.marked is not None:
        given["global_attention_mask"] = dense.marked.long()
    known = inspect.signature(network.forward).parameters
    given = {k: v.view(shape) for k, v in given.items() if k in known}
    if head == "multiple-choice":
        given = {k: v[:, None] for k, v in given.items()}
    with torch.no_grad():
        said = network(**given, output_hidden_states=True)

    def packed(x: Tensor) -> Tensor:
        return torch.cat([row[:n] for row, n in zip(x, batch.lengths, strict=True)])

    return [packed(s) for s in said.hidden_states], outputs(head, said, packed)


def outputs(head: str, said: Any, packed: Callable[[Tensor], Tensor]) -> list[Tensor]:
    match head:
        case "bare":
            pooled = getattr(said, "pooler_output", None)
            return [said.last_hidden_state[:, 0] if pooled is None else pooled]
        case "pretraining" if hasattr(said, "prediction_logits"):
            order = said["sop_logits"] if "sop_logits" in said else said["seq_relationship_logits"]
            return [packed(said.prediction_logits), order]
        case "question-answering":
            return [torch.stack([packed(said.start_logits), packed(said.end_logits)], -1)]
        case "masked-lm" | "token-classification" | "pretraining":
            return [packed(said.logits)]
    return [said.logits]


def alone(network: nn.Module, batch: Batch, head: str, padding: int) -> Any:
    """The same, one sequence at a time."""
    found = []
    for ids, segments in zip(*(t.split(list(batch.lengths)) for t in (batch.ids, batch.segments)), strict=True):
        found.append(theirs(network, Batch.packed(ids, [len(ids)], segments), head, padding))
    states = [torch.cat(layer) for layer in zip(*(f[0] for f in found), strict=True)]
    return states, [torch.cat(out) for out in zip(*(f[1] for f in found), strict=True)]
