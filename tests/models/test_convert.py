"""Pickled weights become safetensors, as tensors and nothing else; tables of positions become longer."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny import tiny
from transformers import BertConfig, BertForMaskedLM, RobertaConfig, RobertaForMaskedLM

from maskwright.base.choice import resolve
from maskwright.base.errors import UserError
from maskwright.base.files import read_json, write_json
from maskwright.cli.main import main
from maskwright.models import bert, convert, load_network, random_network, save_network
from maskwright.nn import Batch
from maskwright.nn.positions import Positions

SMALL: dict[str, Any] = {
    "vocab_size": 50, "hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 20,
    "max_position_embeddings": 16,
}  # fmt: skip
SIZES = BertConfig(**{**SMALL, "num_hidden_layers": 2})


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
        ({"quantization_config": "awq"}, "the weights are quantised by awq"),
        ({"model_type": None}, "does not say its model_type"),
        ({"num_attention_heads": 0}, "heads = 0: at least 1"),
        ({"intermediate_size": -3}, "inner = -3: at least 1"),
        ({"hidden_dropout_prob": 1.0}, "dropout = 1.0: at least 0 and less than 1"),
    ],
)
def test_what_is_not_for_us_is_named(folder: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        load_network(with_config(folder, **changes), "bare")


def test_what_says_nothing_of_the_numbers_is_no_hindrance(folder: Path) -> None:
    before = load_network(folder, "bare")
    left = {"_num_labels": 9, "xla_device": True, "sentence_transformers": {"version": "5"}, "num_labels": None}
    after = load_network(with_config(folder, sbert_ce_default_activation_function="torch.nn.Identity", **left), "bare")
    assert after.config == before.config
    assert all(torch.equal(a, b) for a, b in zip(after.network.parameters(), before.network.parameters(), strict=True))


def test_pickles_that_convert_does_not_open_are_not_sent_there(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model.pt")
    with pytest.raises(UserError, match=r"\(model.pt\).*Save the model again as safetensors"):
        load_network(folder, "bare")


def test_the_folder_of_a_sentence_transformers_model_is_found(pickled: Path, tmp_path: Path) -> None:
    shutil.copytree(pickled, tmp_path / "st" / "0_Transformer")
    write_json(tmp_path / "st" / "modules.json", [{"idx": 0, "name": "0", "path": "0_Transformer", "type": "x"}])
    done = convert(tmp_path / "st", tmp_path / "safe")
    assert done.from_pickle == ["pytorch_model.bin"]
    convert(pickled, tmp_path / "plain")
    one, two = (load_network(tmp_path / name, "bare").encoder.parameters() for name in ("safe", "plain"))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_tensors_of_another_family_are_named(folder: Path) -> None:
    RobertaConfig(vocab_size=50, hidden_size=12, num_hidden_layers=1, num_attention_heads=2).save_pretrained(folder)
    with pytest.raises(UserError, match=r"does not fit the family 'roberta' .*LayerNorm\.bias has the shape"):
        load_network(folder, "bare")


# ---------------------------------------------------------------- longer tables of positions


def test_a_longer_table_is_written_and_the_rest_is_kept(tmp_path: Path) -> None:
    """transformers reads it too; heads that nobody asked for stay; what stored the old length says the new one."""
    RobertaForMaskedLM(RobertaConfig(**SMALL)).save_pretrained(tmp_path / "old")
    write_json(tmp_path / "old" / "tokenizer_config.json", {"model_max_length": 14})
    done = convert(tmp_path / "old", tmp_path / "new", resolve(Positions, "tile"), 40)
    assert "40 positions now instead of 14" in done.lengthened
    assert read_json(tmp_path / "new" / "config.json")["max_position_embeddings"] == 42
    assert read_json(tmp_path / "new" / "tokenizer_config.json") == {"model_max_length": 40}
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("old", "new"))
    assert list(before) == list(after)
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed == ["roberta.embeddings.position_embeddings.weight"]
    ids = torch.randint(5, 50, (1, 40))
    theirs = RobertaForMaskedLM.from_pretrained(tmp_path / "new").eval()(ids).logits[0]
    ours = load_network(tmp_path / "new", "masked-lm").network.eval()
    torch.testing.assert_close(ours(Batch.packed(ids[0], [40])), theirs, rtol=0, atol=1e-5)


def test_a_pickle_is_converted_and_lengthened_at_once(pickled: Path, tmp_path: Path) -> None:
    done = convert(pickled, tmp_path / "new", resolve(Positions, "interpolate"), 31)
    assert done.from_pickle == ["pytorch_model.bin"]
    assert load_network(tmp_path / "new", "masked-lm").limit == 31


@pytest.mark.parametrize(
    ("way", "tokens", "said"),
    [
        ("tile", None, "needs both: how it is made"),
        (None, 40, "needs both: how it is made"),
        ("tile", 14, "takes texts of 14 tokens as it is"),
    ],
)
def test_what_lengthening_needs_is_said(tmp_path: Path, way: str | None, tokens: int | None, said: str) -> None:
    RobertaForMaskedLM(RobertaConfig(**SMALL)).save_pretrained(tmp_path / "old")
    with pytest.raises(UserError, match=said):
        convert(tmp_path / "old", tmp_path / "new", None if way is None else resolve(Positions, way), tokens)
    assert not (tmp_path / "new").exists()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RobertaForMaskedLM(RobertaConfig(**SMALL)).save_pretrained(tmp_path / "old")
    folders = [str(tmp_path / "old"), "--out", str(tmp_path / "new")]
    assert main(["convert", *folders, "--positions", "strech", "--max-length", "40"]) == 2
    assert "Allowed: extend, interpolate, tile" in " ".join(capsys.readouterr().err.split())
    with pytest.raises(SystemExit, match="0"):
        main(["convert", *folders, "--positions", "extend", "--max-length", "40"])
    assert "train it further" in capsys.readouterr().out
