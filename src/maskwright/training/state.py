"""All that a resume needs, as safetensors and JSON (pickle is never written or opened).

Of several processes, the first writes what all have together: weights and moments whole, the generators of each. So a
run goes on with any number of processes; to the bit with the same.
"""

from __future__ import annotations

import hashlib
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
from maskwright.training.parallel import ALONE, World, launched

OWN = "own"  #: the GPU of a process that has others beside it, whatever its number there
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
    computed: int = 0  #: tokens that went through the network for these
    log_bytes: int = 0  #: length of log.jsonl when this was saved; what stands after it is replayed
    seconds: float = 0.0  #: time spent in steps, over all sessions of the run
    evaluations: list[dict[str, Any]] = field(default_factory=list)


def save(
    folder: Path,
    network: nn.Module,
    optimizer: Mover,
    progress: Progress,
    average: Average | None = None,
    world: World = ALONE,
    parallel: str = "none",
) -> None:
    """Write a checkpoint atomically, with checksums. All processes must call it; process 0 writes.

    network: whole. parallel: the engine, which resumed bits depend on.
    """
    moments = _moments(optimizer)
    averaged = average.state_dict() if average is not None else {}
    tensors, states = _generators(), {"noise": noise.state(), **_random_state()}
    each = world.each((tensors, states))
    facts = {**runtime.facts(_device(network)), "processes": world.size, "parallel": parallel}

    def fill(into: Path) -> None:
        save_file(weights_of(network), str(into / "weights.safetensors"))
        save_file(moments, str(into / "optimizer.safetensors"))
        if averaged:
            save_file({k: v.contiguous() for k, v in averaged.items()}, str(into / AVERAGE))
        others = {f"{rank}.{k}": v for rank, (found, _) in enumerate(each) if rank for k, v in found.items()}
        save_file({**tensors, **others}, str(into / "random.safetensors"))
        more = {"others": [found for _, found in each[1:]]} if world.size > 1 else {}
        write_json(into / "state.json", {"progress": asdict(progress), **states, **more})
        write_json(into / "facts.json", facts)

    world.first(lambda: write_folder(folder, fill))


def restore(
    folder: Path,
    network: nn.Module,
    optimizer: Mover,
    allow_drift: bool = False,
    average: Average | None = None,
    world: World = ALONE,
    parallel: str = "none",
) -> Progress | None:
    """Continue from a checkpoint, or None when there is none. All processes must call it, and all read it.

    Raises UserError when the machine or its settings differ in a way that changes bits, unless `allow_drift`. With
    another number of processes or another engine the bits differ anyhow, and so may the threads of each.
    """
    if not world.first(lambda: open_folder(folder) is not None):
        return None
    if not folder.exists():
        raise UserError(
            f"Process {world.rank} does not see {folder}, which process 0 does. Give a folder that all machines share."
        )
    was, now = read_json(folder / "facts.json"), runtime.facts(_device(network))
    same = (was.get("processes", 1), was.get("parallel", "none")) == (world.size, parallel)
    changed = [key for key in now if was.get(key) != now[key] and (same or key != "threads")]
    if changed and not allow_drift:
        drift = "; ".join(f"{key} was {was.get(key)!r} and is {now[key]!r}" for key in changed)
        raise UserError(
            f"Resuming {folder} here would not be equal to the bit: {drift}. Resume with the same, or "
            "accept the difference with --allow-drift."
        )
    fill(network, load_file(str(folder / "weights.safetensors")))
    _restore_moments(optimizer, load_file(str(folder / "optimizer.safetensors")))
    if average is not None and (folder / AVERAGE).exists():
        average.load_state_dict(load_file(str(folder / AVERAGE)))
    state = read_json(folder / "state.json")
    _restore_draws(state, load_file(str(folder / "random.safetensors")), world, was.get("processes", 1))
    return Progress(**state["progress"])


def _restore_draws(state: dict[str, Any], tensors: dict[str, Tensor], world: World, processes: int) -> None:
    """Every generator of this process. With another number of processes all but the first begin anew, each with random
    numbers of its own."""
    own = {name: t for name, t in tensors.items() if not name[0].isdigit()}
    if world.size == processes and world.rank:
        state, start = state["others"][world.rank - 1], f"{world.rank}."
        own = {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}
    _restore_generators(own)
    noise.restore(state["noise"])
    _restore_random(state)
    if world.size != processes:
        world.part()


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _generators() -> dict[str, Tensor]:
    """The states of torch's generators: the CPU's and, where there are any, each GPU's, or this process's own."""
    if not torch.cuda.is_available():
        return {"torch": torch.get_rng_state()}
    if launched():
        return {"torch": torch.get_rng_state(), f"cuda.{OWN}": torch.cuda.get_rng_state()}
    gpus = enumerate(torch.cuda.get_rng_state_all())
    return {"torch": torch.get_rng_state(), **{f"cuda.{i}": state for i, state in gpus}}


def _restore_generators(saved: dict[str, Tensor]) -> None:
    torch.set_rng_state(saved.pop("torch"))
    for name, state in saved.items():
        number = name.partition(".")[2]
        torch.cuda.set_rng_state(state, torch.cuda.current_device() if number == OWN else int(number))


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


def digest(network: nn.Module) -> str:
    """SHA-256, in hexadecimal, of the names and weights of a network."""
    found = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        found.update(name.encode())
        found.update(tensor.cpu().contiguous().numpy())
    return found.hexdigest()


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
