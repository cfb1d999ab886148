"""The tensors of a folder in Hugging Face layout: safetensors, whole or in shards. Pickle is never opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from maskwright.base.errors import UserError
from maskwright.base.files import read_json

PICKLE = "pytorch_model.bin"
INDEX = f"{PICKLE}.index.json"  #: of a pickle in shards

#: How numbers of weights are kept.
WEIGHTS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


class Tensors:
    """Names and shapes at once, contents on demand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = _files(folder)
        self.places: dict[str, Path] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        for file in self.files:
            with _open(file) as handle:
                for name in handle.keys():  # noqa: SIM118 - not a dict
                    self.places[name] = file
                    self.shapes[name] = tuple(handle.get_slice(name).get_shape())

    def read(self, name: str) -> Tensor:
        """One tensor of weights, in fp32. Raises UserError for whole numbers and fp8, whose scales stand elsewhere."""
        with _open(self.places[name]) as handle:
            tensor: Tensor = handle.get_tensor(name)
        if tensor.dtype not in WEIGHTS:
            raise UserError(
                f"{name} in {self.places[name]} holds {str(tensor.dtype).removeprefix('torch.')} numbers, which are "
                "no weights by themselves. Give the weights in fp32, bf16 or fp16; quantised ones cannot be read."
            )
        return tensor.to(torch.float32)


def _files(folder: Path) -> list[Path]:
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.exists():
        return [whole]
    if index.exists():
        return shards(index)
    pickles = sorted(p.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for p in folder.glob(pattern))
    if pickles:
        known = PICKLE in pickles or (folder / INDEX).exists()
        remedy = (
            "`maskwright convert` makes model.safetensors of it, in a process of its own and as weights only."
            if known
            else "Save the model again as safetensors; of pickles `maskwright convert` takes a pytorch_model.bin alone."
        )
        raise UserError(
            f"{folder} holds its weights as a pickle ({', '.join(pickles)}). A pickle runs any code that it contains "
            f"when it is opened, so it is refused. {remedy}"
        )
    raise UserError(
        f"{folder} holds no model.safetensors. It holds: {_listing(folder)}. Of a model on the hub pickles are not "
        "fetched: where it has a pytorch_model.bin, `maskwright convert OWNER/NAME --out FOLDER` fetches it and makes "
        "model.safetensors of it."
    )


def shards(index: Path) -> list[Path]:
    """The files that an index names. Raises UserError where it is damaged, or one of them is not there."""
    named, folder = read_json(index), index.parent
    places = named.get("weight_map") if isinstance(named, dict) else None
    if not isinstance(places, dict) or not all(isinstance(n, str) for n in places.values()):
        raise UserError(f"{index} does not say in which file each tensor is (weight_map). Copy it again.")
    names = sorted(set(places.values()))
    missing = [n for n in names if Path(n).name != n or not (folder / n).is_file()]
    if missing:
        raise UserError(f"{index} names files that are not there: {', '.join(missing)}. Copy all shards.")
    return [folder / n for n in names]


@contextmanager
def _open(file: Path) -> Iterator[safe_open]:
    try:
        with safe_open(str(file), "pt") as handle:
            yield handle
    except (SafetensorError, OSError) as problem:
        raise UserError(
            f"{file} ({file.stat().st_size:,} bytes) is not a whole safetensors file: {problem}. It was probably cut "
            "off while it was copied; copy it again."
        ) from None


def _listing(folder: Path) -> str:
    return ", ".join(sorted(p.name for p in folder.iterdir())[:20]) or "nothing"
