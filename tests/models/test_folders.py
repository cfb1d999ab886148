"""Folders of every family: tied tensors, heads other than the one that is asked for, damaged indexes and quantised
weights; and all of it where none of the libraries is at hand that tests compare with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny import tiny
from torch import Tensor

from maskwright.base.errors import UserError
from maskwright.base.files import read_json, write_json
from maskwright.models import bert, families, family, load_network, random_network, save_network
from maskwright.models._family import names_of, prefix_of, read_config, reference_heads, write_config
from maskwright.nn import Batch

REFERENCED = [name for name in families() if hasattr(family(name), "KEYS")]
COPIED = [(name, copy) for name in families() for copy in getattr(family(name), "COPIES", {})]
HEADS = [(name, head) for name in REFERENCED for head in reference_heads(family(name))]
BLOCKED = "transformers sentence_transformers peft optimum captum seqeval accelerate datasets minicons".split()
#: Its heads share names (the layer before words is the one before classes, both ends of an answer are two classes), so
#: what one has of them another takes for its own, whole or, as here, refused for being half of it or of another size.
SHARED = ("modernbert",)

Stir = Callable[..., Any]


def change(folder: Path, changes: dict[str, Tensor]) -> None:
    file = folder / "model.safetensors"
    save_file({**load_file(file), **changes}, file)


# ---------------------------------------------------------------- tied tensors


@pytest.mark.parametrize(("name", "copy"), COPIED)
def test_a_tied_tensor_may_be_absent_or_agree_but_not_differ(name: str, copy: str, tmp_path: Path, stir: Stir) -> None:
    kind = family(name)
    of, config = kind.COPIES[copy], tiny(kind)
    save_network(tmp_path, stir(random_network(kind, config, "masked-lm")), kind, config, {})
    tensors = load_file(tmp_path / "model.safetensors")
    assert copy not in tensors
    before = load_network(tmp_path, "masked-lm")

    change(tmp_path, {copy: tensors[of].clone()})
    loaded = load_network(tmp_path, "masked-lm")
    assert before.new == before.unused == loaded.new == loaded.unused == []
    after = loaded.network.state_dict()
    assert all(torch.equal(t, after[n]) for n, t in before.network.state_dict().items())

    wrong = tensors[of].clone()
    wrong.view(-1)[-1] += 1e-3
    change(tmp_path, {copy: wrong})
    with pytest.raises(UserError, match=rf"{copy} should repeat {of} but differs \(untied weights are not supported\)"):
        load_network(tmp_path, "masked-lm")
    loaded = load_network(tmp_path, "bare")  # which has no scores of words that could differ
    assert copy in loaded.unused

    del tensors[of]
    save_file({**tensors, copy: wrong.clone()}, tmp_path / "model.safetensors")  # the copy alone is as good
    state = load_network(tmp_path, "masked-lm").network.state_dict()
    names = names_of(kind)
    (ours,) = (n for n in state if of in names.theirs(n))
    assert torch.equal(state[ours], wrong)


# ---------------------------------------------------------------- heads other than the one that is asked for


@pytest.mark.parametrize(("name", "head"), HEADS)
def test_a_folder_of_any_head_gives_its_encoder_to_another(name: str, head: str, tmp_path: Path, stir: Stir) -> None:
    """As transformers saves it. The encoder comes whole; what is new and what is left over belongs to heads."""
    kind = family(name)
    sizes = tiny(kind)
    sizes = sizes.model_copy(update={"padding": 1}) if (sizes.padding or 0) >= sizes.vocabulary else sizes
    settings = transformers.AutoConfig.for_model(**json.loads(json.dumps(write_config(kind, sizes))))
    stir(getattr(transformers, kind.HEADS[head].architecture)(settings)).save_pretrained(tmp_path)
    held = load_file(tmp_path / "model.safetensors")
    names, prefix = names_of(kind), prefix_of(kind)
    others = ["bare", "classification", "masked-lm", "question-answering"]
    if name in SHARED and head not in ("bare", "masked-lm"):
        others = others[:2]
        with pytest.raises(UserError, match=r"decoder\.bias is missing"):
            load_network(tmp_path, "masked-lm")
    for other in others:
        loaded = load_network(tmp_path, other, classes=3, new_head=True)
        assert not any(n.startswith("encoder.") for n in loaded.new)
        used: set[str] = set()
        for ours, tensor in loaded.network.state_dict().items():
            if ours not in loaded.new:
                theirs = [n if n in held else n.removeprefix(prefix) for n in names.theirs(ours)]
                assert torch.equal(tensor, torch.cat([held[n] for n in theirs])), ours
                used |= set(theirs)
        assert sorted([*used, *loaded.unused, *loaded.replaced]) == sorted(held)
        if other == head and head not in ("classification", "question-answering"):  # what answers is new
            assert not loaded.new


@pytest.mark.parametrize("name", ["roberta", "electra", "mpnet"])
def test_a_classifier_of_other_layers_is_replaced_only_where_that_is_asked(name: str, tmp_path: Path) -> None:
    """That of tokens has one layer here, that of texts two."""
    kind = family(name)
    config = tiny(kind)
    save_network(tmp_path, random_network(kind, config, "token-classification"), kind, config, {})
    with pytest.raises(UserError, match=r"classifier\.dense\.weight is missing"):
        load_network(tmp_path, "classification")
    loaded = load_network(tmp_path, "classification", new_head=True)
    assert sorted(loaded.replaced) == ["classifier.bias", "classifier.weight"]
    assert {n.split(".")[0] for n in loaded.new} == {"classifier"}


# ---------------------------------------------------------------- damaged and quantised


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_network(tmp_path, random_network(bert, tiny(bert), "bare"), bert, tiny(bert), {})
    return tmp_path


def shard(folder: Path, index: Any) -> Path:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text(index if isinstance(index, str) else json.dumps(index))
    return folder


@pytest.mark.parametrize("index", [{}, {"weight_map": []}, {"weight_map": {"a": 1}}, [], "{", ""])
def test_an_index_that_is_none(folder: Path, index: Any) -> None:
    with pytest.raises(UserError, match=r"model\.safetensors\.index\.json"):
        load_network(shard(folder, index), "bare")


def test_an_index_that_leaves_a_shard_out(folder: Path) -> None:
    """Its tensors are missing then, each by its name."""
    tensors = load_file(folder / "model.safetensors")
    lost = "pooler.dense.bias"
    save_file({lost: tensors.pop(lost)}, folder / "model-00002-of-00002.safetensors")
    save_file(tensors, folder / "model.safetensors")
    whole = {"weight_map": dict.fromkeys(tensors, "model-00001-of-00002.safetensors")}
    with pytest.raises(UserError, match=r"bert\.pooler\.dense\.bias is missing"):
        load_network(shard(folder, whole), "bare")
    whole["weight_map"][lost] = "model-00002-of-00002.safetensors"
    write_json(folder / "model.safetensors.index.json", whole)
    assert load_network(folder, "bare").new == []


@pytest.mark.parametrize("content", ["", "{", "[]", "3"])
def test_a_config_that_is_none(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"config\.json"):
        load_network(folder, "bare")


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8, torch.int64])
def test_whole_numbers_are_refused_by_name(folder: Path, kind: torch.dtype) -> None:
    name = "encoder.layer.1.attention.self.key.weight"
    change(folder, {name: load_file(folder / "model.safetensors")[name].to(kind)})
    with pytest.raises(
        UserError, match=rf"{name} in .* holds {str(kind)[6:]} numbers, .*quantised ones cannot be read"
    ):
        load_network(folder, "bare")


@pytest.mark.parametrize("scale", ["SCB", "weight_scale", "qzeros", "weight_format"])
def test_scales_of_quantised_weights_are_refused_by_name(folder: Path, scale: str) -> None:
    """Also where config.json does not say that the weights are quantised."""
    name = "encoder.layer.0.output.dense"
    weight = load_file(folder / "model.safetensors")[f"{name}.weight"]
    change(folder, {f"{name}.weight": weight.to(torch.float8_e4m3fn), f"{name}.{scale}": weight[:, 0].contiguous()})
    with pytest.raises(UserError, match=rf"{name}\.{scale} is unexpected"):
        load_network(folder, "bare")


@pytest.mark.parametrize(
    ("said", "method"),
    [({"bits": 4}, "a method that it does not name"), ({"quant_method": "bitsandbytes"}, "bitsandbytes")],
)
def test_a_config_of_quantised_weights(folder: Path, said: dict[str, Any], method: str) -> None:
    write_json(folder / "config.json", {**read_json(folder / "config.json"), "quantization_config": said})
    with pytest.raises(UserError, match=rf"the weights are quantised by {method}\. Give the model that they were made"):
        load_network(folder, "bare")


def test_mixed_formats_become_fp32(folder: Path) -> None:
    """Norms are often kept in fp32 beside weights of half the size; a few files hold fp64."""
    kinds = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
    tensors = load_file(folder / "model.safetensors")
    cast = {name: t.to(kinds[i % 4]) for i, (name, t) in enumerate(tensors.items())}
    change(folder, cast)
    network = load_network(folder, "bare").network
    for ours, tensor in network.state_dict().items():
        theirs = [n.removeprefix(prefix_of(bert)) for n in names_of(bert).theirs(ours)]
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, torch.cat([cast[n].float() for n in theirs])), ours


# ---------------------------------------------------------------- alone

ALONE = """
import sys

for name in BLOCKED:
    sys.modules[name] = None

from pathlib import Path

import torch
from tiny import tiny

import maskwright
from maskwright.models import families, family, load_network, random_network, save_network
from maskwright.nn import Batch

batch = Batch.packed(torch.tensor([5, 6, 7, 8, 9]), [2, 3])
for name in families():
    kind = family(name)
    for head in kind.HEADS:
        config, folder = tiny(kind), Path(sys.argv[1]) / name / head
        network = random_network(kind, config, head).eval()
        save_network(folder, network, kind, config, {})
        loaded = load_network(folder, head)
        with torch.no_grad():
            one, two = network(batch), loaded.network.eval()(batch)
        pairs = zip(one, two) if isinstance(one, tuple) else [(one, two)]
        assert all(torch.equal(a, b) for a, b in pairs), (name, head)
        print(name, head)
assert all(sys.modules[name] is None for name in BLOCKED)
"""


def test_every_family_is_built_saved_and_loaded_without_the_libraries_of_tests(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-c", f"BLOCKED = {BLOCKED!r}\n{ALONE}", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    assert [tuple(line.split()) for line in done.stdout.splitlines()] == [
        (name, head) for name in families() for head in family(name).HEADS
    ]


def test_the_v3_models_of_deberta_as_they_are_published(tmp_path: Path, stir: Stir) -> None:
    """With the heads of generator and discriminator, absolute positions for the decoder alone, and what training added
    to the word vectors."""
    kind = family("deberta-v2")
    config = kind.Config(**{**tiny(kind).model_dump(), "absolute": False, "embedding": tiny(kind).width})
    save_network(tmp_path, stir(random_network(kind, config, "bare")), kind, config, {})
    found = dict(load_file(tmp_path / "model.safetensors"))
    network = stir(random_network(kind, config, "replaced-tokens"))
    decoder = stir(random_network(kind, config, "enhanced-masked-lm"))
    names = names_of(kind)
    for source in (network, decoder):
        state = {ours: t for ours, t in source.state_dict().items() if not ours.startswith("encoder.")}
        found |= {names.theirs(ours)[0]: tensor.clone() for ours, tensor in state.items()}
    found = {n if n.startswith(("deberta.", "mask_p", "lm_p")) else f"deberta.{n}": t for n, t in found.items()}
    found["deberta.embeddings.word_embeddings._weight"] = torch.zeros(2, 2)
    assert {"mask_predictions.classifier.weight", "lm_predictions.lm_head.bias"} <= set(found)
    save_file(found, tmp_path / "model.safetensors")

    loaded = load_network(tmp_path, "classification", classes=3)
    assert {name.split(".")[0] for name in loaded.new} == {"pooler", "classifier"}
    assert {name.split(".")[0] for name in loaded.unused} == {"mask_predictions", "lm_predictions", "deberta"}
    for head in ("replaced-tokens", "enhanced-masked-lm"):
        assert load_network(tmp_path, head).new == []
    with pytest.raises(UserError, match=r'by the later head: put "legacy": false into config.json, or ask for enh'):
        load_network(tmp_path, "masked-lm")
    write_json(tmp_path / "config.json", {**read_json(tmp_path / "config.json"), "legacy": False})
    assert load_network(tmp_path, "masked-lm").new == []


@pytest.mark.parametrize(
    ("buckets", "furthest", "positions", "fits"),
    [(8, 5, 30, False), (8, 6, 30, True), (8, 5, 5, True), (1, 9, 30, False), (2, 9, 30, True), (-1, 2, 30, True)],
)
def test_buckets_of_distances_have_room_to_grow(buckets: int, furthest: int, positions: int, fits: bool) -> None:
    config = {"max_position_embeddings": positions, "max_relative_positions": furthest, "position_buckets": buckets}
    whole = {"model_type": "deberta-v2", "relative_attention": True, **config}
    if fits:
        assert read_config(family("deberta-v2"), whole, "config.json").buckets == buckets
    else:
        with pytest.raises(UserError, match="buckets of distances are at least 2 and end at a distance above half"):
            read_config(family("deberta-v2"), whole, "config.json")


@pytest.mark.parametrize(
    ("said", "nearby"), [({}, 10_000.0), ({"local_rope_theta": 500.0}, 500.0), ({"local_rope_theta": None}, 7000.0)]
)
def test_rotations_as_the_first_version_of_modernbert_said_them(said: dict[str, Any], nearby: float) -> None:
    config = read_config(family("modernbert"), {"model_type": "modernbert", "global_rope_theta": 7000.0, **said}, "it")
    assert (config.full_base, config.sliding_base) == (7000.0, nearby)


def test_replaced_tokens_by_the_equation(stir: Stir) -> None:
    """w act(W norm(h_[CLS] + h)) + b, each text with its own first token."""
    kind = family("deberta-v2")
    config = tiny(kind)
    network = stir(random_network(kind, config, "replaced-tokens")).eval()
    batch = Batch.packed(torch.arange(5, 12), [4, 3])
    with torch.no_grad():
        h, head = network.encoder(batch), network.replaced
        for i, first in enumerate([0, 0, 0, 0, 4, 4, 4]):
            x = torch.nn.functional.layer_norm(
                h[first] + h[i], (config.width,), head.norm.weight, head.norm.bias, config.eps
            )
            x = torch.nn.functional.gelu(head.dense.weight @ x + head.dense.bias)
            wanted = head.out.weight[0] @ x + head.out.bias[0]
            torch.testing.assert_close(network(batch)[i], wanted, atol=1e-5, rtol=0)
