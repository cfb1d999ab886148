"""A folder that loading refuses for its pickled weights, made into one that it takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from maskwright.base.errors import UserError
from maskwright.base.files import write_folder
from maskwright.models import _hub
from maskwright.models._checkpoint import shards
from maskwright.models._load import PACKAGED, locate

INDEX = "pytorch_model.bin.index.json"
#: what a converted folder takes along
KEPT = ("*.json", "vocab.txt", "bpe.codes", "merges.txt", "*.model", "README.md", "LICENSE*")


@dataclass
class Converted:
    """What was done."""

    folder: Path
    tensors: int
    from_pickle: list[str] = field(default_factory=list)  #: files that were opened in a process of their own


def convert(model: str | Path, out: str | Path) -> Converted:
    """Write the weights of `model`, a folder or an id on the hub, as one model.safetensors into the new folder `out`.

    Pickles are opened by a process of its own, weights only. Raises UserError for what is no weights.
    """
    source, into = _source(model), Path(out).resolve()
    if into.exists() and any(into.iterdir()):
        raise UserError(f"{into} is not empty. Give a new folder with --out.")
    files = _pickles(source)
    done = Converted(into, 0, [f.name for f in files])

    def fill(folder: Path) -> None:
        tensors: dict[str, torch.Tensor] = {}
        for i, file in enumerate(files):
            part = folder / f"part-{i}.safetensors"
            _open(file, part)
            tensors.update(load_file(str(part)))
            part.unlink()
        done.tensors = len(tensors)
        save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
        for pattern in KEPT:
            for file in source.glob(pattern):
                if file.name != INDEX:
                    shutil.copyfile(file, folder / file.name)

    write_folder(into, fill)
    return done


def _source(model: str | Path) -> Path:
    name = str(model)
    if name in PACKAGED or Path(name).is_dir():
        return locate(model) if (Path(name) / "config.json").exists() or name in PACKAGED else Path(name)
    if not _hub.is_id(name):
        raise UserError(f"There is no folder {name!r}, and it is no id on the hub.")
    return _hub.download(name, pickles=True)


def _pickles(folder: Path) -> list[Path]:
    if (folder / "model.safetensors").exists() or (folder / "model.safetensors.index.json").exists():
        raise UserError(f"{folder} holds its weights as safetensors already; there is nothing to convert.")
    if (folder / INDEX).exists():
        return shards(folder / INDEX)
    if (folder / "pytorch_model.bin").exists():
        return [folder / "pytorch_model.bin"]
    held = ", ".join(sorted(p.name for p in folder.iterdir())[:20]) or "nothing"
    raise UserError(f"{folder} holds no pytorch_model.bin to convert. It holds: {held}.")


def _open(file: Path, out: Path) -> None:
    command = [sys.executable, "-m", "maskwright.models._pickle", str(file), str(out)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["the process was ended"])[-1]
        raise UserError(f"{file} could not be read as weights and nothing else: {why}.")
