"""A folder made into another: pickled weights into safetensors, a table of positions into a longer one."""

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
from maskwright.base.files import read_json, write_folder, write_json
from maskwright.models import _hub
from maskwright.models._checkpoint import INDEX, PICKLE, Tensors, shards
from maskwright.models._family import buffers_of, keys_of, names_of, prefix_of
from maskwright.models._load import PACKAGED, load_network, locate
from maskwright.models._positions import lengthen, tables, write_length
from maskwright.nn.positions import Positions

SAFE = ("model.safetensors", "model.safetensors.index.json")
#: what a converted folder takes along
KEPT = ("*.json", "maskwright.safetensors", "vocab.txt", "bpe.codes", "merges.txt", "*.model", "README.md", "LICENSE*")


@dataclass
class Converted:
    """What was done."""

    folder: Path
    tensors: int
    from_pickle: list[str] = field(default_factory=list)  #: files that were opened in a process of their own
    lengthened: str = ""  #: what was done to the positions, in a sentence


def convert(
    model: str | Path, out: str | Path, positions: Positions | None = None, max_length: int | None = None
) -> Converted:
    """Write the weights of `model`, a folder or an id on the hub, as one model.safetensors into the new folder `out`.

    Pickles are opened by a process of its own, weights only. positions: how to make a table for texts of `max_length`
    tokens. Raises UserError for what is no weights, and where there is nothing to do.
    """
    source, into = _source(model), Path(out).resolve()
    if (positions is None) != (max_length is None):
        raise UserError("A longer table of positions needs both: how it is made (positions) and its max_length.")
    if into.exists() and any(into.iterdir()):
        raise UserError(f"{into} is not empty. Give a new folder with --out.")
    safe = any((source / name).exists() for name in SAFE)
    if safe and positions is None:
        raise UserError(
            f"{source} holds its weights as safetensors already; there is nothing to convert. (--positions would make "
            "a longer table of positions.)"
        )
    files = [] if safe else _pickles(source)
    done = Converted(into, 0, [f.name for f in files])

    def fill(folder: Path) -> None:
        tensors = _unpickled(files, folder) if files else _all(source)
        done.tensors = len(tensors)
        for file in (file for pattern in KEPT for file in source.glob(pattern)):
            if file.name not in (INDEX, *SAFE):
                shutil.copyfile(file, folder / file.name)
        _write(tensors, folder)
        if positions is not None and max_length is not None:
            done.lengthened = _lengthen(folder, positions, max_length)

    write_folder(into, fill)
    return done


def _unpickled(files: list[Path], folder: Path) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for i, file in enumerate(files):
        part = folder / f"part-{i}.safetensors"
        _open(file, part)
        tensors.update(load_file(str(part)))
        part.unlink()
    return tensors


def _all(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for file in Tensors(folder).files for name, tensor in load_file(str(file)).items()}


def _write(tensors: dict[str, torch.Tensor], folder: Path) -> None:
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})


def _lengthen(folder: Path, way: Positions, tokens: int) -> str:
    """Put a longer table into a folder's weights, and its length into the files that say it."""
    loaded = load_network(folder, "bare")
    done = lengthen(loaded, way, tokens)
    if not done:
        raise UserError(f"The encoder takes texts of {tokens:,} tokens as it is; there is nothing to lengthen.")
    kind, tensors = loaded.family, _all(folder)
    for ours, table in tables(loaded.network).items():
        (named,) = names_of(kind).theirs(ours)
        name = next(n for n in (named, named.removeprefix(prefix_of(kind))) if n in tensors)
        tensors[name] = table.position.weight.detach().to(tensors[name].dtype)
    stale = {n for buffer in buffers_of(kind) for n in (buffer, buffer.removeprefix(prefix_of(kind)))}
    _write({n: tensor for n, tensor in tensors.items() if n not in stale}, folder)
    key = next(theirs for theirs, ours in keys_of(kind).items() if ours == "positions")
    write_json(folder / "config.json", {**read_json(folder / "config.json"), key: loaded.config.positions})
    write_length(folder, tokens)
    finished = folder / "maskwright.json"
    if finished.exists():  # of a fine-tuned model, whose probabilities were calibrated with the old table
        said = read_json(finished)
        provenance = {**said.get("provenance", {}), "positions": done}
        write_json(finished, {**said, "max_length": tokens, "calibration": None, "provenance": provenance})
        done += " Its calibration was made for the old table and is left out."
    return done


def _source(model: str | Path) -> Path:
    name = str(model)
    if not (name in PACKAGED or Path(name).is_dir()):
        if not _hub.is_id(name):
            raise UserError(f"There is no folder {name!r}, and it is no id on the hub.")
        found = locate(model)
        if any((found / name).exists() for name in SAFE):
            return found
        return locate(_hub.download(name, pickles=True))
    inside = any((Path(name) / file).exists() for file in ("config.json", "modules.json"))
    return locate(model) if inside or name in PACKAGED else Path(name)


def _pickles(folder: Path) -> list[Path]:
    if (folder / INDEX).exists():
        return shards(folder / INDEX)
    if (folder / PICKLE).exists():
        return [folder / PICKLE]
    held = ", ".join(sorted(p.name for p in folder.iterdir())[:20]) or "nothing"
    raise UserError(f"{folder} holds no pytorch_model.bin to convert. It holds: {held}.")


def _open(file: Path, out: Path) -> None:
    command = [sys.executable, "-m", "maskwright.models._pickle", str(file), str(out)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["the process was ended"])[-1]
        raise UserError(f"{file} could not be read as weights and nothing else: {why}.")
