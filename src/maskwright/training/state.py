"""All that a resume needs, as safetensors and JSON (pickle is never written or opened)."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from safetensors.torch import save as serialise
from torch import Tensor, nn

from maskwright.base import runtime
from maskwright.base.errors import UserError
from maskwright.base.files import open_folder, read_json, write_bytes, write_folder, write_json
from maskwright.nn.dropout import noise
from maskwright.training.averaging import Average
from maskwright.training.optimizers import Mover

AVERAGE = "average.safetensors"  #: in checkpoints of a run that averages, once it has begun to


@dataclass
class Progress:
    """Where a run stands: facts, no clocks."""

    step: int = 0
    best: float | None = None  #: the best evaluation's main metric
    best_step: int | None = None
    loss_sum: float = 0.0  #: since the last line of the log
    sums: dict[str, float] = field(default_factory=dict)  #: of the objective's own facts, since the same line
    items: int = 0
    tokens: int = 0
    log_bytes: int = 0  #: length of log.jsonl when this was saved; what stands after it is replayed
    seconds: float = 0.0  #: time spent in steps, over all sessions of the run
    evaluations: list[dict[str, Any]] = field(default_factory=list)


def save(
    folder: Path, network: nn.Module, optimizer: Mover, progress: Progress, average: Average | None = None
) -> None:
    """Write a checkpoint atomically, with checksums."""

    def fill(into: Path) -> None:
        save_file(weights_of(network), str(into / "weights.safetensors"))
        save_file(_moments(optimizer), str(into / "optimizer.safetensors"))
        if average is not None and average.count:
            save_file({k: v.contiguous() for k, v in average.state_dict().items()}, str(into / AVERAGE))
        save_file(_generators(), str(into / "random.safetensors"))
        write_json(into / "state.json", {"progress": asdict(progress), "noise": noise.state(), **_random_state()})
        write_json(into / "facts.json", runtime.facts(_device(network)))

    write_folder(folder, fill)


def restore(
    folder: Path, network: nn.Module, optimizer: Mover, allow_drift: bool = False, average: Average | None = None
) -> Progress | None:
    """Continue from a checkpoint, or None when there is none.

    Raises UserError when the machine or its settings differ in a way that changes bits, unless `allow_drift`.
    """
    if open_folder(folder) is None:
        return None
    was, now = read_json(folder / "facts.json"), runtime.facts(_device(network))
    drift = [f"{key} was {was.get(key)!r} and is {now[key]!r}" for key in now if was.get(key) != now[key]]
    if drift and not allow_drift:
        raise UserError(
            f"Resuming {folder} here would not be equal to the bit: {'; '.join(drift)}. Resume with the same, or "
            "accept the difference with --allow-drift."
        )
    fill(network, load_file(str(folder / "weights.safetensors")))
    _restore_moments(optimizer, load_file(str(folder / "optimizer.safetensors")))
    if average is not None and (folder / AVERAGE).exists():
        average.load_state_dict(load_file(str(folder / AVERAGE)))
    _restore_generators(load_file(str(folder / "random.safetensors")))
    state = read_json(folder / "state.json")
    noise.restore(state["noise"])
    _restore_random(state)
    return Progress(**state["progress"])


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _generators() -> dict[str, Tensor]:
    """The states of torch's generators: the CPU's and, where there are any, each GPU's."""
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"torch": torch.get_rng_state(), **{f"cuda.{i}": state for i, state in enumerate(gpus)}}


def _restore_generators(saved: dict[str, Tensor]) -> None:
    torch.set_rng_state(saved.pop("torch"))
    for name, state in saved.items():
        torch.cuda.set_rng_state(state, int(name.partition(".")[2]))


def _moments(optimizer: Mover) -> dict[str, Tensor]:
    state: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"]
    return {f"{i}.{name}": tensor.contiguous() for i, slot in state.items() for name, tensor in slot.items()}


def _restore_moments(optimizer: Mover, saved: dict[str, Tensor]) -> None:
    whole = optimizer.state_dict()
    whole["state"] = {}
    for key, tensor in saved.items():
        i, _, name = key.partition(".")
        whole["state"].setdefault(int(i), {})[name] = tensor
    optimizer.load_state_dict(whole)


def _random_state() -> dict[str, Any]:
    version, words, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": [version, list(words), gauss],
        "numpy": [kind, [int(k) for k in keys], position, has_gauss, cached],
    }


def _restore_random(state: dict[str, Any]) -> None:
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, cached))


def save_weights(file: Path, network: nn.Module) -> None:
    """The weights alone, atomically."""
    write_bytes(file, serialise(weights_of(network)))


def load_weights(file: Path, network: nn.Module) -> None:
    fill(network, load_file(str(file)))


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Every tensor once: one that several modules hold has the first of its names."""
    state = network.state_dict()
    return {name: state[name].contiguous() for name, first in _first_names(state).items() if name == first}


def fill(network: nn.Module, saved: dict[str, Tensor]) -> None:
    """Load what `weights_of` gave."""
    shared = {n: saved[first] for n, first in _first_names(network.state_dict()).items() if first in saved}
    network.load_state_dict({**saved, **shared})


def _first_names(state: dict[str, Tensor]) -> dict[str, str]:
    """Of each name the first that holds the same tensor."""
    first: dict[Any, str] = {}
    return {
        name: first.setdefault((tensor.data_ptr(), tensor.shape) if tensor.numel() else name, name)
        for name, tensor in state.items()
    }
