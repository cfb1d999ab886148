"""Every family of the folder, the day it appears: names, keys, sizes, round trips, packing."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny import SPECIALS, draw_config, tiny

from maskwright.base.config import parse
from maskwright.base.errors import UserError
from maskwright.models import families, family, load_network, random_network, save_network, show, special_ids
from maskwright.models._family import (
    COMMON_KEYS,
    Fixed,
    Ignored,
    Preset,
    Special,
    _flat,
    keys_of,
    names_of,
    read_config,
    write_config,
)
from maskwright.models._show import presets
from maskwright.nn import Batch, precision
from maskwright.tasks.long.chunk_mean import Mean

REFERENCED = [name for name in families() if hasattr(family(name), "KEYS")]
HEADS = [(name, head) for name in families() for head in family(name).HEADS]
LENGTHS = [5, 1, 23, 64, 2]

WITHOUT_ATTENTION = ("elmo",)

Stir = Callable[..., Any]
Draw = Callable[..., Batch]


def test_there_is_a_family() -> None:
    assert "bert" in families()
    assert not any(name.startswith("_") for name in families())


@pytest.mark.parametrize(("name", "head"), HEADS)
def test_every_head_survives_saving_and_loading(name: str, head: str, tmp_path: Path, stir: Stir, draw: Draw) -> None:
    kind = family(name)
    config = tiny(kind)
    network = stir(random_network(kind, config, head, classes=3))
    save_network(tmp_path, network, kind, config, {"id2label": {0: "a", 1: "b", 2: "c"}})
    loaded = load_network(tmp_path, head)
    assert loaded.config == config
    assert (loaded.new, loaded.unused) == ([], [])
    before, after = network.state_dict(), loaded.network.state_dict()
    assert list(before) == list(after)
    for tensor_name in before:
        assert torch.equal(before[tensor_name], after[tensor_name]), tensor_name
    batch = draw(LENGTHS, config.vocabulary, max(getattr(config, "segments", 1), 1))
    with torch.no_grad():
        one, two = network(batch), loaded.network.eval()(batch)
    assert torch.equal(torch.cat([t.flatten() for t in one]), torch.cat([t.flatten() for t in two]))


@pytest.mark.parametrize(("name", "head"), HEADS)
def test_every_tensor_has_one_name_of_theirs(name: str, head: str) -> None:
    kind = family(name)
    names = names_of(kind)
    network = random_network(kind, tiny(kind), head)
    theirs = [t for ours in network.state_dict() for t in names.theirs(ours)]
    assert len(set(theirs)) == len(theirs)
    assert all(names.knows(t) for t in theirs)
    assert type(network).architecture == kind.HEADS[head].architecture
    with torch.no_grad():
        assert network.encoder(Batch.packed(torch.tensor([5, 6, 7]), [3])).shape == (3, network.encoder.width)


@pytest.mark.parametrize("name", families())
def test_every_rule_and_every_head_is_used(name: str) -> None:
    """A rule of NAMES that fits no tensor of any head is a slip; so is a part that two heads name differently."""
    kind = family(name)
    tensors = {
        ours
        for config in [tiny(kind), *(draw_config(kind, seed) for seed in range(10))]
        for head in kind.HEADS
        for ours in random_network(kind, config, head).state_dict()
    }
    for pattern, _ in names_of(kind).rules:
        assert any(pattern.fullmatch(t) for t in tensors), pattern.pattern
    architectures = [cls.architecture for cls in kind.HEADS.values()]
    assert len(set(architectures)) == len(architectures)
    assert "bare" in kind.HEADS


@pytest.mark.parametrize("name", REFERENCED)
def test_every_head_is_the_references_but_for_those_said(name: str) -> None:
    kind = family(name)
    own = [head for head, cls in kind.HEADS.items() if not hasattr(transformers, cls.architecture)]
    assert own == list(getattr(kind, "OWN_HEADS", ()))


@pytest.mark.parametrize("name", REFERENCED)
def test_every_key_of_the_reference_is_known(name: str) -> None:
    kind = family(name)
    theirs = transformers.AutoConfig.for_model(name).to_dict()
    theirs = kind.settle(theirs) if hasattr(kind, "settle") else theirs
    flat = dict(_flat(theirs, kind.KEYS))
    unknown = set(flat) - set(COMMON_KEYS) - set(kind.KEYS)
    assert not unknown
    config = read_config(kind, theirs, "the reference's defaults")
    mapped = [m for m in kind.KEYS.values() if isinstance(m, str)]
    assert sorted(mapped) == sorted(kind.Config.model_fields), "each field of Config is mapped by exactly one key"
    for key, meaning in kind.KEYS.items():
        if isinstance(meaning, str) and key in flat:
            value, default = config.model_dump(mode="json")[meaning], kind.Config.model_fields[meaning].default
            assert value == flat[key] or value is default is None, key  # None: as the family usually has it
    assert all(m.why for m in {**COMMON_KEYS, **kind.KEYS}.values() if isinstance(m, Fixed | Ignored))


@pytest.mark.parametrize("name", REFERENCED)
def test_a_config_names_the_pieces_that_the_reference_would_take_from_another_vocabulary(name: str) -> None:
    theirs = transformers.AutoConfig.for_model(name).to_dict()
    presumed = {key for key, value in theirs.items() if key.endswith("_token_id") and value is not None}
    presumed -= {"decoder_start_token_id"}
    keys = family(name).KEYS
    assert presumed <= {key for key, meaning in keys.items() if isinstance(meaning, str | Special)}
    ids = {"cls": 7, "sep": 8}
    assert special_ids(family(name), ids) == {
        key: ids[meaning.role] for key, meaning in keys.items() if isinstance(meaning, Special)
    }


@pytest.mark.parametrize("name", REFERENCED)
def test_what_a_config_does_not_say_is_as_the_reference_takes_it(name: str) -> None:
    kind = family(name)
    theirs = transformers.AutoConfig.for_model(name).to_dict()
    assert read_config(kind, {"model_type": name}, "empty") == read_config(kind, theirs, "full")


@pytest.mark.parametrize("name", families())
def test_configurations_survive_both_directions(name: str) -> None:
    kind = family(name)
    published = [preset.config for preset in getattr(kind, "PRESETS", {}).values()]
    for config in [kind.Config(), *published, *(draw_config(kind, seed) for seed in range(10))]:
        written = json.loads(json.dumps(write_config(kind, config)))
        assert read_config(kind, written, "written") == config
        if name in REFERENCED:
            reference = transformers.AutoConfig.for_model(**written)
            assert read_config(kind, reference.to_dict(), "reference") == config


@pytest.mark.parametrize("name", families())
def test_every_value_that_is_fixed_is_checked(name: str) -> None:
    kind = family(name)
    fixed = {k: m for k, m in {**COMMON_KEYS, **keys_of(kind)}.items() if isinstance(m, Fixed)}

    def with_value(key: str, value: Any) -> dict[str, Any]:
        for word in reversed(key.split(".")):
            value = {word: value}
        return {"model_type": name, **value}

    for key, meaning in fixed.items():
        read_config(kind, with_value(key, meaning.value), "config.json")
        if not meaning.value:
            read_config(kind, with_value(key, None), "config.json")
        else:
            with pytest.raises(UserError, match=f"config.json: {key} = None is not supported"):
                read_config(kind, with_value(key, None), "config.json")
        with pytest.raises(UserError, match=f"config.json: {key} = 'else' is not supported for '{name}'"):
            read_config(kind, with_value(key, "else"), "config.json")


@pytest.mark.parametrize("preset", presets())
def test_every_preset_is_built_without_weights(preset: str) -> None:
    """The first of each family with all of its heads, which do not depend on the size."""
    kind, config = presets()[preset]
    assert parse(kind.Config, config.model_dump()) == config
    for head in kind.HEADS if preset == next(iter(kind.PRESETS)) else list(kind.HEADS)[:1]:
        shown = show(preset, head)
        with torch.device("meta"):
            network = kind.HEADS[head](config, kind.build(config), 2)
        assert shown.total == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("name", families())
def test_packing_changes_nothing(name: str, stir: Stir, draw: Draw) -> None:
    kind = family(name)
    config = tiny(kind)
    encoder = stir(random_network(kind, config, "bare")).encoder
    batch = draw(LENGTHS, config.vocabulary, max(getattr(config, "segments", 1), 1))
    with torch.no_grad():
        states = encoder(batch)
        dense = batch.to_dense()
        torch.testing.assert_close(encoder(dense)[dense.real], states, atol=1e-5, rtol=0)
        torch.testing.assert_close(encoder(batch, batch.first), states[batch.first.tokens], atol=1e-5, rtol=0)
        for ids, segments, alone in zip(*(t.split(LENGTHS) for t in (batch.ids, batch.segments, states)), strict=True):
            one = Batch.packed(ids, [len(ids)], segments)
            torch.testing.assert_close(encoder(one), alone, atol=1e-5, rtol=0)


@pytest.mark.gpu
@pytest.mark.parametrize("name", families())
def test_a_gpu_computes_the_same(name: str, stir: Stir, draw: Draw) -> None:
    """States and gradients in fp32, packed and dense; a few tokens are marked where a family reads that."""
    kind = family(name)
    config = tiny(kind)
    here = stir(random_network(kind, config, "bare")).encoder
    batch = draw(LENGTHS, config.vocabulary, max(getattr(config, "segments", 1), 1))
    batch = replace(batch, marked=batch.positions % 7 == 0)
    there = deepcopy(here).to("cuda")
    for given in (batch, batch.to_dense()):
        read = torch.arange(len(given.ids)) if given.real is None else given.real.nonzero().flatten()
        states = []
        for encoder, device in ((here, "cpu"), (there, "cuda")):
            encoder.zero_grad()
            found = encoder(given.to(device)).index_select(0, read.to(device))
            found.sin().sum().backward()
            states.append(found.detach().cpu())
        torch.testing.assert_close(*states, atol=1e-4, rtol=1e-4)
        for one, other in zip(here.parameters(), there.parameters(), strict=True):
            if one.grad is not None:
                torch.testing.assert_close(other.grad.cpu(), one.grad, atol=1e-3, rtol=1e-3)


def test_an_unknown_family_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"There is no model family 'brt'. Did you mean 'bert'\? Allowed: .*bert"):
        family("brt")


@pytest.mark.parametrize("name", families())
def test_a_sequence_beyond_the_positions_is_said(name: str, draw: Draw) -> None:
    kind = family(name)
    network = random_network(kind, tiny(kind), "bare")
    limit = network.encoder.limit
    batch = draw([3, 71], 53, 1)
    if limit is None:  # nothing ends where no table of positions is
        assert network.encoder(batch).shape == (74, network.encoder.width)
        return
    with pytest.raises(UserError, match=rf"A sequence has 71 tokens, but the encoder has {limit} positions\. Cut it"):
        network.encoder(batch)


@pytest.mark.parametrize("name", families())
def test_presets_count_what_was_published(name: str) -> None:
    """To the digits that the source prints; or the note says why not."""
    kind = family(name)
    for key, preset in getattr(kind, "PRESETS", {}).items():
        assert isinstance(preset, Preset)
        assert preset.source
        if not preset.published:
            continue
        with torch.device("meta"):
            network = kind.HEADS[preset.head](preset.config, kind.build(preset.config), 2)
        count = sum(p.numel() for p in network.parameters())
        if preset.without_words:
            count -= network.encoder.embeddings.word.weight.numel()
        digits = len(preset.published.partition(".")[2])
        near = abs(count / 1e6 - float(preset.published)) <= 0.55 * 10**-digits
        assert near or preset.note, f"{key}: {count:,} parameters, published {preset.published} million"


@pytest.mark.parametrize("name", families())
def test_looking_gives_the_attention_of_every_layer(name: str, stir: Stir, draw: Draw) -> None:
    """Where the reference tells its own, it is that; elsewhere a distribution over all of a text."""
    kind = family(name)
    config = tiny(kind)
    if name in WITHOUT_ATTENTION:
        assert not hasattr(kind.build(config), "attentions")
        return
    network = stir(random_network(kind, config, "bare"))
    batch = draw(LENGTHS, config.vocabulary, 1)
    with torch.no_grad():
        layers = list(network.encoder.attentions(batch))
    heads = config.heads * (2 if name == "two-directions" else 1)
    assert len(layers) == config.layers
    for layer in layers:
        assert [p.shape for p in layer] == [(heads, n, n) for n in LENGTHS]
        for p in layer:
            torch.testing.assert_close(p.sum(-1), torch.ones(p.shape[:2]))
            assert p.dtype == torch.float32
    with torch.no_grad(), precision("bf16"):
        again = list(network.encoder.attentions(batch))
    assert all(p.dtype == torch.float32 for layer in again for p in layer)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", [name for name in REFERENCED if name != "longformer"])
def test_looking_gives_the_references_attention(name: str, seed: int, tmp_path: Path, stir: Stir) -> None:
    kind = family(name)
    config = draw_config(kind, seed)
    save_network(tmp_path, stir(random_network(kind, config, "bare"), seed), kind, config, {})
    reference = getattr(transformers, kind.HEADS["bare"].architecture)
    network = reference.from_pretrained(tmp_path, attn_implementation="eager").eval()
    ids = torch.randint(SPECIALS, config.vocabulary, (1, 17), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        theirs = network(input_ids=ids, output_attentions=True).attentions
        ours = load_network(tmp_path, "bare").network.eval().encoder.attentions(Batch.packed(ids[0], [17]))
        for (mine,), wanted in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, wanted[0], atol=1e-5, rtol=0)


def test_looking_sees_longformers_window_and_marks(stir: Stir, tmp_path: Path) -> None:
    """transformers tells a token's window by distance, behind what it gives to marked tokens."""
    kind, length = family("longformer"), 24
    config = draw_config(kind, 0)
    save_network(tmp_path, stir(random_network(kind, config, "bare")), kind, config, {})
    network = transformers.LongformerModel.from_pretrained(tmp_path).eval()
    ids = torch.randint(SPECIALS, config.vocabulary, (1, length), generator=torch.Generator().manual_seed(0))
    marked = torch.arange(length) == 0
    with torch.no_grad():
        said = network(input_ids=ids, global_attention_mask=marked.long()[None], output_attentions=True)
        batch = replace(Batch.packed(ids[0], [length]), marked=marked)
        ours = list(load_network(tmp_path, "bare").network.eval().encoder.attentions(batch))
    for (mine,), near, far, size in zip(ours, said.attentions, said.global_attentions, config.windows, strict=True):
        torch.testing.assert_close(mine[:, 0], far[0, :, :length, 0], atol=1e-5, rtol=0)
        for i in range(1, length):
            torch.testing.assert_close(mine[:, i, 0], near[0, :, i, 0], atol=1e-5, rtol=0)
            for j in range(max(1, i - size // 2), min(length, i + size // 2 + 1)):
                torch.testing.assert_close(mine[:, i, j], near[0, :, i, 1 + j - i + size // 2], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", [name for name in families() if "classification" in family(name).HEADS])
def test_a_classifier_of_every_family_reads_texts_in_several_sequences(name: str, stir: Stir) -> None:
    """The mean over the sequences of a text of what stands in front of the classifier; of one sequence, that itself."""
    kind = family(name)
    torch.manual_seed(0)
    network = stir(random_network(kind, tiny(kind), "classification", classes=3)).eval()
    ids, lengths = torch.randint(5, 20, (12,)), (3, 5, 4)
    batch = Batch.packed(ids, lengths)
    texts = Batch.packed(torch.zeros(3, dtype=torch.int64), (1, 2))
    alone = Batch.packed(torch.zeros(3, dtype=torch.int64), (1, 1, 1))
    with torch.inference_mode():
        plain = network(batch)
        network.combine = Mean()
        torch.testing.assert_close(network(batch, alone), plain)
        joined = network(batch, texts)
    assert joined.shape == (2, 3)
    torch.testing.assert_close(joined[0], plain[0])
    assert not torch.allclose(joined[1], plain[1])
