"""Mistakes with the encoder that `maskwright finetune` starts from: one paragraph, exit code 2, nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

Say = Callable[..., str]


def test_a_length_beyond_the_positions(say: Say) -> None:
    assert say(max_length="25").startswith("max_length = 25, but the encoder has 24 positions. Give at most 24;")


def test_a_length_without_room_for_text(say: Say) -> None:
    assert say(max_length="3", pair="other").startswith(
        "max_length=3 leaves no room for text: a pair has 3 special pieces."
    )


def test_a_model_that_is_not_there(say: Say) -> None:
    message = say(model="no/such/model")
    assert message.startswith("There is no model folder 'no/such/model'. Give a folder that holds config.json and ")
    assert "minilm" in message


@pytest.fixture
def copy(make_tiny: Callable[..., Path], tmp_path: Path) -> Callable[..., str]:
    """A folder of the encoder whose tensors `change` altered; keywords change its configuration."""

    def make(change: Callable[[dict[str, torch.Tensor]], Any] | None = None, head: str = "bare", **config: Any) -> str:
        folder = make_tiny(tmp_path / "broken", head, **config)
        tensors = load_file(folder / "model.safetensors")
        if change is not None:
            change(tensors)
            save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return str(folder)

    return make


QUERY = "encoder.layer.1.attention.self.query.weight"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop(QUERY), f"bert.{QUERY} is missing."),
        (lambda t: t.update({QUERY: torch.zeros(32, 31)}), f"bert.{QUERY} has the shape (32, 31), expected (32, 32)."),
        (
            lambda t: t.update({"encoder.layer.7.surprise": torch.zeros(1)}),
            "bert.encoder.layer.7.surprise is unexpected.",
        ),
        (lambda t: t.pop("pooler.dense.bias"), "bert.pooler.dense.bias is missing."),
        (
            lambda t: [t.pop(name) for name in list(t) if "layer.1" in name],
            "(and 8 more).",
        ),
    ],
)
def test_tensors_that_do_not_fit(say: Say, copy: Callable[..., str], change: Any, said: str) -> None:
    folder = copy(change)
    message = say(model=folder)
    assert message.startswith(f"{folder} does not fit the family 'bert' as its config.json describes it: ")
    assert said.replace("bert.", "") in message.replace("bert.", "")


def test_a_weights_file_that_was_cut_off(say: Say, copy: Callable[..., str]) -> None:
    folder = copy()
    file = Path(folder) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    message = say(model=folder)
    assert message.startswith(f"{file} ({file.stat().st_size:,} bytes) is not a whole safetensors file: ")
    assert message.endswith("It was probably cut off while it was copied; copy it again.")


def test_a_pickle_is_refused(say: Say, copy: Callable[..., str]) -> None:
    folder = Path(copy())
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    message = say(model=str(folder))
    assert (
        f"{folder} holds its weights as a pickle (pytorch_model.bin). A pickle runs any code that it contains"
        in message
    )


@pytest.mark.parametrize("change", [-5, 300])
def test_a_vocabulary_of_another_model(say: Say, copy: Callable[..., str], tiny: Path, change: int) -> None:
    size = json.loads((tiny / "config.json").read_text())["vocab_size"]
    folder = copy(vocabulary=size + change)
    message = say(model=folder)
    assert message.startswith(f"The vocabulary of {folder} has {size} pieces, its embedding ")
    assert message.endswith("The tokenizer belongs to another model.")
    assert (f"only {size - 5} rows" if change < 0 else f"{size + 300} rows, 300 too many to be padding") in message


def test_pairs_for_a_model_of_one_segment(say: Say, copy: Callable[..., str]) -> None:
    folder = copy(segments=1)
    message = say(model=folder, pair="text")
    assert message == (
        f"The tokenizer of {folder} numbers the texts of a pair 0 and 1, its embedding has one segment. "
        "The tokenizer belongs to another model."
    )


def test_a_model_without_a_tokenizer(say: Say, copy: Callable[..., str]) -> None:
    folder = Path(copy())
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink()
    assert f"{folder} has no tokenizer: neither tokenizer.json nor vocab.txt." in say(model=str(folder))
