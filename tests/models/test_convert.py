"""Pickled weights become safetensors in a process of their own, as tensors and nothing else."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import tiny
from transformers import BertConfig, BertForMaskedLM, RobertaConfig

from maskwright.base.errors import UserError
from maskwright.base.files import read_json, write_json
from maskwright.models import bert, convert, load_network, random_network, save_network

SIZES = BertConfig(
    vocab_size=50, hidden_size=12, num_hidden_layers=2, num_attention_heads=2, intermediate_size=20,
    max_position_embeddings=16,
)  # fmt: skip


@pytest.fixture
def pickled(tmp_path: Path) -> Path:
    """A folder as it was saved years ago: pytorch_model.bin, with the decoder as a copy of the word vectors."""
    network = BertForMaskedLM(SIZES)
    network.config.save_pretrained(tmp_path / "old")
    torch.save(network.state_dict(), tmp_path / "old" / "pytorch_model.bin")
    (tmp_path / "old" / "vocab.txt").write_text("[PAD]\n")
    return tmp_path / "old"


def test_every_tensor_comes_over(pickled: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds its weights as a pickle .*maskwright convert"):
        load_network(pickled, "masked-lm")
    done = convert(pickled, tmp_path / "new")
    held = torch.load(pickled / "pytorch_model.bin", weights_only=True)
    assert (done.tensors, done.from_pickle) == (len(held), ["pytorch_model.bin"])
    loaded = load_network(tmp_path / "new", "masked-lm")
    assert (loaded.new, loaded.unused) == ([], [])
    words = held["bert.embeddings.word_embeddings.weight"]
    assert torch.equal(loaded.network.encoder.embeddings.word.weight, words)
    assert (tmp_path / "new" / "vocab.txt").read_text() == "[PAD]\n"
    assert not (tmp_path / "new" / "pytorch_model.bin").exists()


def test_shards_are_joined(pickled: Path, tmp_path: Path) -> None:
    held = torch.load(pickled / "pytorch_model.bin", weights_only=True)
    names = list(held)
    weight_map = {}
    for i, some in enumerate((names[::2], names[1::2])):
        torch.save({n: held[n] for n in some}, pickled / f"pytorch_model-{i}.bin")
        weight_map |= dict.fromkeys(some, f"pytorch_model-{i}.bin")
    (pickled / "pytorch_model.bin").unlink()
    write_json(pickled / "pytorch_model.bin.index.json", {"weight_map": weight_map})
    assert convert(pickled, tmp_path / "new").tensors == len(held)
    assert not (tmp_path / "new" / "pytorch_model.bin.index.json").exists()
    (pickled / "pytorch_model-1.bin").unlink()
    with pytest.raises(UserError, match=r"names files that are not there: pytorch_model-1\.bin"):
        convert(pickled, tmp_path / "other")


class Evil:
    def __reduce__(self) -> Any:
        return os.mkdir, (os.environ["MARK_OF_EVIL"],)


def test_code_in_a_pickle_is_never_called(pickled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARK_OF_EVIL", str(tmp_path / "called"))
    (pickled / "pytorch_model.bin").write_bytes(pickle.dumps({"bert.x": Evil()}))
    with pytest.raises(UserError, match=r"pytorch_model\.bin could not be read as weights and nothing else"):
        convert(pickled, tmp_path / "new")
    assert not (tmp_path / "called").exists()
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("held", [[1, 2], {"a": "text"}, torch.zeros(2)])
def test_what_is_no_weights_is_refused(pickled: Path, tmp_path: Path, held: Any) -> None:
    torch.save(held, pickled / "pytorch_model.bin")
    with pytest.raises(UserError, match="it holds something else than named tensors"):
        convert(pickled, tmp_path / "new")


def test_there_is_nothing_to_convert(pickled: Path, tmp_path: Path) -> None:
    save_network(tmp_path / "fine", random_network(bert, tiny(bert), "bare"), bert, tiny(bert), {})
    with pytest.raises(UserError, match="as safetensors already"):
        convert(tmp_path / "fine", tmp_path / "new")
    (pickled / "pytorch_model.bin").unlink()
    with pytest.raises(UserError, match=r"no pytorch_model\.bin to convert\. It holds: config\.json"):
        convert(pickled, tmp_path / "new")
    with pytest.raises(UserError, match="is not empty"):
        convert(pickled, tmp_path / "fine")


# ---------------------------------------------------------------- folders that are not for us


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_network(tmp_path / "model", random_network(bert, tiny(bert), "bare"), bert, tiny(bert), {})
    return tmp_path / "model"


def with_config(folder: Path, **changes: Any) -> Path:
    write_json(folder / "config.json", {**read_json(folder / "config.json"), **changes})
    return folder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "robertta"}, r"no model family 'robertta'\. Did you mean 'roberta'\?"),
        ({"model_type": "llama"}, "'llama' is a decoder, whose tokens see nothing to their right"),
        ({"model_type": "t5"}, "'t5' is an encoder and a decoder"),
        ({"model_type": "vit"}, "'vit' is a model of pictures"),
        ({"auto_map": {"AutoModel": "modeling_x.X"}}, r"asks for code of its own \(auto_map\)"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "the weights are quantised by gptq"),
    ],
)
def test_what_is_not_for_us_is_named(folder: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        load_network(with_config(folder, **changes), "bare")


def test_tensors_of_another_family_are_named(folder: Path) -> None:
    RobertaConfig(vocab_size=50, hidden_size=12, num_hidden_layers=1, num_attention_heads=2).save_pretrained(folder)
    with pytest.raises(UserError, match=r"does not fit the family 'roberta' .*LayerNorm\.bias has the shape"):
        load_network(folder, "bare")
