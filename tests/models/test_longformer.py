"""Which of Longformer's tokens see everything, by default and as a batch says, equals transformers; and so do texts of
many windows, of a part of one, and of lengths that windows do not divide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn

from maskwright.models import load_network, longformer
from maskwright.nn import Batch

START, END = 0, 2
WINDOW = 8
#: tokens of both texts of each pair: together shorter than a window, as long as several, and in between
PAIRS = [(2, 3), (9, 40), (1, 1), (30, 5), (4, 61), (16, 16)]
HEADS = {"classification": 3, "question-answering": 2, "multiple-choice": 1}
TOLERANCE = {"atol": 1e-5, "rtol": 0.0}

Stir = Callable[..., Any]
Pack = Callable[[Tensor, Batch], Tensor]


def pair(head: str, folder: Path, stir: Stir, window: int | list[int] = WINDOW) -> tuple[nn.Module, nn.Module]:
    """Their network and ours, of the same weights."""
    sizes = transformers.LongformerConfig(
        vocab_size=60, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=30,
        max_position_embeddings=132, attention_window=window, pad_token_id=1, sep_token_id=END,
        num_labels=HEADS.get(head, 2), type_vocab_size=1,
    )  # fmt: skip
    theirs = stir(getattr(transformers, longformer.HEADS[head].architecture)(sizes), 0, 0.3)
    theirs.save_pretrained(folder)
    return theirs, load_network(folder, head).network.eval()


def words(count: int, seed: int) -> list[int]:
    return torch.randint(4, 60, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


def pairs() -> Batch:
    """<s> first </s></s> second </s>."""
    texts = [[START, *words(one, i), END, END, *words(other, 100 + i), END] for i, (one, other) in enumerate(PAIRS)]
    return Batch.packed(torch.tensor([token for text in texts for token in text]), [len(text) for text in texts])


def padded(batch: Batch) -> dict[str, Tensor]:
    """What they are given of it, with their mask of tokens that see everything where the batch marks some."""
    dense = batch.to_dense(padding=1)
    assert dense.real is not None
    given = {"input_ids": dense.ids, "attention_mask": dense.real.long()}
    if dense.marked is not None:
        given["global_attention_mask"] = dense.marked.long()
    return {name: t.view(len(batch), max(batch.lengths)) for name, t in given.items()}


def say(network: nn.Module, head: str, batch: Batch, packed: Pack) -> Tensor:
    """Their output, in the shape of ours. Multiple choice: pairs 0 and 1 are choices of one example, and so on."""
    given = padded(batch)
    if head == "multiple-choice":
        given = {name: t.view(len(batch) // 2, 2, -1) for name, t in given.items()}
    with torch.no_grad():
        said = network(**given)
    if head == "question-answering":
        return torch.stack([packed(said.start_logits, batch), packed(said.end_logits, batch)], -1)
    if head == "token-classification":
        return packed(said.logits, batch)
    return said.logits.view(-1, 1) if head == "multiple-choice" else said.logits


@pytest.mark.parametrize("head", HEADS)
def test_who_sees_everything_by_default(head: str, tmp_path: Path, stir: Stir, packed: Pack) -> None:
    theirs, ours = pair(head, tmp_path, stir)
    batch = pairs()
    with torch.no_grad():
        found, marks = ours(batch), ours.marks(batch)
        unmarked = ours(replace(batch, marked=torch.zeros_like(marks)))
    torch.testing.assert_close(found, say(theirs, head, batch, packed), **TOLERANCE)
    assert (found - unmarked).abs().max() > 1e-2

    of_each = []
    for one, other in PAIRS:  # <s> first | </s></s> | second </s>
        first, last = [True] + [False] * one, [False] * (other + 1)
        if head == "question-answering":
            first = [True] * (one + 1)
        if head == "multiple-choice":
            first, last = [False] * (one + 1), [True] * (other + 1)
        of_each += [*first, False, False, *last]
    assert marks.tolist() == of_each


@pytest.mark.parametrize("head", [*HEADS, "token-classification"])
def test_what_a_batch_marks_comes_before_the_default(head: str, tmp_path: Path, stir: Stir, packed: Pack) -> None:
    """Some tokens of some texts, none of others, all of one."""
    theirs, ours = pair(head, tmp_path, stir)
    plain = pairs()
    marked = torch.rand(len(plain.ids), generator=torch.Generator().manual_seed(0)) < 0.15
    marked &= plain.sequence != 3
    marked |= plain.sequence == 2
    batch = replace(plain, marked=marked)
    with torch.no_grad():
        found, default = ours(batch), ours(plain)
    torch.testing.assert_close(found, say(theirs, head, batch, packed), **TOLERANCE)
    assert (found - default).abs().max() > 1e-2


@pytest.mark.parametrize("window", [WINDOW, [4, 8]], ids=str)
@pytest.mark.parametrize("lengths", [[61, 3, 33, 8, 9, 7, 1, 64], [5, 2, 7], [127]], ids=str)
def test_texts_of_any_length(
    lengths: Sequence[int], window: int | list[int], tmp_path: Path, stir: Stir, packed: Pack
) -> None:
    """All hidden states, with and without marks. (The reference pads to the widest window, so others divide it.)"""
    theirs, ours = pair("bare", tmp_path, stir, window)
    plain = Batch.packed(torch.tensor(words(sum(lengths), 7)), lengths)
    for batch in (plain, replace(plain, marked=plain.positions == 1)):
        with torch.no_grad():
            said = theirs(**padded(batch), output_hidden_states=True).hidden_states
            states = ours.encoder.states(batch)
        assert len(states) == len(said) == 3
        for mine, other in zip(states, said, strict=True):
            torch.testing.assert_close(mine, packed(other, batch), **TOLERANCE)


@pytest.mark.parametrize("marks", [False, True])
def test_two_layers_reach_two_half_windows(marks: bool, tmp_path: Path, stir: Stir) -> None:
    """A change of token 30 reaches those that stand at most 2 * WINDOW / 2 away; by a marked token it reaches all."""
    _, ours = pair("bare", tmp_path, stir)
    batch = Batch.packed(torch.tensor(words(61, 7)), [61])
    batch = replace(batch, marked=batch.positions == 0) if marks else batch
    changed = batch.ids.clone()
    changed[30] = 4 + (changed[30] - 3) % 56
    with torch.no_grad():
        moved = (ours.encoder(batch) - ours.encoder(replace(batch, ids=changed))).abs().amax(-1) > 1e-7
    assert moved.tolist() == [marks or abs(n - 30) <= WINDOW for n in range(61)]
