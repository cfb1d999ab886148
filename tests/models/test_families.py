"""Every family of the folder equals its reference in both directions, on random tiny configurations of it.

All hidden states and every head, packed against padded. A family is tested from the day its file is there.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from reference import ALONE, alone, theirs
from safetensors import safe_open
from tiny import LENGTHS, SPECIALS, cases, draw_config
from torch import Tensor, nn

from maskwright.models import families, family, load_network, random_network, save_network
from maskwright.models._family import names_of, prefix_of, read_config, reference_heads, write_config
from maskwright.nn import Batch

TOLERANCE = 1e-5
CLASSES = 3
SEEDS = range(10)
REFERENCED = [name for name in families() if hasattr(family(name), "KEYS")]
#: whose places of dropout differ most; the others are tested with the slow ones
DROPPED = ("albert", "bert", "deberta-v2", "modernbert")
Stir = Callable[..., Any]


def draw(config: Any, seed: int) -> Batch:
    """Random ids that are no special pieces, segments, and separators where the family reads them."""
    source = torch.Generator().manual_seed(seed)
    ids = torch.randint(SPECIALS, config.vocabulary, (sum(LENGTHS),), generator=source)
    segments = max(getattr(config, "segments", 1), 1)
    kinds = [torch.arange(n) >= torch.randint(1, n + 1, (1,), generator=source) for n in LENGTHS]
    batch = Batch.packed(ids, LENGTHS, torch.cat(kinds).long() * (segments - 1))
    if not hasattr(config, "separator"):
        return batch
    marked = torch.rand(len(ids), generator=source) < 0.2
    return replace(batch, marked=marked & (batch.sequence != 2))


def ours(network: nn.Module, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
    with torch.no_grad():
        said = network(batch)
        states = network.encoder.states(batch)
    return states, list(said) if isinstance(said, tuple) else [said]


def assert_near(mine: tuple[list[Tensor], list[Tensor]], wanted: tuple[list[Tensor], list[Tensor]]) -> None:
    for some, others in zip(mine, wanted, strict=True):
        assert len(some) == len(others)
        for a, b in zip(some, others, strict=True):
            assert a.shape == b.shape
            torch.testing.assert_close(a, b, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", REFERENCED)
def test_both_directions(name: str, seed: int, tmp_path: Path, stir: Stir) -> None:
    assert_both_directions(name, seed, tmp_path, stir)


def assert_both_directions(name: str, seed: int, folder: Path, stir: Stir) -> None:
    kind = family(name)
    config = draw_config(kind, seed)
    reads = alone if name in ALONE else theirs
    for head in reference_heads(kind):
        assert_head(kind, config, head, seed, folder / head, stir, reads)


def assert_head(kind: Any, config: Any, head: str, seed: int, folder: Path, stir: Stir, reads: Any) -> None:
    sizes = transformers.AutoConfig.for_model(**json.loads(json.dumps(write_config(kind, config))))
    sizes.num_labels = 2 if head == "question-answering" else CLASSES
    reference = getattr(transformers, kind.HEADS[head].architecture)
    batch, padding = draw(config, seed), config.padding or 0

    source = stir(reference(sizes), seed)
    source.save_pretrained(folder / "theirs")
    loaded = load_network(folder / "theirs", head)
    loaded.network.eval()
    assert (loaded.new, loaded.unused) == ([], [])
    assert loaded.config == config
    assert_near(ours(loaded.network, batch), reads(source, batch, head, padding))

    classes = sizes.num_labels
    mine = stir(random_network(kind, config, head, classes), seed + 1000)
    names = {f"kind {i}": i for i in range(classes)}
    save_network(folder / "ours", mine, kind, config, {"label2id": names, "id2label": {i: n for n, i in names.items()}})
    back, report = reference.from_pretrained(folder / "ours", output_loading_info=True)
    assert not any(report.values()), report
    assert tensors(folder / "ours") == tensors(folder / "theirs")
    assert_near(ours(mine, batch), reads(back.eval(), batch, head, padding))
    assert read_config(kind, back.config.to_dict(), "theirs") == config


def tensors(folder: Path) -> set[str]:
    with safe_open(str(folder / "model.safetensors"), "pt") as file:
        return set(file.keys())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 40))
@pytest.mark.parametrize("name", REFERENCED)
def test_both_directions_of_more(name: str, seed: int, tmp_path: Path, stir: Stir) -> None:
    assert_both_directions(name, seed, tmp_path, stir)


@pytest.mark.parametrize("name", REFERENCED)
def test_ten_configurations_turn_every_switch(name: str) -> None:
    kind = family(name)
    drawn = [draw_config(kind, seed) for seed in SEEDS]
    for field, (case, all_of) in cases(kind).items():
        assert {case(config) for config in drawn} == all_of, field
    assert sum(config.width % 2 for config in drawn) >= 1 or name == "modernbert"  # pairs are turned there
    assert len({config.layers for config in drawn}) > 1


@pytest.mark.parametrize("name", [n if n in DROPPED else pytest.param(n, marks=pytest.mark.slow) for n in REFERENCED])
def test_each_rate_of_dropout_acts_where_theirs_does(name: str, tmp_path: Path, stir: Stir) -> None:
    """Which hidden states, and whether the output of a head, are others in training than in evaluation."""
    kind = family(name)
    rates = [field for field in kind.Config.model_fields if "dropout" in field]
    calm = draw_config(kind, 5).model_copy(update=dict.fromkeys(rates, 0.0))
    batch, padding, acted = draw(calm, 0), calm.padding or 0, set()
    for head in reference_heads(kind):
        for rate in [None, *rates]:
            config = calm if rate is None else calm.model_copy(update={rate: 0.5})
            sizes = transformers.AutoConfig.for_model(**json.loads(json.dumps(write_config(kind, config))))
            source = stir(getattr(transformers, kind.HEADS[head].architecture)(sizes), 0)
            source.save_pretrained(tmp_path / f"{head}-{rate}")
            network = load_network(tmp_path / f"{head}-{rate}", head).network
            found = changed(network, ours, batch)
            assert found == changed(source, theirs, batch, head, padding), (head, rate)
            if any(found):
                acted.add(rate)
    assert acted == set(rates)


def changed(network: nn.Module, say: Callable[..., tuple[list[Tensor], list[Tensor]]], *given: Any) -> list[bool]:
    quiet, loud = (list(chain(*say(network.train(mode), *given))) for mode in (False, True))
    return [not torch.equal(a, b) for a, b in zip(quiet, loud, strict=True)]


@pytest.mark.parametrize("seed", [3, 8])
@pytest.mark.parametrize("name", REFERENCED)
def test_gradients_are_theirs(name: str, seed: int, tmp_path: Path, stir: Stir) -> None:
    """Of every parameter, from a sum over the last hidden states that weighs each number differently."""
    kind = family(name)
    config = draw_config(kind, seed)
    sizes = transformers.AutoConfig.for_model(**json.loads(json.dumps(write_config(kind, config))))
    source = stir(getattr(transformers, kind.HEADS["bare"].architecture)(sizes), seed)
    source.save_pretrained(tmp_path)
    network = load_network(tmp_path, "bare").network.eval()
    batch = draw(config, seed)
    weigh = torch.randn(len(batch.ids), config.width, generator=torch.Generator().manual_seed(0))
    (network.encoder(batch) * weigh).sum().backward()
    total = torch.zeros(())
    for ids, segments, mine, marked in zip(
        *(t.split(LENGTHS) for t in (batch.ids, batch.segments, weigh)),
        [None] * len(LENGTHS) if batch.marked is None else batch.marked.split(LENGTHS),
        strict=True,
    ):
        given = {"input_ids": ids[None], "token_type_ids": segments[None]}
        if marked is not None:
            given["global_attention_mask"] = marked[None].long()
        known = inspect.signature(source.forward).parameters
        said = source(**{k: v for k, v in given.items() if k in known})
        total = total + (said.last_hidden_state[0] * mine).sum()
    total.backward()
    names, gradients = names_of(kind), {n: p.grad for n, p in source.named_parameters()}
    for own, parameter in network.named_parameters():
        if not own.startswith("encoder."):
            continue
        wanted = [gradients[n.removeprefix(prefix_of(kind))] for n in names.theirs(own)]
        pieces = [
            torch.zeros_like(p) if g is None else g for p, g in zip(parameter.chunk(len(wanted)), wanted, strict=True)
        ]
        found = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(found, torch.cat(pieces), atol=2e-4, rtol=2e-4, msg=lambda m, own=own: f"{own}: {m}")
